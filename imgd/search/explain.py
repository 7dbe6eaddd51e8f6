"""Why photos were found, in words for people."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imgd.errors import ImgdError
from imgd.index.words import MARK, Marked, Words
from imgd.search.ranked import Ranked
from imgd.store.database import Database
from imgd.store.statements import load_statements

_FIELDS = {
    "person": "person",
    "tag": "tag",
    "caption": "caption",
    "text": "text in the picture",
    "name": "file name",
    "folder": "folder",
    "place": "place",
    "camera": "camera",
    "other": "also",
}
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Explained:
    """A photo with its absolute path and its reasons: in short, and all of them."""

    photo_id: int
    path: bytes
    why: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the library has of the photos of a page, by photo id: where they lie, how sure each of their tags is,
    and their captions, shortened. The last two only where the rankings have use for them."""

    places: Mapping[int, tuple[bytes, bytes, bytes, str]]
    tag_scores: Mapping[int, Mapping[str, float]]
    captions: Mapping[int, Sequence[str]]


class Explanations:
    """Looks up the reasons of the photos of one page. Blocking: not for the event loop."""

    def __init__(self, database: Database, words: Words) -> None:
        self._database = database
        self._words = words
        self._sql = load_statements("imgd.search", "search")

    def explain(
        self,
        photo_ids: Sequence[int],
        rankings: Sequence[Ranked],
        met: Mapping[int, Sequence[str]],
        *,
        in_full: bool,
    ) -> list[Explained]:
        """The photos in the same order, without those that were purged since they were found.

        `met`: photo id -> the filters that it meets, as they were typed; they are the reason where there is no
        other.
        """
        stored = self._read(photo_ids, rankings)
        marked = self._marked(photo_ids, rankings)
        explained = []
        for photo_id in photo_ids:
            if photo_id not in stored.places:
                continue
            root, folder, name, shown = stored.places[photo_id]
            why = explain_words(marked.get(photo_id, ()), shown, stored.tag_scores.get(photo_id, {}))
            finders = [
                (each, f"{each.terms.sentence}: " if len(rankings) > 1 and each.terms.sentence else "")
                for each in rankings
                if photo_id in each.scores
            ]
            told = stored.captions.get(photo_id, ())
            why += [line for each, of_which in finders for line in each.why(photo_id, of_which, told)]
            reasons: list[str] = []
            if in_full or not why:
                reasons = [line for each, of_which in finders for line in each.reasons(photo_id, of_which)]
            filters = met.get(photo_id, ())
            why = why or reasons[:1] or list(filters)
            if filters:
                reasons.append(f"filters: {' '.join(filters)}")
            path = os.path.join(root, folder, name)
            explained.append(
                Explained(
                    photo_id,
                    path,
                    tuple(dict.fromkeys(why)),
                    tuple(dict.fromkeys(why + reasons)) if in_full else (),
                )
            )
        return explained

    def _read(self, photo_ids: Sequence[int], rankings: Sequence[Ranked]) -> _Stored:
        values = {"photo_ids": json.dumps(list(photo_ids))}
        tag_scores: dict[int, dict[str, float]] = {}
        captions: dict[int, list[str]] = {}
        is_of_texts = any(each.is_of_texts for each in rankings)
        with self._database.read() as library:
            places = {row[0]: row[1:] for row in library.execute(self._sql["paths"], values)}
            for photo_id, label, score in library.execute(self._sql["tag_scores"], values) if rankings else ():
                tag_scores.setdefault(photo_id, {})[label] = score
            for photo_id, text in library.execute(self._sql["captions"], values) if is_of_texts else ():
                captions.setdefault(photo_id, []).append(_shortened(text))
        return _Stored(places, tag_scores, captions)

    def _marked(self, photo_ids: Sequence[int], rankings: Sequence[Ranked]) -> Mapping[int, Sequence[Marked]]:
        matches = dict.fromkeys(each.terms.any_of for each in rankings if each.terms.any_of)
        if not matches:
            return {}
        try:
            return self._words.marked(" OR ".join(matches), photo_ids)
        except ImgdError:  # the answer has a note about it
            return {}


def explain_words(marked: Sequence[Marked], name: str, tag_scores: Mapping[str, float]) -> list[str]:
    """One line an entry that the query met: `tag: golden retriever 0.83`, `file name: beach.jpg`."""
    lines = []
    for entry in marked:
        text = name if entry.field == "name" else _around(entry)
        score = tag_scores.get(entry.plain) if entry.field == "tag" else None
        lines.append(f"{_FIELDS[entry.field]}: {text}" + (f" {score:.2f}" if score is not None else ""))
    return list(dict.fromkeys(lines))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…"


def _around(entry: Marked) -> str:
    """The entry, or of a long one what stands around the first word met."""
    plain = entry.plain
    if len(plain) <= _LONGEST:
        return plain
    start = max(0, min(entry.entry.index(MARK) - _LONGEST // 3, len(plain) - _LONGEST))
    end = start + _LONGEST
    return ("…" if start else "") + plain[start:end].strip() + ("…" if end < len(plain) else "")
