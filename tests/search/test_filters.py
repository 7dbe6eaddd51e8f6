"""Filters find the photos they describe: by an index, in every combination, and with errors that say where."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shelf import BEACH, BROKEN, NEW, NIGHT, PHOTOS, SCAN, Shelf, Shown

from imgd.errors import QueryError, StoreError
from imgd.index.text import TextIndex
from imgd.index.words import Words
from imgd.search.filters import Filters
from imgd.search.grammar import parse
from imgd.search.keys import HAS, IS, KEYS
from imgd.search.query import And, Filter
from imgd.search.states import HAS_PARTS, IS_PARTS


def named(*photos: Shown) -> set[str]:
    return {photo.path.rsplit("/", 1)[-1] for photo in photos}


@pytest.mark.parametrize(
    ("query", "photos"),
    [
        # names, without regard to case and accents
        ("camera:sony", [BEACH]),
        ("camera:canon", [NIGHT]),
        ('camera:"EOS 6D"', [NIGHT]),
        ('camera:"sony ilce"', [BEACH]),
        ("camera:ilce*", [BEACH]),
        ("camera:s*", [BEACH]),
        ("lens:gm", [BEACH]),
        ("lens:fe", [BEACH]),
        ("place:lisboa", [BEACH, NIGHT]),
        ("place:SINTRA", [NIGHT]),
        ("place:portugal", [BEACH, NIGHT]),
        ("place:pt", [BEACH, NIGHT]),
        ("place:de", [SCAN]),
        ('place:"sintra portugal"', [NIGHT]),
        ('person:"Anna Kern"', [BEACH]),
        ("person:anna", [BEACH, NIGHT]),
        ("person:muller", [NIGHT]),
        ("person:mü*", [NIGHT]),
        ("tag:beach", [BEACH]),
        ("tag:dog", [BEACH, NIGHT]),
        ("tag:animals", [BEACH]),
        ("tag:animals/dog", [BEACH]),
        ("tag:Animals|Dog", [BEACH]),
        ("tag:do*", [BEACH, NIGHT, SCAN]),
        ("tag:cat", []),
        ("root:pictures", list(PHOTOS)),
        ("root:/home/me/Pictures/", list(PHOTOS)),
        ("root:pic*", list(PHOTOS)),
        ("analyzer:objects", [BEACH]),
        ("analyzer:TECHNICAL", [BEACH, NIGHT, SCAN]),
        ("type:jpg", [BEACH, BROKEN]),
        ("type:raw", [NIGHT]),
        ("orientation:portrait", [SCAN]),
        ("orientation:square", [BROKEN]),
        # words of one field
        ("text:invoice", [SCAN]),
        ("text:dog", []),
        ("caption:dog", [SCAN]),
        ("caption:even*", [BEACH]),
        ('caption:"at the shore"', [BEACH]),
        ('caption:"shore the at"', []),
        # paths
        ("path:2023/", [BEACH, NIGHT]),
        ("path:2023", [BEACH, NIGHT]),
        ("path:trip/", [NEW]),
        ('path:"trip to lisbon/"', [BEACH, NIGHT]),
        ("path:trip*/", [BEACH, NIGHT, NEW]),
        ("path:2022/trip/IMG_12*", [NEW]),
        ("path:IMG_12*", [BEACH, NIGHT, NEW]),
        ("path:img_12*", [BEACH, NIGHT, NEW]),
        ("path:IMG_1201", [BEACH]),
        ("path:IMG_1201.jpg", [BEACH]),
        ("path:2022/IMG_1203*", []),
        ("path:*.jpg", [BEACH, BROKEN]),
        ("path:2022/*.jpg", [BROKEN]),
        ("path:scans/größe_50%.png", [SCAN]),
        ("path:scans/Größe_5_*", []),
        ("path:/home/me/Pictures/scans/", [SCAN]),
        ("path:/home/me/Pictures/scans", [SCAN]),
        ("path:/scans/", []),
        ("path:home/", list(PHOTOS)),
        ("path:/", list(PHOTOS)),
        # numbers
        ("iso:100", [BEACH]),
        ("iso:>=100", [BEACH, NIGHT]),
        ("iso:>100", [NIGHT]),
        ("iso:..200", [BEACH]),
        ("iso:200..", [NIGHT]),
        ("aperture:f/2.8", [BEACH]),
        ("aperture:2.83", [BEACH]),
        ("aperture:2.5", []),
        ("aperture:<2", [NIGHT]),
        ("shutter:1/500", [BEACH]),
        ("shutter:2ms", [BEACH]),
        ("shutter:1/512", [BEACH]),
        ("shutter:1/640", []),
        ("shutter:<1/500", []),
        ("shutter:<=1/500", [BEACH]),
        ("shutter:1/250..2s", [NIGHT]),
        ("focal:35mm", [BEACH]),
        ("focal:24..70mm", [BEACH, NIGHT]),
        ("focal:24..40", [BEACH]),
        ("rating:>=3", [BEACH]),
        ("rating:0", [SCAN]),
        ("rating:-1", [NIGHT]),
        ("altitude:>100m", [NIGHT]),
        ("altitude:<0.1km", [BEACH]),
        ("size:>20MB", [NIGHT]),
        ("size:<1MiB", [SCAN, BROKEN]),
        ("size:1KiB", [BROKEN]),
        ("size:1..6MB", [BEACH, NEW]),
        ("width:>=4000", [BEACH, NIGHT]),
        ("height:1800px", [SCAN]),
        # dates; today is the 12th of July 2023
        ("date:2023", [BEACH, NIGHT]),
        ("date:2023-06", [BEACH]),
        ("date:2023-06..2023-08", [BEACH, NIGHT]),
        ("date:2023-06-24", [BEACH]),
        ("date:2023-06-24T10:30", [BEACH]),
        ("date:<2000", [SCAN]),
        ("date:<=1999-12-31", [SCAN]),
        ("date:>1999", [BEACH, NIGHT]),
        ("date:>=2023-07", [NIGHT]),
        ("date:last-month", [BEACH]),
        ("date:last-30-days", [BEACH]),
        ("date:this-year", [BEACH, NIGHT]),
        ("date:today", []),
        # positions
        ("near:38.7,-9.1,20km", [BEACH]),
        ("near:38.7,-9.1,30km", [BEACH, NIGHT]),
        ("near:38.7167,-9.1333,100m", [BEACH]),
        ("near:38.7,-9.1", [BEACH]),
        ("near:lisbon,5km", [BEACH]),
        ('near:"Lisbon, 50 km"', [BEACH, NIGHT]),
        ("near:-38.7,170.9,20100km", [BEACH, NIGHT]),
        # facts
        ("brightness:<0.2", [NIGHT]),
        ("brightness:0.5", [NIGHT]),
        ("brightness:0.6", [BEACH]),
        ("technical.brightness:0.5", []),
        ("objects.brightness:0.5", [NIGHT]),
        # counts
        ("objects.person:>=2", [BEACH]),
        ("objects.person:2", [BEACH]),
        ("objects.person:>2", []),
        ("objects.person:1", []),
        ("objects.person:yes", [BEACH]),
        ("objects.person:no", [NIGHT]),
        ("objects.person:0", [NIGHT]),
        ("objects.person:=0", [NIGHT]),
        ("objects.person:<2", [NIGHT]),
        ("objects.person:<=2", [BEACH, NIGHT]),
        ("objects.person:0..1", [NIGHT]),
        ("objects.person:0..2", [BEACH, NIGHT]),
        ("objects.person:..1", [NIGHT]),
        ("objects.person:>=0", [BEACH, NIGHT]),
        ("objects.person:>0", [BEACH]),
        ("objects.person:<0", []),
        ("objects.person:0.5", []),
        ("objects.person:-1", []),
        ("-objects.person:0", [BEACH, SCAN, BROKEN, NEW]),
        ("objects.person:0 type:raw", [NIGHT]),
        ("objects.person:0 OR objects.person:2", [BEACH, NIGHT]),
        ("Objects.Person:2", [BEACH]),
        ("objects.dining_table:1", [BEACH]),
        ("objects.dining-table:1", [BEACH]),
        ('objects."dining table":>=1', [BEACH]),
        ('objects."Dining Table":"1"', [BEACH]),
        ('-objects."dining table":yes -is:damaged has:tag', [NIGHT, SCAN]),
        ("objects.zebra:yes", []),
        ("objects.zebra:0", [BEACH, NIGHT]),
        ("objects:3", [BEACH]),
        ("objects:0", [NIGHT]),
        ("objects:no", [NIGHT]),
        ("objects:yes", [BEACH]),
        ("objects:<4", [BEACH, NIGHT]),
        ("concepts.objects.person:2", [BEACH]),
        ("concepts.objects.person:0", [NIGHT]),
        ("technical.objects.person:0", []),
        ('concepts.objects."dining table":1', [BEACH]),
        ("flash:yes", [NIGHT]),
        ("flash:no", [BEACH]),
        ("artist:zoe", [BEACH]),
        ('artist:"zoe nunez"', [BEACH]),
        ("artist:nu*", [BEACH]),
        ("artist:>=z", []),
        ("artist:>=Z", [BEACH]),
        ("artist:A..Y", []),
    ],
)
def test_a_filter_finds_its_photos(shelf: Shelf, query: str, photos: list[Shown]) -> None:
    assert shelf.find(query) == named(*photos)


@pytest.mark.parametrize(
    ("value", "photos"),
    [
        ("altitude", [BEACH, NIGHT]),
        ("camera", [BEACH, NIGHT]),
        ("caption", [BEACH, SCAN]),
        ("date", [BEACH, NIGHT, SCAN]),
        ("face", [BEACH, BROKEN]),
        ("gps", [BEACH, NIGHT]),
        ("lens", [BEACH, NIGHT]),
        ("person", [BEACH, NIGHT]),
        ("place", [BEACH, NIGHT, SCAN]),
        ("preview", [BEACH]),
        ("rating", [BEACH]),
        ("sidecar", [NIGHT]),
        ("tag", [BEACH, NIGHT, SCAN]),
        ("text", [BEACH, SCAN]),
    ],
)
def test_has_finds_what_there_is(shelf: Shelf, value: str, photos: list[Shown]) -> None:
    assert shelf.find(f"has:{value}") == named(*photos)
    assert shelf.find(f"-has:{value}") == named(*PHOTOS) - named(*photos)


@pytest.mark.parametrize(
    ("value", "photos"),
    [
        ("blurry", [NIGHT]),
        ("bright", [SCAN]),
        ("damaged", [BROKEN]),
        ("dark", [NIGHT]),
        ("failed", [BROKEN]),
        ("geotagged", [BEACH, NIGHT]),
        ("landscape", [BEACH, NIGHT]),
        ("monochrome", [SCAN]),
        ("portrait", [SCAN]),
        ("raw", [NIGHT]),
        ("rejected", [NIGHT]),
        ("sharp", [BEACH]),
        ("square", [BROKEN]),
        ("unanalyzed", [NEW]),
    ],
)
def test_is_finds_what_they_are(shelf: Shelf, value: str, photos: list[Shown]) -> None:
    assert shelf.find(f"is:{value}") == named(*photos)
    assert shelf.find(f"-is:{value}") == named(*PHOTOS) - named(*photos)


def test_every_state_that_is_named_is_understood() -> None:
    assert set(HAS_PARTS) == set(HAS)
    assert set(IS_PARTS) == set(IS)


@pytest.mark.parametrize(
    ("query", "column", "advice"),
    [
        ("iso:abc", 5, "iso:>=1600"),
        ("dog iso:>=abc", 11, "iso:>=1600"),
        ("iso:100px", 5, "without a unit"),
        ("size:>20parsec", 7, "MB"),
        ("focal:..", 7, "focal:24..70mm"),
        ("shutter:1/0", 9, "shutter:<1/500"),
        ("focal:1/2", 7, "focal:24..70mm"),
        ("date:2023-13", 6, "date:2023-06..2023-08"),
        ("date:2023-02-30", 6, "date:yesterday"),
        ("date:2023-06..soon", 6, "date:2023-06..2023-08"),
        ("date:..", 6, "date:2023-06..2023-08"),
        ("near:95,0", 6, "-90 to 90"),
        ("near:38.7", 6, "near:38.7,-9.1,20km"),
        ("near:lisbon,20parsec", 6, "near:38.7,-9.1,20km"),
        ("near:38.7,-9.1,20parsec", 6, "near:38.7,-9.1,20km"),
        ("type:foo", 6, "jpeg"),
        ("type:jpegg", 6, "Did you mean `type:jpeg`?"),
        ("orientation:upright", 13, "portrait"),
        ("has:gsp", 5, "Did you mean `has:gps`?"),
        ("is:blury", 4, "Did you mean `is:blurry`?"),
        ("is:>blurry", 5, "blurry"),
        ("brightness:dark", 12, "brightness:>0.5"),
        ("objects.person:many", 16, "objects.person:>=2"),
        ("camera:***", 8, "camera:sony"),
        ('text:"..."', 6, "text:invoice"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_its_column_and_an_example(
    shelf: Shelf, query: str, column: int, advice: str
) -> None:
    tree = parse(query, shelf.vocabulary.facts())
    with pytest.raises(QueryError, match=f"column {column}") as refused:
        shelf.filters.compile(And(tuple(term for term in tree.terms if isinstance(term, Filter))))
    assert refused.value.column == column
    assert advice in refused.value.advice
    asks_for_more = query in ("brightness:dark", "objects.person:many")
    assert ("nor `yes` or `no`" in refused.value.detail) == asks_for_more


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ("camera:sonny", "no camera is called `sonny`; there is `SONY`"),
        ("tag:beech", "no tag is called `beech`; there is `beach`"),
        ("place:lisbao", "no place is called `lisbao`; there is `Lisboa`"),
        ("person:ana", "no person is called `ana`; there is `Anna Kern`"),
        ("near:nowhereville,5km", "no place is called `nowhereville`"),
        ("lens:zzz", "no lens is called `zzz`"),
        ("root:picture", "no root is called `picture`; there is `Pictures`"),
        ("analyzer:object", "no analyzer is called `object`; there is `objects`"),
        ("objects.unicorn:0", "no photo has `objects.unicorn`"),
        ("objects.dinning:yes", "no photo has `objects.dinning`; there is `objects.dining_table`"),
        ('objects."magic carpet":>=1', "no photo has `objects.magic_carpet`"),
    ],
)
def test_a_name_that_the_library_does_not_have_finds_nothing_and_says_so(
    shelf: Shelf, query: str, note: str
) -> None:
    condition = shelf.compile(query)
    assert not len(condition.all_ids())
    assert len(condition.notes) == 1
    assert condition.notes[0].startswith(note)


def test_words_of_a_field_need_the_text_index(shelf: Shelf, tmp_path) -> None:
    filters = Filters(shelf.database, Words(TextIndex(tmp_path / "none.db")), shelf.vocabulary)
    with pytest.raises(StoreError, match="text index"):
        filters.compile(parse("caption:dog"))
    assert len(filters.compile(parse("tag:dog")).all_ids())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(
        [
            *(key for key in KEYS if key != "like"),
            "brightness",
            "artist",
            "technical.brightness",
            "objects",
            "objects.person",
            "concepts.objects.person",
            "objects.unicorn",
        ]
    ),
    value=st.one_of(st.text(min_size=1, max_size=20), st.from_regex(r"[-<>=.,:/*0-9a-z ]{1,12}", fullmatch=True)),
    comparison=st.sampled_from(("", "<", "<=", ">", ">=")),
    quoted=st.booleans(),
)
def test_whatever_a_value_is_it_is_understood_or_refused(
    shelf: Shelf, key: str, value: str, comparison: str, quoted: bool
) -> None:
    value = value.encode("utf-8", "replace").decode().replace("\0", " ")
    node = Filter(key, value, 1, comparison, quoted, len(key) + 2)
    try:
        found = shelf.filters.compile(node)
    except QueryError as error:
        refused = error
    else:
        assert len(found.all_ids()) == sum(found.keep(np.array(list(shelf.ids.values()))))
        return
    assert refused.column == len(key) + 2
    assert refused.advice
