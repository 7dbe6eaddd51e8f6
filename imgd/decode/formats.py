"""The formats that Pillow and its plugins read, told apart by their first bytes."""

from __future__ import annotations

import io

from PIL import Image, ImageFile, JpegImagePlugin

from imgd.decode import codecs, jpeg, jxl, png
from imgd.decode.pillow import Loaded, PillowFormat
from imgd.decode.raw_marks import is_raw_tiff
from imgd.domain import ByteRange

_AVIF_BRANDS = (b"avif", b"avis")
_PICTURE_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"iCCP", b"eXIf")
# Each level of the wavelet leaves some aliasing, which from the second on only averaging takes away: SSIM to the
# whole picture's reduction is 0.99 with three times the needed pixels, 0.97 with twice, 0.88 with as many.
_WAVELET_MARGIN = 3
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1")


class Jpeg(PillowFormat):
    """JPEG, MPO included. Reduced in the DCT domain to 1/2, 3/8, 1/4 or 1/8 by libjpeg's scaled inverse transform,
    whose other steps take longer than the next larger one of these.

    Pillow reads the header, simplejpeg the pixels, and Pillow again what a damaged file still has.
    """

    name = "jpeg"
    extensions = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
    # Rows that never came, and what libjpeg makes of coefficients that never came: mid grey.
    fillers = (0, 128)

    def matches(self, data: ByteRange, name: str) -> bool:
        return data[:3] == b"\xff\xd8\xff"

    def open(self, data: bytes) -> ImageFile.ImageFile:
        return JpegImagePlugin.JpegImageFile(io.BytesIO(data))

    def decoded_bytes(self, stored: tuple[int, int], needed: tuple[int, int]) -> int:
        # Of a progressive file all coefficients are held, two bytes each and half as many for colour.
        reduction = max(1, min(8, stored[0] // needed[0], stored[1] // needed[1]))
        return super().decoded_bytes(stored, needed) // reduction**2 + stored[0] * stored[1] * 3

    def reduce(self, image: Image.Image, size: tuple[int, int]) -> str:
        # The photo's own aspect: with a square, the short side stops the reduction a step too early.
        full = image.size[0]
        image.draft(None, size)
        factor = -(-full // image.size[0])
        return f"dct 1/{factor}" if factor > 1 else "full"

    def load(self, image: Image.Image, data: bytes, size: tuple[int, int]) -> tuple[Loaded, str]:
        # What Pillow cannot ask for; a 12 megapixel photo of a phone has its 1200 px in it.
        smaller = tuple(-(-side * 3 // 8) for side in image.size)
        route = self.reduce(image, size)
        target = image.size
        if route == "dct 1/2" and smaller[0] >= size[0] and smaller[1] >= size[1]:
            route, target = "dct 3/8", (smaller[0], smaller[1])
        pixels = jpeg.decode(data, image.mode, target)
        if pixels is None:
            image.load()
            return image, "dct 1/2" if route == "dct 3/8" else route
        return (pixels if image.mode == "RGB" else Image.fromarray(pixels, image.mode)), route

    def mend(self, data: bytes) -> bytes:
        return jpeg.mend(data)


class Png(PillowFormat):
    name = "png"
    extensions = (".png", ".apng")
    file_class = "PIL.PngImagePlugin:PngImageFile"

    def matches(self, data: ByteRange, name: str) -> bool:
        return data[:8] == png.SIGNATURE

    def open(self, data: bytes) -> Image.Image:
        image = super().open(data)
        if "exif" not in image.info and not png.may_have_exif(data):
            # Pillow decodes the whole picture to look for EXIF behind it: say that there is none.
            image.info["exif"] = b""
        return image

    def load(self, image: Image.Image, data: bytes, size: tuple[int, int]) -> tuple[Loaded, str]:
        return self.load_by(png.pixels, image, data), "full"

    def trim(self, data: bytes) -> bytes:
        """The picture's own chunks alone: garbled or bomb-like text beside it then does no harm."""
        parts = [data[start - 8 : end + 4] for kind, start, end in png.chunks(data) if kind in _PICTURE_CHUNKS]
        return b"".join([data[:8], *parts])


class WebP(PillowFormat):
    name = "webp"
    extensions = (".webp",)
    file_class = "PIL.WebPImagePlugin:WebPImageFile"

    def matches(self, data: ByteRange, name: str) -> bool:
        return data[:4] == b"RIFF" and data[8:12] == b"WEBP"

    def load(self, image: Image.Image, data: bytes, size: tuple[int, int]) -> tuple[Loaded, str]:
        return self.load_by(codecs.webp, image, data), "full"


class Tiff(PillowFormat):
    name = "tiff"
    extensions = (".tif", ".tiff")
    file_class = "PIL.TiffImagePlugin:TiffImageFile"

    def matches(self, data: ByteRange, name: str) -> bool:
        return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") and not is_raw_tiff(data, name)

    def orientation(self, image: Image.Image) -> int:
        return 1  # Pillow turns a TIFF upright itself, its size included

    def load(self, image: Image.Image, data: bytes, size: tuple[int, int]) -> tuple[Loaded, str]:
        return self.load_by(codecs.tiff, image, data), "full"


class Heic(PillowFormat):
    """HEIF with HEVC inside. libheif applies rotation, mirroring and crop itself; EXIF's orientation is void
    (ISO/IEC 23008-12, A.2.1). A stored thumbnail that is a true copy and large enough stands in for the photo."""

    name = "heic"
    extensions = (".heic", ".heif", ".hif", ".heics", ".heifs")

    def matches(self, data: ByteRange, name: str) -> bool:
        return _brands(data, _HEIF_BRANDS) and not _brands(data, _AVIF_BRANDS)

    def open(self, data: bytes) -> ImageFile.ImageFile:
        import pillow_heif
        from pillow_heif.as_plugin import HeifImageFile

        pillow_heif.options.DECODE_THREADS = 1  # the pool has a worker a core
        image: ImageFile.ImageFile = HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call]
        return image

    def orientation(self, image: Image.Image) -> int:
        return 1

    def reduce(self, image: Image.Image, size: tuple[int, int]) -> str:
        return "full" if image.draft(None, size) is None else "preview"


class Avif(PillowFormat):
    """AVIF. Pillow gives rotation and mirroring of the container as an EXIF orientation."""

    name = "avif"
    extensions = (".avif", ".avifs")

    def matches(self, data: ByteRange, name: str) -> bool:
        return _brands(data, _AVIF_BRANDS)

    def open(self, data: bytes) -> ImageFile.ImageFile:
        from PIL import AvifImagePlugin

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the pool has a worker a core
        return AvifImagePlugin.AvifImageFile(io.BytesIO(data))


class JpegXl(PillowFormat):
    """JPEG XL, codestream or container. libjxl turns it upright; it is decoded as it is opened."""

    name = "jxl"
    extensions = (".jxl",)

    def matches(self, data: ByteRange, name: str) -> bool:
        return data[:2] == b"\xff\x0a" or data[:12] == b"\0\0\0\x0cJXL \r\n\x87\n"

    def size(self, data: bytes) -> tuple[int, int] | None:
        found = jxl.header(data)
        return (found.width, found.height) if found else None

    def open(self, data: bytes) -> Image.Image:
        found = jxl.header(data)
        if found and found.animated:
            return Image.fromarray(jxl.first_frame(data, found))
        from pillow_jxl import JpegXLImagePlugin

        JpegXLImagePlugin.DECODE_THREADS = 0  # the pool has a worker a core
        image: ImageFile.ImageFile = JpegXLImagePlugin.JXLImageFile(io.BytesIO(data))
        return image

    def orientation(self, image: Image.Image) -> int:
        return 1


class Jpeg2000(PillowFormat):
    """JPEG 2000, reduced in the wavelet domain: by one level where that serves, by more with pixels to spare."""

    name = "jp2"
    extensions = (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jpm")
    file_class = "PIL.Jpeg2KImagePlugin:Jpeg2KImageFile"

    def matches(self, data: ByteRange, name: str) -> bool:
        return data[:4] == b"\xff\x4f\xff\x51" or data[:12] == b"\0\0\0\x0cjP  \r\n\x87\n"

    def reduce(self, image: Image.Image, size: tuple[int, int]) -> str:
        levels, most = 0, _wavelet_levels(image)
        while levels < most and all(
            side >> levels + 1 >= needed * (_WAVELET_MARGIN if levels else 1)
            for side, needed in zip(image.size, size, strict=True)
        ):
            levels += 1
        if not levels:
            return "full"
        image.reduce = levels  # type: ignore[assignment, method-assign]
        return f"dwt 1/{1 << levels}"


class Psd(PillowFormat):
    """Photoshop documents: the composite that Photoshop saves beside the layers."""

    name = "psd"
    extensions = (".psd",)
    file_class = "PIL.PsdImagePlugin:PsdImageFile"

    def matches(self, data: ByteRange, name: str) -> bool:
        return data[:6] == b"8BPS\0\x01"


class Gif(PillowFormat):
    name = "gif"
    extensions = (".gif",)
    file_class = "PIL.GifImagePlugin:GifImageFile"

    def matches(self, data: ByteRange, name: str) -> bool:
        return data[:6] in (b"GIF87a", b"GIF89a")


class Bmp(PillowFormat):
    name = "bmp"
    extensions = (".bmp", ".dib")
    file_class = "PIL.BmpImagePlugin:BmpImageFile"

    def matches(self, data: ByteRange, name: str) -> bool:
        # Two letters are little; the two reserved fields that follow the size are zero in every real file.
        return data[:2] == b"BM" and data[6:10] == b"\0\0\0\0"


def _brands(data: ByteRange, brands: tuple[bytes, ...]) -> bool:
    """Whether the file type box names one of `brands` as its major or a compatible one."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4], "big"), 256)
    named = [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]
    return any(brand in brands for brand in named)


def _wavelet_levels(image: Image.Image) -> int:
    """Decomposition levels, from the coding style default marker (ISO/IEC 15444-1, A.6.1); 0 where not found."""
    source = getattr(image, "fp", None)
    if source is None:
        return 0
    place = source.tell()
    source.seek(0)
    head = source.read(64 * 1024)
    source.seek(place)
    marker = head.find(b"\xff\x52\x00")
    return min(head[marker + 9], 5) if 0 <= marker < len(head) - 9 else 0


PILLOW_FORMATS: tuple[type[PillowFormat], ...] = (
    Jpeg, Png, WebP, Tiff, Heic, Avif, JpegXl, Jpeg2000, Psd, Gif, Bmp,
)  # fmt: skip
