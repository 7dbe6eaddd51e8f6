"""Both towers on ONNX Runtime, on the processor or on a CUDA device."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from imgd import DeviceUnusableError, open_onnx_session
from imgd_clip.directory import ModelDirectory
from imgd_clip.errors import ClipModelError
from imgd_clip.preprocessing import Pixels, Values
from imgd_clip.tokens import WordTokenizer
from imgd_clip.vectors import normalised

log = logging.getLogger(__name__)

_MB: Final = 1 << 20
_TYPES: Final = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
_DYNAMIC: Final = b"DynamicQuantizeLinear"


class Graph:
    """One ONNX file in a session. `device` is `cpu` or `cuda:N`.

    `one_by_one`: a graph that quantizes activations by their range over the whole batch, or whose batch is fixed
    to one, gets one input a call, so that no vector depends on its neighbours.
    """

    def __init__(self, path: Path, device: str, threads: int) -> None:
        self.one_by_one = _mentions(path, _DYNAMIC)
        self.on_cpu = device == "cpu"
        self.threads = threads
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # One input a call gains most from one thread a call, and several calls at once.
        options.intra_op_num_threads = 1 if self.one_by_one and self.on_cpu else threads
        try:
            self._session = open_onnx_session(path, device, options)
        except DeviceUnusableError:
            raise
        except Exception as error:
            raise ClipModelError(f"{path} cannot be loaded: {error}", hint="Fetch the model again.") from error
        self.runtime = f"onnxruntime {self._session.get_providers()[0]}"
        log.info("%s runs on %s", path.parent.name, self.runtime)
        self.inputs = self._session.get_inputs()
        self.output = self._session.get_outputs()[0].name
        self.one_by_one = self.one_by_one or self.inputs[0].shape[0] == 1

    def run(self, *values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Its first output for `values`, each (n, ...), in the order of its inputs."""
        feeds = {
            each.name: value.astype(_TYPES.get(each.type, value.dtype), copy=False)
            for each, value in zip(self.inputs, values, strict=True)
        }
        found: npt.NDArray[Any] = self._session.run([self.output], feeds)[0]
        return found


class OnnxImageTower:
    """Photos are prepared by threads of this process while the batch before them is computed."""

    def __init__(self, directory: ModelDirectory, device: str, threads: int) -> None:
        path = directory.visual
        self._directory = directory
        self._preprocessing = directory.preprocessing
        self.size = self._preprocessing.size
        self._graph = Graph(path, device, threads)
        self.runtime = self._graph.runtime
        self._pixels = ThreadPoolExecutor(threads, thread_name_prefix="clip-pixels")
        # One thread a photo where they go through one by one; batches go one after another.
        runs = threads if self._graph.one_by_one and self._graph.on_cpu else 1
        self._runs = ThreadPoolExecutor(runs, thread_name_prefix="clip-run")
        self.memory_mb = path.stat().st_size / _MB * (1.5 if self._graph.on_cpu else 1.2)
        # Its pixels as bytes, and as floats in its batch.
        self.photo_mb = (directory.layer_values(self.size) * 4 + 3 * self.size**2 * 5) / _MB
        self._check()

    def begin(self, photos: Sequence[Pixels]) -> list[Future[npt.NDArray[Any]]]:
        batch = np.empty((len(photos), 3, self.size, self.size), np.float32)
        prepared = [
            self._pixels.submit(self._preprocessing.prepare, *each) for each in zip(photos, batch, strict=True)
        ]
        step = 1 if self._graph.one_by_one else max(1, len(photos))
        parts = (slice(start, start + step) for start in range(0, len(photos), step))
        return [self._runs.submit(self._run, batch[part], prepared[part]) for part in parts]

    def finish(self, begun: list[Future[npt.NDArray[Any]]]) -> Values:
        return normalised(np.concatenate([each.result() for each in begun]), self._directory)

    def forward(self, batch: Values) -> npt.NDArray[Any]:
        """(n, 3, size, size) as `Preprocessing.prepare` makes them -> the graph's own output: to measure with."""
        if not self._graph.one_by_one:
            return self._graph.run(batch)
        return np.concatenate(list(self._runs.map(self._graph.run, batch[:, None])))

    def close(self) -> None:
        self._pixels.shutdown(cancel_futures=True)
        self._runs.shutdown(cancel_futures=True)

    def _run(self, batch: Values, prepared: Sequence[Future[Values]]) -> npt.NDArray[Any]:
        """`batch` once it has been `prepared`."""
        for each in prepared:
            each.result()
        return self._graph.run(batch)

    def _check(self) -> None:
        """Whether the graph takes squares of the size that the configuration names.

        Raises:
            ClipModelError: it does not, or gives vectors of other dimensions.
        """
        shape = self._graph.inputs[0].shape
        size = self._preprocessing.size
        if len(shape) != 4 or any(isinstance(each, int) and each != size for each in shape[2:]):
            raise ClipModelError(
                f"its image tower takes photos of {shape[2:]}, not of {size} px",
                hint="Its preprocess_cfg.json is of another model: fetch the model again.",
            )
        self.finish(self.begin([np.zeros((size, size, 3), np.uint8)]))


class OnnxTextTower:
    """Words by `textual/model.onnx`."""

    def __init__(self, directory: ModelDirectory, device: str, threads: int) -> None:
        text = directory.text_config
        self._directory = directory
        self._tokenizer = WordTokenizer(
            directory.tokenizer,
            int(text.get("context_length", 77)),
            canonical=text.get("tokenizer_kwargs", {}).get("clean") == "canonicalize",
        )
        self._graph = Graph(directory.textual, device, threads)
        self.encode([""])

    def encode(self, texts: Sequence[str]) -> Values:
        if not texts:
            return np.empty((0, self._directory.traits.dimensions), np.float32)
        tokens = self._tokenizer.encode(texts)
        parts = tokens[:, None] if self._graph.one_by_one else [tokens]
        return normalised(np.concatenate([self._graph.run(part) for part in parts]), self._directory)


def _mentions(path: Path, word: bytes) -> bool:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return mapped.find(word) >= 0
