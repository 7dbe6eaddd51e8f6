"""What the library has: its cameras, places, people, tags, formats, analyzers, roots and facts, by name."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

from imgd.facts import count_family, family_name, family_of, filterable_keys, is_family, kind_of
from imgd.index.spelling import fold
from imgd.search.completion import complete
from imgd.search.keys import FORMATS, KEYS, Kind, find_key
from imgd.search.moments import DAYS
from imgd.search.names import Names, whole_and_parts
from imgd.store.changes import newest_change_seq
from imgd.store.database import Database
from imgd.store.statements import load_statements

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "camera": ("camera_make", "camera_model"),
    "lens": ("lens",),
    "place": ("city", "region", "country", "country_code"),
}
"""The columns of `metadata` whose values are names, by the key that looks them up."""

MOST_TEXTS = 5_000
"""Values of one fact that are looked through; those of a fact with more are found as they are written."""

_FOLDED_FOLDERS = 1 << 17

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with its whole path, its root's included, folded."""

    id: int
    path: str


class Vocabulary:
    """Reads names when they are asked for, and again once the library has changed. Safe to share between threads;
    blocking, so not for the event loop."""

    def __init__(self, database: Database, declared: Mapping[str, Mapping[str, type]] | None = None) -> None:
        """`declared`: the facts of the installed analyzers, by the analyzer's name."""
        self._database = database
        self._declared = declared or {}
        self._sql = load_statements("imgd.search", "vocabulary")
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, Any]] = {}
        self._labels = Names(calls=whole_and_parts)
        self._label_ids: list[int] = []
        self._fold_path = lru_cache(_FOLDED_FOLDERS)(fold)

    # ------------------------------------------------------------------ names, by what they are names of

    def column(self, column: str) -> Names:
        """The values of a column of `metadata`, each once without regard to the case of its ASCII letters."""
        statement = self._sql["metadata"].format(column=column)
        return self._names(column, lambda library: _firsts(library.execute(statement)))

    def people(self) -> Names:
        return self._names("people", lambda library: _firsts(library.execute(self._sql["people"])))

    def analyzers(self) -> Names:
        return self._names("analyzers", lambda library: _firsts(library.execute(self._sql["analyzers"])))

    def labels(self) -> tuple[Names, Sequence[int]]:
        """Every label that was ever a tag, and the ids of them in the same order."""
        with self._database.read() as library, self._lock:
            after = self._label_ids[-1] if self._label_ids else 0
            rows = library.execute(self._sql["labels_after"], {"after": after}).fetchall()
            self._labels.add(label for _, label in rows)
            self._label_ids += [label_id for label_id, _ in rows]
        return self._labels, self._label_ids

    def formats(self) -> Sequence[str]:
        """imgd's own formats, and those that the library has besides."""
        found = self._cached("formats", lambda library: _firsts(library.execute(self._sql["formats"])))
        return tuple(dict.fromkeys((*FORMATS, *found)))

    def roots(self) -> Sequence[tuple[int, str]]:
        """(id, path) of each root."""
        return self._cached("roots", lambda library: library.execute(self._sql["roots"]).fetchall())

    def folders(self) -> Sequence[Folder]:
        return self._cached("folders", self._read_folders)

    # ------------------------------------------------------------------ facts

    def facts(self) -> Collection[str]:
        """The keys of facts that can be filtered by: of all facts, and `analyzer.key` for each analyzer; declared
        families (`objects.*`) among them."""
        return self._cached("facts", self._read_facts)

    def likely_facts(self) -> Collection[str]:
        """Those of `facts()` that may be meant by a misspelt one: with an analyzer's name only where it declares
        them."""
        return self._cached("likely_facts", self._read_likely_facts)

    def fact(self, typed: str) -> tuple[str | None, str]:
        """(analyzer, key) that `typed`, one of `facts()` or a member of their families, means: the fact of that
        name, of any analyzer (None); else the one of the analyzer whose name it begins with."""
        keys = self._cached("fact_keys", self._read_fact_keys)
        of_analyzers = [
            (typed[:place], typed[place + 1 :])
            for place, letter in enumerate(typed)
            if letter == "." and typed[:place] in [*self.analyzers(), *self._declared]
        ]
        if typed in keys or not of_analyzers:
            return None, typed
        known = [each for each in of_analyzers if each[1] in keys]
        if not known and any(family_of(typed, facts) for facts in self._declared.values()):
            return None, typed
        return (known or of_analyzers)[0]

    def is_fact(self, key: str) -> bool:
        """Whether a photo has the fact `key`, or an analyzer declares it; not every member of a family is one."""
        return key in self._cached("fact_keys", self._read_fact_keys)

    def counted_in(self, key: str) -> tuple[str, tuple[str, ...]] | None:
        """The name of the family of counts that `key` is of, as the sum of all or as a member; and the analyzers
        that declare it. None where `key` is no count."""
        name = next((name for facts in self._declared.values() if (name := count_family(key, facts))), None)
        if name is None:
            return None
        return name, tuple(analyzer for analyzer, facts in self._declared.items() if count_family(key, facts))

    def members(self, family: str) -> list[str]:
        """The keys of the members of `family` that photos have; where they have none, those that are declared."""
        begun = f"{family}."
        numbers = self._cached("fact_numbers", lambda library: self._read_stored_keys(library, "number"))
        texts = self._cached("fact_texts", lambda library: self._read_stored_keys(library, "text"))
        declared = (key for facts in self._declared.values() for key in facts if not is_family(key))
        found = {key for key in (*numbers, *texts) if key.startswith(begun)}
        return sorted(found or {key for key in declared if key.startswith(begun)})

    def has_texts(self, key: str) -> bool:
        """Whether the fact `key` is a text; the others are numbers, and yes or no, which count as 1 and 0."""
        stored = self._cached("fact_texts", lambda library: self._read_stored_keys(library, "text"))
        return key in stored or any(kind_of(key, facts) is str for facts in self._declared.values())

    def texts_of_fact(self, key: str) -> Names | None:
        """The texts of a fact; None where there are more than `MOST_TEXTS`."""
        values = {"key": key, "limit": MOST_TEXTS + 1}
        names = self._names(
            f"fact:{key}", lambda library: _firsts(library.execute(self._sql["texts_of_fact"], values))
        )
        return names if len(names) <= MOST_TEXTS else None

    def _read_fact_keys(self, library: sqlite3.Connection) -> frozenset[str]:
        stored = (self._read_stored_keys(library, column) for column in ("number", "text"))
        declared = map(filterable_keys, self._declared.values())
        return frozenset({key for keys in (*stored, *declared) for key in keys})

    def _read_stored_keys(self, library: sqlite3.Connection, column: str) -> list[str]:
        return _firsts(library.execute(self._sql["fact_keys"].format(column=column)))

    def _read_facts(self, library: sqlite3.Connection) -> frozenset[str]:
        keys = self._read_fact_keys(library)
        analyzers = {*_firsts(library.execute(self._sql["analyzers"])), *self._declared}
        return keys | {f"{analyzer}.{key}" for analyzer in analyzers for key in keys}

    def _read_likely_facts(self, library: sqlite3.Connection) -> frozenset[str]:
        keys = self._read_fact_keys(library)
        declared = {name: (facts, filterable_keys(facts)) for name, facts in self._declared.items()}
        owned = (
            f"{name}.{key}"
            for key in keys
            for name, (facts, own) in declared.items()
            if key in own or family_of(key, facts) is not None
        )
        return keys.union(owned)

    # ------------------------------------------------------------------ lookups and completion

    def labels_named(self, sentence: str) -> list[int]:
        """The ids of the labels whose whole is `sentence`, in any spelling."""
        names, ids = self.labels()
        folded = fold(sentence)
        return [ids[number] for number in names.called(sentence) if fold(names[number]) == folded]

    def people_named(self, sentence: str) -> list[str]:
        """The names of people, as they are written, whose whole is `sentence`."""
        people = self.people()
        return [people[number] for number in people.called(sentence)]

    def values(self, key: str) -> Sequence[str]:
        """What may stand behind `key:`, as far as it is known; empty for numbers, positions and texts."""
        readers: Mapping[str, Callable[[], Iterable[str]]] = {
            "person": self.people,
            "tag": lambda: self.labels()[0],
            "type": self.formats,
            "analyzer": self.analyzers,
            "root": lambda: (path for _, path in self.roots()),
        }
        if key not in KEYS:
            texts = self.texts_of_fact(key) if self.has_texts(key) else None
            return tuple(texts) if texts is not None else ()
        if key in COLUMNS:
            return tuple(dict.fromkeys(name for column in COLUMNS[key] for name in self.column(column)))
        if key in readers:
            return tuple(readers[key]())
        return DAYS if KEYS[key].kind is Kind.DATE else tuple(KEYS[key].values)

    def complete(self, query: str, limit: int) -> list[str]:
        """At most `limit` ways to go on with the last term of the half-typed `query`: that term, completed."""
        return complete(query, self._completed_keys(), self._values_of, limit)

    def _completed_keys(self) -> list[str]:
        """What a key may be completed to, with the colon; of a family its beginning, and then its members."""
        facts = set(self._cached("fact_keys", self._read_fact_keys)) - set(KEYS)
        families = sorted({family_name(key) for key in facts if is_family(key)})
        begun = tuple(f"{family}." for family in families)
        alone = (f"{key}:" for key in facts if not is_family(key) and not key.startswith(begun))
        members = (f"{key}:" for family in families for key in self.members(family))
        return [*(f"{key}:" for key in KEYS), *sorted((*alone, *begun)), *members]

    def _values_of(self, typed: str) -> Sequence[str]:
        key = find_key(typed, self.facts())
        return self.values(key) if key is not None else ()

    # ------------------------------------------------------------------ what is kept, and until when

    def _names(self, source: str, read: Callable[[sqlite3.Connection], list[str]]) -> Names:
        """As `_cached`, made into Names; the same ones as before where the values are."""

        def names(library: sqlite3.Connection) -> Names:
            values = read(library)
            known: tuple[int, Names] | None = self._known.get(source)
            return known[1] if known is not None and list(known[1]) == values else Names(values)

        return self._cached(source, names)

    def _cached(self, source: str, read: Callable[[sqlite3.Connection], T]) -> T:
        """What `read` gives, read again once the library has changed."""
        with self._database.read() as library:
            newest = newest_change_seq(library)
            known = self._known.get(source)
            if known is None or known[0] != newest:
                known = self._known[source] = (newest, read(library))
        return cast("T", known[1])

    def _read_folders(self, library: sqlite3.Connection) -> Sequence[Folder]:
        rows = library.execute(self._sql["folders"])
        return [Folder(id_, self._fold_path(f"{root}/{path}" if path else root)) for id_, root, path in rows]


def _firsts(rows: sqlite3.Cursor) -> list[str]:
    return [row[0] for row in rows]
