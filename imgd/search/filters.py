"""Filters: a tree of `key:value` becomes the set of photos that it lets pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache

import numpy as np

from imgd.errors import QueryError
from imgd.index.documents import LEAST_TAG_SCORE
from imgd.index.spelling import fold
from imgd.index.words import Words
from imgd.metadata.gazetteer import find_place
from imgd.search.clauses import All, AnyOf, Clauses, Part, Without
from imgd.search.conditions import Condition
from imgd.search.keys import FORMAT_ALIASES, HAS, IS, KEYS, SHAPES
from imgd.search.moments import read_span
from imgd.search.names import Names, words_of
from imgd.search.numbers import COUNT, FACT, MEASURES, read_bounds, refused
from imgd.search.paths import PathPattern
from imgd.search.places import Locate, photos_within, read_circle
from imgd.search.query import And, Filter, Node, Not, Or, Phrase
from imgd.search.states import FIRST_TEXT, HAS_PARTS, IS_PARTS, LAST_TEXT, count, number_fact, of_analyzer
from imgd.search.terms import expression
from imgd.search.vocabulary import COLUMNS, Vocabulary
from imgd.store.database import Database
from imgd.store.statements import load_statements

_METADATA_COLUMNS = {
    "iso": "iso",
    "aperture": "aperture",
    "shutter": "shutter_s",
    "focal": "focal_mm",
    "altitude": "altitude_m",
    "rating": "rating",
}

_PLACES = 256
"""Places whose positions are remembered."""


class Filters:
    """Makes conditions out of filters. Blocking: not for the event loop."""

    def __init__(
        self,
        database: Database,
        words: Words,
        vocabulary: Vocabulary,
        today: Callable[[], date] = lambda: datetime.now().astimezone().date(),
    ) -> None:
        self._database = database
        self._words = words
        self._vocabulary = vocabulary
        self._today = today
        self._locate = lru_cache(_PLACES)(find_place)

    def compile(self, tree: Node) -> Condition:
        """The condition that `tree`, which holds filters and nothing else, describes.

        Raises:
            QueryError: where a value makes no sense, with its column.
            StoreError: where the text index is asked and is not ready.
        """
        reader = _Reader(self._database, self._words, self._vocabulary, self._today(), self._locate)
        return Condition(self._database, reader.part(tree), list(dict.fromkeys(reader.notes)))


class _Reader:
    """Reads the filters of one tree."""

    def __init__(
        self, database: Database, words: Words, vocabulary: Vocabulary, today: date, locate: Locate
    ) -> None:
        self.notes: list[str] = []
        self._database = database
        self._words = words
        self._vocabulary = vocabulary
        self._today = today
        self._locate = locate
        self._clauses = Clauses()
        self._sql = load_statements("imgd.search", "filters")
        self._readers: Mapping[str, Callable[[Filter], Part]] = {
            **dict.fromkeys(_METADATA_COLUMNS, self._number_of_metadata),
            **dict.fromkeys(("size", "width", "height"), self._number_of_photo),
            **dict.fromkeys(COLUMNS, self._name_of_metadata),
            **dict.fromkeys(("text", "caption"), self._text),
            "near": self._near,
            "person": self._person,
            "tag": self._tag,
            "path": self._path,
            "root": self._root,
            "type": self._type,
            "orientation": self._orientation,
            "analyzer": self._analyzer,
            "date": self._date,
            "has": self._has,
            "is": self._is,
        }

    def part(self, node: Node) -> Part:
        match node:
            case And(terms):
                parts = [self.part(each) for each in terms]
                flat = [each for part in parts for each in (part.parts if isinstance(part, All) else (part,))]
                return flat[0] if len(flat) == 1 else All(tuple(flat))
            case Or(terms):
                return AnyOf(tuple(self.part(each) for each in terms))
            case Not(term):
                return Without(self.part(term))
            case Filter():
                return self._readers.get(node.key, self._fact)(node)
        raise TypeError(f"{type(node).__name__} is no filter")

    # ------------------------------------------------------------------ numbers and dates

    def _number_of_metadata(self, node: Filter) -> Part:
        bounds = read_bounds(node, MEASURES[node.key], KEYS[node.key].example)
        return self._clauses.within("numbers_of_metadata", _METADATA_COLUMNS[node.key], bounds)

    def _number_of_photo(self, node: Filter) -> Part:
        bounds = read_bounds(node, MEASURES[node.key], KEYS[node.key].example)
        return self._clauses.within("numbers_of_photos", node.key, bounds)

    def _date(self, node: Filter) -> Part:
        first, behind = read_span(node, KEYS["date"].example, self._today)
        return self._clauses.make("taken", first=first or FIRST_TEXT, behind=behind or LAST_TEXT)

    def _near(self, node: Filter) -> Part:
        circle = read_circle(node, KEYS["near"].example, self._locate)
        if circle is None:
            self.notes.append(f"no place is called `{node.value.partition(',')[0]}`")
            return self._clauses.nothing()
        with self._database.read() as library:
            return self._clauses.listed(photos_within(library, self._sql["positions"], circle))

    # ------------------------------------------------------------------ names

    def _name_of_metadata(self, node: Filter) -> Part:
        words, prefix = self._asked(node)
        columns = COLUMNS[node.key]
        found = self._named(columns, words, prefix=prefix)
        if found is None and len(words) > 1:  # each word may be of another column: `place:"paris france"`
            last = len(words) - 1
            parts = [
                self._named(columns, [word], prefix=prefix and place == last) for place, word in enumerate(words)
            ]
            if None not in parts:
                return All(tuple(part for part in parts if part is not None))
        if found is None:
            self._miss(node, [self._vocabulary.column(column) for column in columns])
        return found or self._clauses.nothing()

    def _named(self, columns: Sequence[str], words: Sequence[str], *, prefix: bool) -> Part | None:
        """Photos with a name, in one of `columns`, that has all of `words`."""
        parts = []
        for column in columns:
            names = self._vocabulary.column(column)
            if numbers := names.with_words(words, prefix=prefix):
                values = [names[number] for number in numbers]
                parts.append(self._clauses.make("names_of_metadata", words={"column": column}, names=values))
        return _any_of(parts)

    def _person(self, node: Filter) -> Part:
        words, prefix = self._asked(node)
        people = self._vocabulary.people()
        names = [people[number] for number in people.with_words(words, prefix=prefix)]
        if not names:
            self._miss(node, [people])
            return self._clauses.nothing()
        return AnyOf(
            (
                self._clauses.make("people_marked", names=names, least=LEAST_TAG_SCORE),
                self._clauses.make("people_written", names=names),
            )
        )

    def _tag(self, node: Filter) -> Part:
        names, ids = self._vocabulary.labels()
        value, prefix = _starred(node)
        numbers = names.called(value, prefix=prefix)
        if not numbers:
            self._miss(node, [names])
            return self._clauses.nothing()
        return self._clauses.make("tags", labels=[ids[number] for number in numbers], least=LEAST_TAG_SCORE)

    def _analyzer(self, node: Filter) -> Part:
        known = self._vocabulary.analyzers()
        value, prefix = _starred(node)
        names = [known[number] for number in known.called(value, prefix=prefix)]
        if not names:
            self._miss(node, [known])
        return self._clauses.make("findings", names=names)

    def _root(self, node: Filter) -> Part:
        value, prefix = _starred(node)
        asked = fold(value).rstrip("/")
        roots = [
            id_
            for id_, path in self._vocabulary.roots()
            for whole in (fold(path),)
            for last in (whole.rsplit("/", 1)[-1],)
            if asked in (whole, last) or (prefix and (whole.startswith(asked) or last.startswith(asked)))
        ]
        if not roots:
            self._miss(node, [Names(path.rsplit("/", 1)[-1] for _, path in self._vocabulary.roots())])
        return self._clauses.make("roots", asks="roots_of_photos", roots=roots)

    def _asked(self, node: Filter) -> tuple[list[str], bool]:
        """The folded words of a value, and whether the last one may go on."""
        value, prefix = _starred(node)
        words = words_of(fold(value))
        if not words:
            raise refused(node, "no name", KEYS[node.key].example)
        return words, prefix

    def _miss(self, node: Filter, known: Sequence[Names]) -> None:
        """Note that the library has no such name, and which it has that are nearly so."""
        near = list(dict.fromkeys(name for names in known for name in names.near(_starred(node)[0])))[:3]
        there_is = f"; there is {', '.join(f'`{name}`' for name in near)}" if near else ""
        self.notes.append(f"no {node.key} is called `{node.value}`{there_is}")

    # ------------------------------------------------------------------ words, paths, choices

    def _text(self, node: Filter) -> Part:
        value, prefix = _starred(node)
        if not words_of(fold(value)):
            raise refused(node, "no word", KEYS[node.key].example)
        match = f"{node.key} : {expression(Phrase(value, prefix=prefix))}"
        with self._database.read() as library:
            gone = [row[0] for row in library.execute(self._sql["gone"])]
        return self._clauses.listed(np.setdiff1d(self._words.matching(match), gone, assume_unique=True))

    def _path(self, node: Filter) -> Part:
        pattern = PathPattern.of(node.value)
        known = self._vocabulary.folders()
        parts: list[Part] = []
        if folders := pattern.folders(known):
            parts.append(self._clauses.make("folders", folders=folders))
        within = pattern.folders_of_names(known)
        make = self._clauses.make
        if pattern.name and within is None and pattern.is_beginning:
            parts += [
                make("names_anywhere", asks="names_of_photos", first=first, behind=behind)
                for first, behind in pattern.ranges()
            ]
        elif pattern.name:
            within = [folder.id for folder in known] if within is None else within
            parts += [make("names_in_folders", folders=within, pattern=like) for like in pattern.likes() if within]
        return _any_of(parts) or self._clauses.nothing()

    def _type(self, node: Filter) -> Part:
        formats = self._vocabulary.formats()
        asked = node.value.lower().removeprefix(".")
        chosen = self._choice(node, FORMAT_ALIASES.get(asked, asked), formats)
        return self._clauses.make("format", formats=[chosen])

    def _orientation(self, node: Filter) -> Part:
        return self._clauses.make("shape", shape=self._choice(node, node.value.lower(), tuple(SHAPES)))

    def _choice(self, node: Filter, asked: str, choices: Sequence[str]) -> str:
        if asked not in choices or node.comparison:
            near = Names(choices).near(asked, 1)
            hint = f"Did you mean `{node.key}:{near[0]}`? " if near else ""
            raise QueryError(
                f"`{node.comparison}{node.value}` is no value of `{node.key}:` (column {node.value_column})",
                column=node.value_column,
                hint=f"{hint}It knows {', '.join(choices)}.",
            )
        return asked

    def _has(self, node: Filter) -> Part:
        return HAS_PARTS[self._choice(node, node.value.lower(), tuple(HAS))](self._clauses)

    def _is(self, node: Filter) -> Part:
        return IS_PARTS[self._choice(node, node.value.lower(), tuple(IS))](self._clauses)

    # ------------------------------------------------------------------ facts

    def _fact(self, node: Filter) -> Part:
        analyzer, key = self._vocabulary.fact(node.key)
        if self._vocabulary.has_texts(key):
            return self._text_fact(node, key, analyzer)
        counted = self._vocabulary.counted_in(key)
        if counted is None:
            bounds = read_bounds(node, FACT, f"{node.key}:>0.5")
            return number_fact(self._clauses, key, bounds, analyzer)
        bounds = read_bounds(node, COUNT, f"{node.key}:>=2")
        family, counters = counted
        if not self._vocabulary.is_fact(key):
            known = Names(each.removeprefix(f"{family}.") for each in self._vocabulary.members(family))
            self._miss_member(node, family, key, known)
            return self._clauses.nothing()
        asked = counters if analyzer is None and len(counters) > 1 else (analyzer,)
        return count(self._clauses, key, bounds, family, asked)

    def _miss_member(self, node: Filter, family: str, key: str, known: Names) -> None:
        near = known.near(key.removeprefix(f"{family}."))
        there_is = f"; there is {', '.join(f'`{family}.{name}`' for name in near)}" if near else ""
        self.notes.append(f"no photo has `{node.key}`{there_is}")

    def _text_fact(self, node: Filter, key: str, analyzer: str | None) -> Part:
        words, values = of_analyzer(analyzer)
        value, prefix = _starred(node)
        known = self._vocabulary.texts_of_fact(key)
        span = _span(node, value, prefix=prefix) if known is None or node.comparison or ".." in value else None
        if span is not None:
            first, behind = span
            return self._clauses.make(
                "text_facts_begun", words=words, key=key, first=first, behind=behind, **values
            )
        if known is None:
            return self._clauses.make("text_facts", words=words, key=key, texts=[value], **values)
        numbers = known.called(value, prefix=prefix) or known.with_words(words_of(fold(value)), prefix=prefix)
        if not numbers:
            self._miss(node, [known])
        texts = [known[number] for number in numbers]
        return self._clauses.make("text_facts", words=words, key=key, texts=texts, **values)


def _span(node: Filter, value: str, *, prefix: bool) -> tuple[str, str] | None:
    """(first, behind) of texts that are compared letter by letter; None for one text."""
    if ".." in value and not node.quoted and not node.comparison:
        low, high = value.split("..", 1)
        return low, f"{high}{LAST_TEXT}" if high else LAST_TEXT
    match node.comparison:
        case "<":
            return FIRST_TEXT, value
        case "<=":
            return FIRST_TEXT, f"{value}{LAST_TEXT}"
        case ">":
            return f"{value}{LAST_TEXT}", LAST_TEXT
        case ">=":
            return value, LAST_TEXT
    return (value, f"{value}{LAST_TEXT}") if prefix else None


def _starred(node: Filter) -> tuple[str, bool]:
    """The value without the star behind it, and whether there was one; in quotes a star is a star."""
    if node.quoted or not node.value.endswith("*"):
        return node.value, False
    return node.value.rstrip("*"), True


def _any_of(parts: Sequence[Part]) -> Part | None:
    return AnyOf(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None
