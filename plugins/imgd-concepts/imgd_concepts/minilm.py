"""Sentence vectors by all-MiniLM-L6-v2 (Wang et al. 2020; sentence-transformers), int8, on onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

DIMENSIONS = 384
_MAX_TOKENS = 128


class SentenceEncoder:
    """Text -> vector: the mean of the last hidden states over all tokens, L2-normalised."""

    def __init__(self, directory: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(directory / "model_quantized.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MAX_TOKENS)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(len(texts), 384), float32, each row L2-normalised.

        Texts go through one by one: the model quantizes activations over a whole batch, so that a text's
        vector would otherwise depend on its neighbours.
        """
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        for row, encoding in enumerate(self._tokenizer.encode_batch(list(texts))):
            tokens = np.array([encoding.ids], np.int64)
            inputs = {
                "input_ids": tokens,
                "attention_mask": np.ones_like(tokens),
                "token_type_ids": np.zeros_like(tokens),
            }
            hidden = self._session.run(None, inputs)[0][0]
            mean = hidden.mean(axis=0)
            vectors[row] = mean / np.linalg.norm(mean)
        return vectors
