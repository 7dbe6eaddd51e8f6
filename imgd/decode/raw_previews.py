"""The previews inside a RAW file that is a TIFF, and the photo's size, from its directories alone: what lets a
preview stand in for the photo without the rest of the file being read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imgd.decode import tiff
from imgd.decode.raw_marks import SENSOR_PHOTOMETRICS
from imgd.decode.tiff import Directory
from imgd.domain import ByteRange

_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _EXIF = 256, 257, 259, 262, 274, 34665
_SUBFILE_TYPE, _DEFAULT_SCALE, _DEFAULT_CROP, _DNG_VERSION = 254, 50718, 50720, 50706
_EXIF_WIDTH, _EXIF_HEIGHT = 40962, 40963
_PHOTO_PHOTOMETRICS = (None, 1, 2, 6)
"""Not said, grey, RGB, YCbCr. Masks (4, 52527), depth maps (51177) and linear sensor data can be JPEGs of the
photo's own proportions, too (DNG specification 1.7, chapter 4)."""
_JPEG_COMPRESSIONS = (6, 7, 99)  # old and new style JPEG; 99 is what some Pentax bodies write
_RW2_JPEG = 0x2E
_RW2_BORDERS = (4, 5, 6, 7)  # top, left, bottom, right of the picture on the sensor
_CLOSE = 0.03
"""A sensor is up to so much larger than the picture that the camera makes of it."""
_MAX_PREVIEWS = 8
_MAX_PREVIEW_BYTES = 64 << 20


def declared_size(data: ByteRange, found: Sequence[Directory]) -> tuple[int, int] | None:
    """The photo's (width, height) before it is turned upright, as the camera means it; None where none is said.

    A Panasonic says it by the borders of the picture on the sensor, a DNG in its main directory (DefaultCropSize,
    else the size of the sensor's image), others in their EXIF, which counts unless it is of another picture.
    """
    if not found:
        return None
    if data[:4] == b"IIU\0":
        return _between_borders(found[0])
    sensor = next((each for each in found if _is_sensor(each)), None)
    if sensor is not None and sensor.tags.get(_DEFAULT_SCALE, (1, 1)) != (1, 1):
        return None
    size = _size(sensor) if sensor else None
    if sensor is not None and _DNG_VERSION in found[0].tags:
        return sensor.pair(_DEFAULT_CROP) or size
    camera = tiff.directory_at(data, found[0].number(_EXIF) or 0)
    meant = _pair(camera, _EXIF_WIDTH, _EXIF_HEIGHT) if camera else None
    if meant is None or size is None:
        return meant or size
    near = all(one <= other <= one * (1 + _CLOSE) for one, other in zip(meant, size, strict=True))
    return meant if near else size


def orientation(found: Sequence[Directory]) -> int:
    """The EXIF orientation of the photo, 1..8."""
    value = found[0].number(_ORIENTATION) if found else None
    return value if value is not None and 1 <= value <= 8 else 1


def previews(data: ByteRange, found: Sequence[Directory]) -> list[tuple[int, int]]:
    """(offset, size) of every JPEG that the directories name and that begins as one, the smallest first."""
    spans = {span for each in found for span in _jpegs(each) if span[1] <= _MAX_PREVIEW_BYTES}
    whole = [(offset, size) for offset, size in spans if offset >= 8 and offset + size <= len(data)]
    ordered = sorted(whole, key=lambda span: span[1])[:_MAX_PREVIEWS]
    return [(offset, size) for offset, size in ordered if data[offset : offset + 3] == b"\xff\xd8\xff"]


def _jpegs(directory: Directory) -> Iterator[tuple[int, int]]:
    offset, size = directory.number(tiff.PREVIEW_OFFSET), directory.number(tiff.PREVIEW_BYTE_COUNT)
    if offset and size:
        yield offset, size
    if _RW2_JPEG in directory.blobs:
        yield directory.blobs[_RW2_JPEG]
    if directory.number(_PHOTOMETRIC) not in _PHOTO_PHOTOMETRICS:
        return
    # Lossless sensor data begins as a JPEG too; it has no size in its directory, or a sensor's colours.
    if directory.number(_COMPRESSION) in _JPEG_COMPRESSIONS and _size(directory) is not None:
        offsets, sizes = directory.tags.get(tiff.STRIP_OFFSETS, ()), directory.tags.get(tiff.STRIP_BYTE_COUNTS, ())
        if len(offsets) == len(sizes) == 1:
            yield offsets[0], sizes[0]


def _size(directory: Directory) -> tuple[int, int] | None:
    return _pair(directory, _WIDTH, _HEIGHT)


def _pair(directory: Directory, first: int, second: int) -> tuple[int, int] | None:
    one, other = directory.number(first), directory.number(second)
    return (one, other) if one and other and min(one, other) > 0 else None


def _between_borders(directory: Directory) -> tuple[int, int] | None:
    top, left, bottom, right = (directory.number(tag) or 0 for tag in _RW2_BORDERS)
    return (right - left, bottom - top) if right > left and bottom > top else None


def _is_sensor(directory: Directory) -> bool:
    """Whether it describes the main image, as the sensor gave it."""
    return not directory.number(_SUBFILE_TYPE) and directory.number(_PHOTOMETRIC) in SENSOR_PHOTOMETRICS
