"""One account of a photo out of everything that speaks of it.

Precedence, field by field (Metadata Working Group guidelines 2.0, chapters 2 and 5, with sidecars added):

- Camera facts (make, model, lens, exposure, orientation, size): EXIF, the file's own header, XMP, sidecar. The
  camera wrote them into the file; XMP repeats them, often rounded (a 3.99 mm lens becomes 4 mm).
- Descriptive facts (title, description, artist, copyright, place names, rating): sidecar, embedded XMP, IPTC,
  EXIF. A sidecar is where a person's program writes when it must not touch the file, so it is the later word.
- Position and the moment of taking: sidecar, EXIF, embedded XMP, IPTC, header. A sidecar repeats what the file
  says unless a person corrected it, and cameras without GPS get their position there alone. Where the sidecar's
  moment equals the file's to the second, the file's fraction is kept, and an offset from whoever has one.
  A sidecar's `xmp:CreateDate` says when the picture was digitized or when the program met it, so that it never
  overrides the file's own `DateTimeOriginal`.
- Moment: taken, else digitized, else the file name, else last saved (which is an edit as often as the shot).
- Keywords: all sources together, in order, each once without regard to case. Named regions: those of the
  first source that has any (sidecar, embedded XMP).

Of several sidecars, the one with the photo's full name (`IMG_1.CR2.xmp`) comes before `IMG_1.xmp`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from imgd.domain import ByteRange
from imgd.metadata import dates, exif, iptc, xmp
from imgd.metadata.blocks import MAX_SIDECAR_BYTES, Blocks, ExifBlock, Part
from imgd.metadata.dates import Moment
from imgd.metadata.exif import Directories
from imgd.metadata.locate import locate
from imgd.metadata.record import Record, fill
from imgd.metadata.tiff import Directory, open_tiff

CAMERA_FIELDS = (
    "camera_make", "camera_model", "lens_make", "lens", "iso", "aperture", "shutter_s", "focal_mm", "focal_35mm",
    "flash", "exposure_bias_ev", "orientation", "software", "width", "height", "direction_deg",
)  # fmt: skip
DESCRIPTIVE_FIELDS = (
    "title", "description", "artist", "copyright", "rating", "city", "region", "country", "country_code",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """What one source says. `name`: `exif`, `header`, `xmp`, `iptc` or `sidecar:NAME`."""

    name: str
    record: Record

    @property
    def is_sidecar(self) -> bool:
        return self.name.startswith("sidecar:")


@dataclass(frozen=True, slots=True)
class PhotoMetadata:
    """`record`: the merged account, but for its moments: `taken` is the best of all that `sources` have.

    `provenance`: field -> name of the source it came from; `taken` may come from `filename`.
    `problems`: what was malformed, in plain words.
    """

    record: Record
    taken: Moment | None = None
    provenance: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()


def read_photo(data: ByteRange, file_name: str = "", sidecars: Sequence[tuple[str, bytes]] = ()) -> PhotoMetadata:
    """What the photo file `data` and its sidecars, (name, bytes) each, say. Never raises on bad bytes."""
    blocks = locate(data)
    sources = embedded_sources(blocks)
    ordered = sorted(sidecars, key=lambda sidecar: not sidecar[0].lower().startswith(file_name.lower() + "."))
    for name, content in ordered:
        problems: list[str] = []
        if len(content) > MAX_SIDECAR_BYTES:
            blocks.note(
                f"{name}: {len(content) // 1024} KiB are more than the {MAX_SIDECAR_BYTES // 1024} KiB read"
            )
            continue
        sources.append(Source(f"sidecar:{name}", xmp.read(content, problems)))
        for problem in problems:
            blocks.note(f"{name}: {problem}")
    return merge(sources, file_name, blocks)


def embedded_sources(blocks: Blocks) -> list[Source]:
    """The sources inside the file itself, most of them none or one."""
    packets = [xmp.read(packet, blocks.problems) for packet in blocks.xmp[:4]]
    datasets = [iptc.read(block, blocks.problems) for block in blocks.iptc[:4]]
    return [
        Source("exif", _joined(_exif_records(blocks))),
        Source("header", _joined([*blocks.records, Record(width=blocks.width, height=blocks.height)])),
        Source("xmp", _joined(packets)),
        Source("iptc", _joined(datasets)),
    ]


def merge(sources: Sequence[Source], file_name: str, blocks: Blocks) -> PhotoMetadata:
    """One account by the precedence that this module's docstring gives."""
    sidecars = [source for source in sources if source.is_sidecar]
    embedded = {source.name: source for source in sources if not source.is_sidecar}
    exif_, header, xmp_, iptc_ = (embedded[name] for name in ("exif", "header", "xmp", "iptc"))
    chosen: dict[str, Any] = {}
    provenance: dict[str, str] = {}

    def choose(names: Iterable[str], order: Sequence[Source]) -> None:
        for name in names:
            for source in order:
                value = getattr(source.record, name)
                if value is not None and value != ():
                    chosen[name], provenance[name] = value, source.name
                    break

    choose(CAMERA_FIELDS, [exif_, header, xmp_, *sidecars])
    choose(("width", "height"), [header, exif_, xmp_, *sidecars])
    choose(DESCRIPTIVE_FIELDS, [*sidecars, xmp_, iptc_, exif_, header])
    choose(("position",), [*sidecars, exif_, xmp_])
    choose(("regions",), [*sidecars, xmp_])
    choose(("gps_utc",), [exif_])
    everyone = [*sidecars, xmp_, iptc_, exif_]
    chosen["keywords"] = _distinct(word for source in everyone for word in source.record.keywords)
    chosen["hierarchies"] = tuple(dict.fromkeys(path for source in everyone for path in source.record.hierarchies))
    taken = _taken(sidecars, [exif_, xmp_, iptc_, header], file_name, provenance)
    return PhotoMetadata(Record(**chosen), taken, provenance, tuple(blocks.problems), tuple(sources))


def _taken(
    sidecars: Sequence[Source], embedded: Sequence[Source], file_name: str, provenance: dict[str, str]
) -> Moment | None:
    candidates = [(source.name, source.record.original) for source in (*sidecars, *embedded)]
    candidates += [(source.name, source.record.digitized) for source in (*embedded, *sidecars)]
    candidates += [("filename", dates.from_file_name(file_name))]
    candidates += [(source.name, source.record.modified) for source in (*embedded, *sidecars)]
    known = [(name, moment) for name, moment in candidates if moment is not None]
    if not known:
        return None
    name, taken = known[0]
    if taken.offset_s is not None:
        provenance["taken_offset_s"] = name
    for other_name, other in known[1:]:  # the same second told more precisely, or with its zone
        if other.second != taken.second:
            continue
        if taken.local.endswith(".000") and not other.local.endswith(".000"):
            name, taken = other_name, Moment(other.local, taken.offset_s)
        if taken.offset_s is None and other.offset_s is not None:
            taken = Moment(taken.local, other.offset_s)
            provenance["taken_offset_s"] = other_name
    provenance["taken"] = name
    utc = next((source.record.gps_utc for source in embedded if source.record.gps_utc), None)
    if taken.offset_s is None and (offset_s := dates.offset_from_gps(taken.local, utc)) is not None:
        taken = Moment(taken.local, offset_s)
        provenance["taken_offset_s"] = "exif"
    return taken


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    kept: dict[str, str] = {}
    for word in words:
        kept.setdefault(word.casefold(), word)
    return tuple(kept.values())


def _joined(records: Sequence[Record]) -> Record:
    return reduce(fill, records) if records else Record()


def _exif_records(blocks: Blocks) -> list[Record]:
    """A Record of each EXIF structure; the parts that a CR3 keeps apart make one together."""
    whole = [block for block in blocks.exif if block.part is Part.IMAGE]
    if len(whole) == len(blocks.exif):
        return [exif.read(block.data, block.start, block.end, blocks.problems) for block in whole[:4]]
    parts: dict[Part, Directory] = {}
    for block in blocks.exif[:8]:
        if directory := _first_directory(block, blocks):
            parts.setdefault(block.part, directory)
    directories = Directories(
        parts.get(Part.IMAGE), parts.get(Part.CAMERA), parts.get(Part.GPS), parts.get(Part.CANON)
    )
    return [exif.read_directories(directories)]


def _first_directory(block: ExifBlock, blocks: Blocks) -> Directory | None:
    tiff = open_tiff(block.data, block.start, block.end, blocks.problems)
    return tiff.first_directory() if tiff else None
