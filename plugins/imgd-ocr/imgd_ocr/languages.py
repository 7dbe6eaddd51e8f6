"""Which recognition model reads which language."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

SHIPPED: Final = ""
"""Stands for PP-OCRv6 small, which comes inside rapidocr and reads all languages of `_SHIPPED`."""

# rapidocr 3.10, default_models.yaml: `ppocrv6_langs`, by ISO 639 code.
_SHIPPED = (
    "af az bs ca cs cy da de en es et eu fi fr ga gl hr hu id is it ja ku la lb lt lv mi ms mt nl no oc pl pt qu "
    "rm ro sk sl sq sr-latn sv sw tl tr uz vi zh zh-tw"
)
# PaddleOCR, docs/version3.x/algorithm/PP-OCRv5: the languages of each script's model. Each reads English, too.
_BY_SCRIPT = {
    "korean": "ko",
    "eslav": "be ru uk",
    "cyrillic": "bg kk ky mk mn sr tg tt",
    "greek": "el",
    "thai": "th",
    "arabic": "ar bal fa ps sd ug ur",
    "devanagari": "bgc bho gom hi mai mr ne new sa sck",
    "tamil": "ta",
    "telugu": "te",
}

SCRIPT_OF: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(_SHIPPED.split(), SHIPPED)
    | {code: script for script, codes in _BY_SCRIPT.items() for code in codes.split()}
)
"""Language -> script of its model, or SHIPPED."""


def scripts_of(languages: Iterable[str]) -> tuple[str, ...]:
    """The models that read `languages`, each once, in that order.

    Raises:
        ValueError: a language that none of them reads; the message names those there are.
    """
    scripts: dict[str, None] = {}
    for language in languages:
        if language not in SCRIPT_OF:
            near = difflib.get_close_matches(language.lower(), SCRIPT_OF, n=2, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise ValueError(
                f"no model reads the language {language!r}: {hint}There are {', '.join(sorted(SCRIPT_OF))}"
            )
        scripts[SCRIPT_OF[language]] = None
    if not scripts:
        raise ValueError('`languages` must name one, as ["en"]')
    return tuple(scripts)


def languages_of(script: str) -> tuple[str, ...]:
    """What the model of a script reads."""
    return tuple(code for code, each in SCRIPT_OF.items() if each == script)
