"""The keys of the query language: what stands before the colon, what may stand behind it, what it means."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from imgd.facts import find_member, is_family


class Kind(enum.StrEnum):
    """What the value of a key is."""

    NUMBER = "number"
    """With comparisons, ranges and the key's unit."""
    DATE = "date"
    CHOICE = "choice"
    """One of the values that imgd names."""
    NAME = "name"
    """One of the values that the library has, whole or by its words; a star behind it stands for the rest."""
    WORDS = "words"
    """Words of one field of the text index."""
    PATH = "path"
    POSITION = "position"
    PHOTO = "photo"


@dataclass(frozen=True, slots=True)
class Key:
    """A key: `name` and `aliases` as they are typed, an `example`, and what it says in one sentence (`help`).

    `unit`: what a number is measured in, "" where it has none. `values`: what a choice may be, with its meaning.
    """

    name: str
    kind: Kind
    example: str
    help: str
    aliases: tuple[str, ...] = ()
    unit: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


FORMATS = ("avif", "bmp", "gif", "heic", "jp2", "jpeg", "jxl", "png", "psd", "raw", "tiff", "webp")
"""The formats of imgd's own decoders; plugins bring others."""
FORMAT_ALIASES: Mapping[str, str] = {"jpg": "jpeg", "tif": "tiff", "heif": "heic", "jpeg2000": "jp2"}

SHAPES = {
    "portrait": "higher than wide",
    "landscape": "wider than high",
    "square": "as wide as high",
}

HAS = {
    "altitude": "the metadata have an altitude",
    "camera": "the metadata name the camera",
    "caption": "there is a caption or title",
    "date": "it is known when the photo was taken",
    "face": "an analyzer or a program marked a face",
    "gps": "the metadata have a position",
    "lens": "the metadata name the lens",
    "person": "somebody in the photo has a name",
    "place": "the city, region or country is known",
    "preview": "imgd keeps a preview",
    "rating": "it has one star or more",
    "sidecar": "a sidecar lies beside the file",
    "tag": "it has a tag",
    "text": "an analyzer read text in the picture",
}

IS = {
    "blurry": "hardly any sharp detail",
    "bright": "much lighter than usual",
    "damaged": "the file is incomplete or broken, and what could be decoded serves",
    "dark": "much darker than usual",
    "failed": "an analyzer failed with it",
    "geotagged": "the same as `has:gps`",
    "landscape": "wider than high",
    "monochrome": "grey, or of one faint tint",
    "portrait": "higher than wide",
    "raw": "a RAW file",
    "rejected": "rated -1, as programs mark what is to be thrown away",
    "sharp": "clearly sharp detail",
    "square": "as wide as high",
    "unanalyzed": "an analyzer has not seen it yet",
}

KEYS: Mapping[str, Key] = {
    each.name: each
    for each in (
        Key("camera", Kind.NAME, "camera:sony", "Words of the camera's make or model."),
        Key("lens", Kind.NAME, "lens:50mm", "Words of the lens."),
        Key("place", Kind.NAME, "place:lisbon", "Words of the city, region or country, or a country's code."),
        Key("near", Kind.POSITION, "near:38.7,-9.1,20km", "Taken so near to a position.", unit="km, m, mi"),
        Key("person", Kind.NAME, 'person:"Anna K"', "A person's whole name, or words of it.", ("people", "who")),
        Key(
            "tag", Kind.NAME, "tag:dog", "A whole tag, or a part of a tag like `Animals|Dog`.", ("tags", "keyword")
        ),
        Key("text", Kind.WORDS, "text:invoice", "A word or phrase of the text in the picture.", ("ocr",)),
        Key("caption", Kind.WORDS, "caption:sunset", "A word or phrase of the caption or title."),
        Key("path", Kind.PATH, "path:2019/", "In such a folder, or with such a file name.", ("folder",)),
        Key("root", Kind.NAME, "root:pictures", "Below such a root, by its path or the last part of it."),
        Key("type", Kind.CHOICE, "type:raw", "The file's format.", ("format",), values=dict.fromkeys(FORMATS, "")),
        Key("rating", Kind.NUMBER, "rating:>=3", "Stars, from 1 to 5; -1 is rejected.", ("stars",)),
        Key("orientation", Kind.CHOICE, "orientation:portrait", "The upright photo's shape.", values=SHAPES),
        Key("analyzer", Kind.NAME, "analyzer:technical", "Has a finding of that analyzer."),
        Key("iso", Kind.NUMBER, "iso:>=1600", "Sensitivity."),
        Key("aperture", Kind.NUMBER, "aperture:f/2.8", "The f-number.", ("fnumber",), unit="f/"),
        Key("shutter", Kind.NUMBER, "shutter:<1/500", "Exposure time.", ("exposure",), unit="s, ms"),
        Key("focal", Kind.NUMBER, "focal:24..70mm", "Focal length.", unit="mm"),
        Key("altitude", Kind.NUMBER, "altitude:>1000m", "Height above the sea.", unit="m, km, ft"),
        Key(
            "date", Kind.DATE, "date:2023-06..2023-08", "When it was taken, by the clock of the place.", ("taken",)
        ),
        Key("size", Kind.NUMBER, "size:>20MB", "Size of the file.", unit="B, kB, MB, GB, KiB, MiB, GiB"),
        Key("width", Kind.NUMBER, "width:>=4000", "Width of the upright photo.", unit="px"),
        Key("height", Kind.NUMBER, "height:<1000px", "Height of the upright photo.", unit="px"),
        Key("has", Kind.CHOICE, "has:gps", "Has something.", values=HAS),
        Key("is", Kind.CHOICE, "is:blurry", "Is something.", values=IS),
        Key("like", Kind.PHOTO, "like:IMG_1234.jpg", "Looks like that photo."),
    )
}
"""Every key that imgd itself understands, by its name."""

_NAMES = {name: key.name for key in KEYS.values() for name in (key.name, *key.aliases)}
_LEAST_TYPED, _LONG = 3, 7


def find_key(typed: str, facts: Collection[str] = ()) -> str | None:
    """The key that is meant by `typed`: the name of one of `KEYS`, else that of a fact; None where it is neither.

    Neither upper nor lower case matters, and members of a family are found in any spelling:
    `objects."Dining table"` is `objects.dining_table`.
    """
    lowered = typed.lower()
    if lowered in _NAMES:
        return _NAMES[lowered]
    if typed in facts:
        return typed
    same = next((each for each in facts if each.lower() == lowered), None)
    member = find_member(typed, facts) if same is None else None
    return member if member in facts else same


def nearest_key(typed: str, facts: Collection[str] = ()) -> str | None:
    """The key that somebody who typed `typed` may have meant: one letter away (two for long keys), or begun so.

    Of keys that begin alike up to a dot, such as members of a family, only what stands behind it is compared. Of
    several at the same distance it is one of imgd's own, or the plainest.
    """
    lowered = typed.lower()
    if len(lowered) < _LEAST_TYPED:
        return None
    near = [
        (distance, known not in _NAMES, known.count("."), len(known), known)
        for known in (*_NAMES, *facts)
        if not is_family(known) and (distance := _distance(lowered, known.lower())) is not None
    ]
    return min(near)[-1] if near else None


def key_within(typed: str, facts: Collection[str] = ()) -> str | None:
    """The key before the first dot of `typed`, as `faces` of `faces.count`, or behind it; None for neither."""
    start, _, rest = typed.lower().partition(".")
    return next((each for each in (start, rest) if rest and (each in _NAMES or each in facts)), None)


def _distance(asked: str, known: str) -> int | None:
    """How far the typed `asked` is from the key `known`; None where that cannot be meant."""
    if known.startswith(asked):
        return 1
    start = known.rfind(".") + 1
    start = start if asked.startswith(known[:start]) else 0
    asked, known = asked[start:], known[start:]
    allowed = 0 if len(known) <= _LEAST_TYPED else 1 if len(known) < _LONG else 2
    if not asked or abs(len(known) - len(asked)) > allowed:
        return None
    distance = edit_distance(asked, known)
    return distance if distance <= allowed else None


def edit_distance(left: Sequence[str], right: Sequence[str]) -> int:
    """Letters to insert, remove, replace or swap with their neighbour (Damerau's distance, optimal alignment)."""
    before: list[int] = []
    last = list(range(len(right) + 1))
    for row, letter in enumerate(left, start=1):
        now = [row]
        for column, other in enumerate(right, start=1):
            cost = min(last[column] + 1, now[-1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            now.append(cost)
        before, last = last, now
    return last[-1]
