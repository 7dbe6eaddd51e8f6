"""Words as the numbers that a text tower takes, by the `tokenizer.json` of a model."""

from __future__ import annotations

import html
import json
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from imgd_clip.errors import ClipModelError

_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
_STRAIGHT: Final = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


class WordTokenizer:
    """Texts longer than the context are cut as OpenCLIP cuts them: the end of the text stays marked."""

    def __init__(self, path: Path, context_length: int, *, canonical: bool) -> None:
        """`path`: tokenizer.json, with tokenizer_config.json beside it where the padding is not 0. `canonical`:
        whether the model was trained on words in lower case without punctuation (`clean: canonicalize`)."""
        if not path.is_file():
            raise ClipModelError(
                f"it has no {path.name} ({path})",
                hint="The text tower cannot be used without its tokenizer: fetch that of the same model.",
            )
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            raise ClipModelError(f"{path} is no tokenizer: {error}", hint="Fetch the model again.") from error
        token = _pad_token(path.with_name("tokenizer_config.json"))
        number = None if token is None else self._tokenizer.token_to_id(token)
        self._tokenizer.enable_truncation(context_length)
        self._tokenizer.enable_padding(
            length=context_length, pad_id=number or 0, pad_token=token if token and number is not None else "[PAD]"
        )
        self._canonical = canonical

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """(len(texts), context length)."""
        cleaned = [clean(text, canonical=self._canonical) for text in texts]
        return np.array([each.ids for each in self._tokenizer.encode_batch(cleaned)], np.int64)


def clean(text: str, *, canonical: bool) -> str:
    """As `open_clip.tokenizer` cleans a text. Of what it does by ftfy, only quotes are made straight: nobody types
    texts whose encoding is broken."""
    text = " ".join(html.unescape(html.unescape(text.translate(_STRAIGHT))).split())
    if canonical:
        text = " ".join(text.replace("_", " ").translate(_PUNCTUATION).lower().split())
    return text


def wording(prompt: str, text: str) -> str:
    """`text` within `prompt`, unless it says itself that it is of a photo."""
    bare = text.strip()
    return bare if not bare or _LEAD.match(bare) else prompt.replace("{}", bare)


_LEAD: Final = re.compile(
    r"(?:an?\s+|the\s+)?(?:photo|photograph|picture|image)s?\s+(?:of|showing)\b", re.IGNORECASE
)


def _pad_token(path: Path) -> str | None:
    try:
        token = json.loads(path.read_bytes()).get("pad_token")
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        raise ClipModelError(f"{path} cannot be read: {error}", hint="Fetch the model again.") from error
    return token.get("content") if isinstance(token, dict) else token
