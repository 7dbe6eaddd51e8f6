"""Names that a library has, such as cameras, places or tags, found without regard to case and accents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from imgd.index.spelling import fold
from imgd.search.keys import edit_distance

_WORD = re.compile(r"[^\W_]+")
_LEVELS = re.compile(r"\s*[|/]\s*")
_SHORT = 5
_COMPARED = 3000
"""Names that a misspelt one is compared with, at most."""


def words_of(folded: str) -> list[str]:
    """The words of a folded text: runs of letters and digits."""
    return _WORD.findall(folded)


def whole(folded: str) -> Iterable[str]:
    """A name is called by the whole of it."""
    return (folded,)


def whole_and_parts(folded: str) -> Iterable[str]:
    """A hierarchical keyword (`animals|dog`, `animals/dog`) is called by its whole, a part, or parts in a row."""
    parts = [part for part in _LEVELS.split(folded) if part]
    yield folded
    if len(parts) > 1:
        for first in range(len(parts)):
            yield from ("|".join(parts[first:behind]) for behind in range(first + 1, len(parts) + 1))


class Names:
    """Some names with numbers of their own, from 0 in the order in which they were added."""

    def __init__(self, names: Iterable[str] = (), calls: Callable[[str], Iterable[str]] = whole) -> None:
        """`calls`: what a folded name is called by."""
        self._calls = calls
        self._names: list[str] = []
        self._called: dict[str, list[int]] = {}
        self._with_word: dict[str, list[int]] = {}
        self.add(names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, number: int) -> str:
        return self._names[number]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def add(self, names: Iterable[str]) -> None:
        for name in names:
            number = len(self._names)
            self._names.append(name)
            folded = fold(name)
            for each in dict.fromkeys(self._calls(folded)):
                self._called.setdefault(each, []).append(number)
            for word in dict.fromkeys(words_of(folded)):
                self._with_word.setdefault(word, []).append(number)

    def called(self, asked: str, *, prefix: bool = False) -> list[int]:
        """The names that are called `asked`; with `prefix`, those whose calls begin so."""
        wanted = fold(asked)
        parted = (
            "|".join(part for part in _LEVELS.split(wanted) if part) if self._calls is whole_and_parts else wanted
        )
        if not prefix:
            return sorted({*self._called.get(wanted, ()), *self._called.get(parted, ())})
        return sorted(
            {
                number
                for call, numbers in list(self._called.items())
                if call.startswith((wanted, parted))
                for number in numbers
            }
        )

    def with_words(self, asked: Sequence[str], *, prefix: bool = False) -> list[int]:
        """The names that have all the folded words `asked`; with `prefix` the last one may go on."""
        found: set[int] | None = None
        for place, word in enumerate(asked):
            if prefix and place == len(asked) - 1:
                numbers = {
                    number
                    for each, having in list(self._with_word.items())
                    if each.startswith(word)
                    for number in having
                }
            else:
                numbers = set(self._with_word.get(word, ()))
            found = numbers if found is None else found & numbers
        return sorted(found or ())

    def near(self, asked: str, limit: int = 3) -> list[str]:
        """Names, or words of names, that `asked` may be a misspelling of, the nearest first."""
        wanted = fold(asked)
        allowed = 1 if len(wanted) < _SHORT else 2
        near: list[tuple[int, str]] = []
        compared = 0
        for call, numbers in [*self._called.items(), *self._with_word.items()]:
            if abs(len(call) - len(wanted)) > allowed or not wanted or call[0] not in wanted[:2]:
                continue
            compared += 1
            if compared > _COMPARED:
                break
            distance = edit_distance(wanted, call)
            if distance <= allowed:
                near.append((distance, self._names[numbers[0]]))
        return list(dict.fromkeys(name for _, name in sorted(near)))[:limit]
