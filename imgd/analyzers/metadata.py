"""The `metadata` analyzer: what camera, programs and people wrote about a photo, and the place it was taken at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from imgd.analyzer import Analyzer
from imgd.domain import FactValue, Failure, Finding, Needs, PhotoInput, Region, Tag, Text
from imgd.metadata.gazetteer import Place
from imgd.metadata.merge import PhotoMetadata, read_photo
from imgd.metadata.places import MAX_DISTANCE_KM, PlaceFinder
from imgd.metadata.record import NamedRegion, Record

_RECORD_FACTS = (
    "camera_make", "camera_model", "lens", "iso", "aperture", "shutter_s", "focal_mm", "focal_35mm", "flash",
    "orientation", "rating", "title", "description", "artist", "copyright", "software",
    "city", "region", "country", "country_code",
)  # fmt: skip
_FLOATS = frozenset({"iso", "aperture", "shutter_s", "focal_mm", "focal_35mm"})


@dataclass(frozen=True, slots=True)
class MetadataSettings:
    """`places`: whether coordinates get a place name. `place_distance_km`: how far off the named place may be."""

    places: bool = True
    place_distance_km: float = MAX_DISTANCE_KM

    def __post_init__(self) -> None:
        if not 0 < self.place_distance_km <= 1000:
            raise ValueError("`place_distance_km` must be over 0 and at most 1000")


class Metadata(Analyzer[MetadataSettings]):
    """EXIF, XMP, IPTC and sidecars merged; keywords as tags, named people as regions, an offline place name."""

    name = "metadata"
    version = "1"
    needs = Needs(edge=0)
    reads_sidecars = True
    wants_cache_dir = True
    settings_type = MetadataSettings
    facts: ClassVar[Mapping[str, type]] = {
        "taken_at": str, "taken_offset_s": int,
        "camera_make": str, "camera_model": str, "lens": str, "iso": float, "aperture": float, "shutter_s": float,
        "focal_mm": float, "focal_35mm": float, "flash": bool, "orientation": int,
        "lat": float, "lon": float, "altitude_m": float, "rating": int,
        "title": str, "artist": str, "copyright": str, "software": str, "width": int, "height": int,
        "city": str, "region": str, "country": str, "country_code": str,
    }  # fmt: skip

    def __init__(self, settings: MetadataSettings | None, model_dirs: Mapping[str, Path]) -> None:
        super().__init__(settings or MetadataSettings(), model_dirs)
        self.places = PlaceFinder(self.settings.place_distance_km)

    def load(self, device: str) -> None:  # noqa: ARG002
        self.places = PlaceFinder(self.settings.place_distance_km, self.cache_dir)

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        read = [self._read(photo) for photo in photos]
        located = [each.record.position for each in read if each is not None and self._lacks_place(each)]
        found = iter(self.places.find_all([(p.lat, p.lon) for p in located if p is not None]))
        findings: list[Finding | Failure] = []
        for photo, metadata in zip(photos, read, strict=True):
            if metadata is None:
                findings.append(Failure("the file is empty"))
            else:
                place = next(found) if self._lacks_place(metadata) else None
                findings.append(_finding(photo, metadata, place))
        return findings

    def _read(self, photo: PhotoInput) -> PhotoMetadata | None:
        if not photo.file and not photo.sidecars:
            return None
        sidecars = [(sidecar.name, sidecar.data) for sidecar in photo.sidecars]
        return read_photo(photo.file, os.path.basename(photo.path), sidecars)

    def _lacks_place(self, metadata: PhotoMetadata) -> bool:
        """Whether a place is to be looked up: there are coordinates, and nobody wrote the city down."""
        return self.settings.places and metadata.record.position is not None and metadata.record.city is None


def _finding(photo: PhotoInput, metadata: PhotoMetadata, place: Place | None) -> Finding:
    facts: dict[str, FactValue] = {}
    provenance = dict(metadata.provenance)
    _add_moment(facts, provenance, metadata)
    _add_record(facts, metadata.record)
    _add_position(facts, provenance, metadata.record)
    _add_place(facts, provenance, place)
    _add_size(facts, provenance, photo, metadata.record)
    facts["provenance"] = {key: provenance[key] for key in facts if key in provenance}
    if metadata.problems:
        facts["problems"] = list(metadata.problems)
    record = metadata.record
    return Finding(
        facts=facts,
        texts=tuple(_texts(facts)),
        tags=tuple(_tags(record)),
        regions=tuple(
            Region(each.kind, _upright(each, record.orientation or 1), each.label) for each in record.regions
        ),
    )


def _add_moment(facts: dict[str, FactValue], provenance: dict[str, str], metadata: PhotoMetadata) -> None:
    if metadata.taken is None:
        return
    facts["taken_at"] = metadata.taken.local
    provenance["taken_at"] = provenance["taken"]
    if metadata.taken.offset_s is not None:
        facts["taken_offset_s"] = metadata.taken.offset_s


def _add_record(facts: dict[str, FactValue], record: Record) -> None:
    for name in _RECORD_FACTS:
        value: Any = getattr(record, name)
        if value is not None:
            facts[name] = float(value) if name in _FLOATS else value


def _add_position(facts: dict[str, FactValue], provenance: dict[str, str], record: Record) -> None:
    if record.position is None:
        return
    facts["lat"], facts["lon"] = record.position.lat, record.position.lon
    provenance["lat"] = provenance["lon"] = provenance["position"]
    if record.position.altitude_m is not None:
        facts["altitude_m"] = record.position.altitude_m
        provenance["altitude_m"] = provenance["position"]


def _add_place(facts: dict[str, FactValue], provenance: dict[str, str], place: Place | None) -> None:
    """The found place; what a person wrote of it (a country alone, say) stays."""
    if place is None:
        return
    for key in ("city", "region", "country", "country_code"):
        if key not in facts and (value := getattr(place, key)):
            facts[key] = value
            provenance[key] = "geonames"


def _add_size(facts: dict[str, FactValue], provenance: dict[str, str], photo: PhotoInput, record: Record) -> None:
    """Of the upright photo: as the decoder saw it, else as the header and the orientation tell."""
    provenance.pop("width", None), provenance.pop("height", None)
    if photo.width and photo.height:
        facts["width"], facts["height"] = photo.width, photo.height
    elif record.width and record.height:
        turned = (record.orientation or 1) >= 5
        facts["width"], facts["height"] = (
            (record.height, record.width) if turned else (record.width, record.height)
        )


def _texts(facts: Mapping[str, FactValue]) -> Iterator[Text]:
    for key in ("title", "description"):
        if isinstance(text := facts.get(key), str) and not (key == "description" and text == facts.get("title")):
            yield Text("caption", text)
    if where := _distinct(facts.get(key) for key in ("city", "region", "country")):
        yield Text("place", ", ".join(where))
    if camera := _camera(facts):
        yield Text("camera", camera)


def _camera(facts: Mapping[str, FactValue]) -> str:
    """`Canon EOS 6D EF24-105mm f/4L`: the make is not said twice where the model begins with it."""
    make, model, lens = (str(facts.get(key) or "") for key in ("camera_make", "camera_model", "lens"))
    if make and model.casefold().startswith(make.casefold().split()[0]):
        make = ""
    return " ".join(part for part in (make, model, lens) if part)


def _distinct(values: Iterator[FactValue]) -> list[str]:
    return list(dict.fromkeys(value for value in values if isinstance(value, str) and value))


def _tags(record: Record) -> Iterator[Tag]:
    """Keywords as written, and hierarchical ones also by their last word; each label once."""
    seen: set[str] = set()
    for label in (*record.keywords, *(path[-1] for path in record.hierarchies)):
        if label.casefold() not in seen:
            seen.add(label.casefold())
            yield Tag(label)


def _upright(region: NamedRegion, orientation: int) -> tuple[float, float, float, float]:
    """The region's box in the upright photo (EXIF orientations: TIFF 6.0, tag 274)."""
    left, top, width, height = region.box
    if orientation in {2, 3}:
        left = 1 - left - width
    if orientation in {3, 4}:
        top = 1 - top - height
    if orientation in {5, 8}:
        left, top = top, left if orientation == 5 else 1 - left - width
    elif orientation in {6, 7}:
        left, top = 1 - top - height, left if orientation == 6 else 1 - left - width
    return (left, top, height, width) if orientation >= 5 else (left, top, width, height)
