"""The names that a library has: read by index, found in any spelling, new ones at once; and half-typed queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from shelf import PHOTOS, Shelf, Shown

from imgd.decode.registry import BUILT_IN
from imgd.errors import QueryError
from imgd.search.grammar import parse
from imgd.search.keys import FORMATS, KEYS, Kind
from imgd.search.names import Names, whole_and_parts
from imgd.search.vocabulary import Vocabulary


@pytest.fixture
def shelf(tmp_path) -> Iterator[Shelf]:
    made = Shelf(tmp_path, PHOTOS)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("camera", {"SONY", "Canon", "ILCE-7M3", "Canon EOS 6D"}),
        ("lens", {"FE 24-70mm F2.8 GM", "EF50mm f/1.8 STM"}),
        ("place", {"Lisboa", "Sintra", "Portugal", "PT", "DE"}),
        ("person", {"Anna Kern", "Anna Müller"}),
        ("tag", {"beach", "Animals|Dog", "cat", "Dog", "night", "document"}),
        ("analyzer", {"metadata", "technical", "objects", "preview", "concepts"}),
        ("root", {"/home/me/Pictures"}),
        ("artist", {"Zoë Núñez"}),
        ("orientation", {"portrait", "landscape", "square"}),
        ("iso", set()),
        ("brightness", set()),
    ],
)
def test_the_values_of_a_key_are_those_of_the_library(shelf, key, values):
    assert set(shelf.vocabulary.values(key)) == values


def test_every_key_that_is_a_name_or_choice_has_values(shelf):
    for key in KEYS.values():
        assert bool(shelf.vocabulary.values(key.name)) == (key.kind in (Kind.NAME, Kind.CHOICE, Kind.DATE)), (
            key.name
        )


def test_the_formats_are_those_of_the_decoders_and_those_of_the_library(shelf):
    assert set(FORMATS) == {each.name for each in BUILT_IN}
    shelf.add([Shown("odd.fits", photo={"format": "fits"})])
    assert "fits" in shelf.vocabulary.values("type")
    assert shelf.find("type:fits") == {"odd.fits"}


def test_what_is_new_in_the_library_is_known_at_once(shelf):
    assert shelf.find("camera:leica") == set()
    assert shelf.find("tag:zebra") == set()
    metadata = {"camera_make": "LEICA", "camera_model": "Q2", "city": "Wetzlar"}
    shelf.add([Shown("leica.jpg", metadata=metadata, tags={"zebra": 0.9}, facts={"metadata/mood": "calm"})])
    assert shelf.find("camera:leica") == {"leica.jpg"}
    assert shelf.find("tag:zebra") == {"leica.jpg"}
    assert shelf.find("place:wetzlar") == {"leica.jpg"}
    assert shelf.find("mood:calm") == {"leica.jpg"}


def test_facts_are_known_by_their_key_and_by_their_analyzer(shelf):
    facts = shelf.vocabulary.facts()
    assert {"brightness", "technical.brightness", "objects.person", "objects.objects.person"} <= facts
    assert shelf.vocabulary.fact("objects.person") == (None, "objects.person")
    assert shelf.vocabulary.fact("objects.objects.person") == ("objects", "objects.person")
    assert shelf.vocabulary.fact("technical.brightness") == ("technical", "brightness")


def test_a_declared_fact_is_known_before_any_photo_has_it(shelf):
    declared = Vocabulary(shelf.database, {"aesthetics": {"beauty": float, "style": str}})
    assert {"beauty", "aesthetics.beauty", "style"} <= declared.facts()
    assert declared.has_texts("style")
    assert not declared.has_texts("beauty")
    assert declared.fact("aesthetics.beauty") == ("aesthetics", "beauty")


def test_a_family_of_counts_is_known_by_its_sum_its_members_and_those_that_are_declared(shelf):
    vocabulary = shelf.vocabulary
    assert {"objects", "objects.person", "objects.zebra", "concepts.objects.zebra"} <= vocabulary.facts()
    assert vocabulary.counted_in("objects.person") == ("objects", ("concepts",))
    assert vocabulary.counted_in("objects") == ("objects", ("concepts",))
    assert vocabulary.counted_in("brightness") is None
    assert vocabulary.fact("objects.unicorn") == (None, "objects.unicorn")
    assert vocabulary.fact("concepts.objects.unicorn") == ("concepts", "objects.unicorn")
    assert vocabulary.members("objects") == ["objects.dining_table", "objects.person"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("face:1", "faces"),
        ("faces.count:1", "faces"),
        ("faces.facs:1", "faces.faces"),
        ("faces.qualty:1", "faces"),
        ("analysis.quality:1", "quality"),
        ("objects.dinning_table:1", "objects.dining_table"),
        ("objets.person:1", "objects.person"),
        ("qualty:>1", "quality"),
        ("shots.jpg:1", None),
    ],
)
def test_a_key_that_is_meant_is_one_that_some_photo_can_have(shelf, typed, meant):
    facts = {"faces": {"faces": int}, "looks": {"quality": float, "country": str}, "concepts": {"objects.*": int}}
    vocabulary = Vocabulary(shelf.database, facts)
    refused = pytest.raises(QueryError, match="there is no key") if meant else nullcontext()
    with refused as error:
        parse(typed, vocabulary.facts(), vocabulary.likely_facts)
    if error is not None:
        assert error.value.advice.startswith(f"Did you mean `{meant}:`?")


def test_members_that_no_photo_has_yet_are_those_that_are_declared(shelf):
    facts = {"shapes.*": str, "shapes.round": str, "moods.*": float}
    declared = Vocabulary(shelf.database, {"looks": facts})
    assert declared.members("shapes") == ["shapes.round"]
    assert declared.complete("shapes.", 10) == ["shapes.round:"]
    assert "shapes" not in declared.facts()
    assert declared.has_texts("shapes.round")
    assert declared.has_texts("shapes.square")
    assert not declared.has_texts("moods.calm")
    assert declared.counted_in("moods.calm") is None


def test_labels_and_people_are_found_by_their_whole_names_in_any_spelling(shelf):
    with shelf.database.read() as connection:
        ids = dict(connection.execute("SELECT label, id FROM labels").fetchall())
    assert shelf.vocabulary.labels_named("BEACH") == [ids["beach"]]
    assert shelf.vocabulary.labels_named("dog") == [ids["Dog"]]
    assert shelf.vocabulary.labels_named("bea") == []
    assert shelf.vocabulary.people_named("anna muller") == ["Anna Müller"]
    assert shelf.vocabulary.people_named("anna") == []


def test_a_hierarchical_keyword_is_called_by_its_parts_in_a_row():
    names = Names(["Places|Europe|Porto", "Black / White"], whole_and_parts)
    for asked in ("porto", "europe", "Europe|Porto", "europe/porto", "Places|Europe|Porto"):
        assert names.called(asked) == [0], asked
    assert names.called("white") == names.called("black/white") == names.called("Black / White") == [1]
    assert names.called("places|porto") == []
    assert names.called("por", prefix=True) == [0]


def test_a_misspelt_name_is_near_to_the_right_one_and_to_no_other():
    names = Names(["Golden Retriever", "Labrador", "Lab", "cat"])
    assert names.near("retreiver") == ["Golden Retriever"]
    assert names.near("labradro") == ["Labrador"]
    assert names.near("bat") == []
    assert names.near("") == []


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("cam", ["camera:"]),
        ("dog -(CAM", ["-(camera:"]),
        ("bri", ["brightness:"]),
        ("camera:so", ["camera:SONY"]),
        ("camera:eos", ['camera:"Canon EOS 6D"']),
        ('dog camera:"canon', ["camera:Canon", 'camera:"Canon EOS 6D"']),
        ("-person:anna", ['-person:"Anna Kern"', '-person:"Anna Müller"']),
        ("tags:DOC", ["tags:document"]),
        ("is:bl", ["is:blurry"]),
        ("has:g", ["has:gps"]),
        ("type:jp", ["type:jp2", "type:jpeg"]),
        ("date:last-w", ["date:last-week"]),
        ("artist:n", ['artist:"Zoë Núñez"']),
        ("obj", ["objects.", "objects:"]),
        ("-OBJ", ["-objects.", "-objects:"]),
        ("objects.", ["objects.dining_table:", "objects.person:"]),
        ("dog objects.p", ["objects.person:"]),
        ('objects."dining t', ["objects.dining_table:"]),
        ("objects.unicorn", []),
        ("objects.person:", []),
        ("iso:1", []),
        ("nokey:1", []),
        ("camera:zzz", []),
        ("zzz", []),
    ],
)
def test_a_half_typed_query_is_completed(shelf, typed, completed):
    assert shelf.vocabulary.complete(typed, 10) == completed


def test_what_is_completed_finds_what_it_names(shelf):
    for typed in ("camera:", "person:", "lens:", "tag:", "place:", "root:", "artist:"):
        completions = shelf.vocabulary.complete(typed, 50)
        assert completions, typed
        for completed in completions:
            assert shelf.find(completed) or completed == "tag:cat", completed


def test_no_more_completions_are_given_than_asked_for(shelf):
    assert len(shelf.vocabulary.complete("", 3)) == 3
    assert set(shelf.vocabulary.complete("", 1000)) >= {f"{key}:" for key in KEYS} | {"brightness:"}


def test_a_name_of_every_photo_is_looked_up_as_it_is_written(shelf, monkeypatch):
    monkeypatch.setattr("imgd.search.vocabulary.MOST_TEXTS", 1)
    shelf.add([Shown(f"{name}.jpg", facts={"metadata/artist": name}) for name in ("Ansel", "Anton")])
    assert shelf.vocabulary.texts_of_fact("artist") is None
    assert shelf.find("artist:Ansel") == {"Ansel.jpg"}
    assert shelf.find("artist:An*") == {"Ansel.jpg", "Anton.jpg"}
    assert shelf.find("artist:ansel") == set()
