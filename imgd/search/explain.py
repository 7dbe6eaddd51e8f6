"""Why a photo was found, in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imgd.index.words import MARK, Marked

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


def explain_words(marked: Sequence[Marked], name: str, tag_scores: Mapping[str, float]) -> list[str]:
    """One line an entry that the query met: `tag: golden retriever 0.83`, `file name: beach.jpg`."""
    lines = []
    for entry in marked:
        text = name if entry.field == "name" else _around(entry)
        score = tag_scores.get(entry.plain) if entry.field == "tag" else None
        lines.append(f"{_FIELDS[entry.field]}: {text}" + (f" {score:.2f}" if score is not None else ""))
    return list(dict.fromkeys(lines))


def explain_alike(similarity: float, cutoff: float) -> str:
    """`looks like: 0.41 (cut-off 0.28)`."""
    return f"looks like: {similarity:.2f} (cut-off {cutoff:.2f})"


def _around(entry: Marked) -> str:
    """The entry, or of a long one what stands around the first word met."""
    plain = entry.plain
    if len(plain) <= _LONGEST:
        return plain
    start = max(0, min(entry.entry.index(MARK) - _LONGEST // 3, len(plain) - _LONGEST))
    end = start + _LONGEST
    return ("…" if start else "") + plain[start:end].strip() + ("…" if end < len(plain) else "")
