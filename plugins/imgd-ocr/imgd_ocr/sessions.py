"""ONNX models, loaded; the ones of rapidocr lie in its wheel."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from typing import Any, Final

import onnxruntime

from imgd import open_onnx_session

DETECTOR_FILE: Final = "PP-OCRv6_det_small.onnx"
RECOGNISER_FILE: Final = "PP-OCRv6_rec_small.onnx"
DIRECTION_FILE: Final = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"

_FATAL = 4


def shipped_model(name: str) -> Path:
    """A model file of the installed rapidocr.

    rapidocr itself would download one that is missing; imgd never does so behind anybody's back.

    Raises:
        FileNotFoundError: this rapidocr does not carry it.
    """
    spec = importlib.util.find_spec("rapidocr")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        if (path := Path(folder) / "models" / name).is_file():
            return path
    raise FileNotFoundError(
        f"the installed rapidocr has no models/{name}; reinstall it with `pip install 'rapidocr>=3.10,<3.11'`"
    )


class Session:
    """One model with one input and one output of interest. Several threads may run it at once.

    On a GPU each shape of its input has an ONNX Runtime session of its own: where one session's input changes its
    shape, cuDNN plans every convolution anew, which takes half a second. Callers keep to few shapes where
    `wants_few_shapes` says so.
    """

    def __init__(self, path: Path, device: str) -> None:
        """`device`: `cpu`, or `cuda:N`.

        Raises:
            DeviceUnusableError: this onnxruntime cannot use that device.
        """
        self._path, self._device = path, device
        self._first = self._open()
        self._of_shapes: dict[tuple[int, ...], Any] = {}
        self._lock = threading.Lock()
        self._input = self._first.get_inputs()[0].name
        self._output = self._first.get_outputs()[0].name

    def _open(self) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # photos are read side by side; threads of its own would only contend
        # Photos and lines have all sizes: an arena would keep the memory of the largest of each of them.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.log_severity_level = _FATAL
        return open_onnx_session(self._path, self._device, options, cuda={"cudnn_conv_algo_search": "HEURISTIC"})

    @property
    def provider(self) -> str:
        """What runs it, by ONNX Runtime's own word."""
        return str(self._first.get_providers()[0])

    @property
    def characters(self) -> list[str]:
        """The characters that a recogniser tells apart, as its file lists them.

        Raises:
            ValueError: the file lists none.
        """
        listed: str = self._first.get_modelmeta().custom_metadata_map.get("character", "")
        if not listed:
            raise ValueError("the recognition model lists no characters; it is not one that rapidocr publishes")
        return listed.splitlines()

    @property
    def wants_few_shapes(self) -> bool:
        """Whether each new shape of the input costs time and memory."""
        return self._device != "cpu"

    def run(self, batch: Any) -> Any:
        """The output for `batch`, shape (n, 3, h, w), float32."""
        session = self._of_shape(batch.shape) if self.wants_few_shapes else self._first
        return session.run([self._output], {self._input: batch})[0]

    def _of_shape(self, shape: tuple[int, ...]) -> Any:
        with self._lock:
            if shape not in self._of_shapes:
                self._of_shapes[shape] = self._open() if self._of_shapes else self._first
            return self._of_shapes[shape]
