"""Photos for tests: generated ones, each unlike any other, and those that scikit-image ships."""

from __future__ import annotations

import importlib.util
import shutil
import struct
from pathlib import Path

import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401 - teaches Pillow to write JPEG XL
from PIL import Image

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
"""Real photos that are not part of the project; tests that want them skip where they are not."""

_XMP = """<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'>
<dc:subject><rdf:Bag><rdf:li>{keyword}</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""


def make_photo(
    path: Path,
    seed: int,
    *,
    size: tuple[int, int] = (160, 120),
    camera: str = "",
    keyword: str = "",
    taken: str = "",
) -> Path:
    """Write an image whose pixels depend on `seed`; the format is that of the file name.

    `taken` is as EXIF has it.
    """
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    image = coarse.resize(size, Image.Resampling.BICUBIC)
    options: dict[str, object] = {}
    exif = Image.Exif()
    if camera:
        exif[0x010F], exif[0x0110] = camera.partition(" ")[0], camera
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    if camera or taken:
        options["exif"] = exif.tobytes()
    if keyword:
        options["xmp"] = _XMP.format(keyword=keyword).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".psd":
        path.write_bytes(_psd(image))
        return path
    if path.suffix == ".heic":
        pillow_heif.register_heif_opener()
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def _psd(image: Image.Image) -> bytes:
    """A Photoshop document with nothing but its merged picture, uncompressed; Pillow writes none."""
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, image.height, image.width, 8, 3)
    return header + bytes(12) + bytes(2) + b"".join(band.tobytes() for band in image.split())


def make_sidecar(path: Path, keyword: str) -> Path:
    path.write_text(_XMP.format(keyword=keyword))
    return path


def copy_shipped(name: str, folder: Path) -> Path:
    """Copy one of the photos inside scikit-image's wheel."""
    found = importlib.util.find_spec("skimage")
    assert found is not None
    assert found.origin is not None
    return Path(shutil.copy2(Path(found.origin).parent / "data" / name, folder / name))
