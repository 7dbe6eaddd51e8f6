"""What BLIP says, as a caption that people would write."""

from __future__ import annotations

import re
from typing import Final

_ARTEFACT: Final = re.compile(r"\baraf+(?:e|ed|es)?\b\s*", re.IGNORECASE)
"""`arafed`, `araffe`, `araffes`: no words, with which blip-large begins many a caption. What they stand before
(`arafed man on a bench`) is a caption without them."""
_REPEATED: Final = re.compile(r"\b(\w+(?:\W+\w+){0,5}?)(?:\W+\1\b)+", re.IGNORECASE)
"""One to six words that come again at once: `a cat on a bed on a bed on a bed`."""
_DANGLING: Final = re.compile(
    r"(?:\W+(?:an?|the|of|on|in|at|to|by|and|or|with|from|for|next|that|is|are|his|her|its|their))+\W*\Z",
    re.IGNORECASE,
)
"""Words that nothing comes behind, where a caption was cut off: `a man sitting on a`."""


def clean_caption(said: str) -> str:
    """`said` without artefacts, repetitions and loose ends; empty where nothing is left."""
    text = " ".join(_ARTEFACT.sub("", said).split())
    while (shorter := _REPEATED.sub(r"\1", text)) != text:
        text = shorter
    text = _DANGLING.sub("", text).strip(" ,.;:-")
    return text if re.search(r"\w\w", text) else ""
