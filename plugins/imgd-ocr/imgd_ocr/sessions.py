"""ONNX models, loaded; the ones of rapidocr lie in its wheel."""

from __future__ import annotations

import importlib.util
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
    """One model with one input and one output of interest. Several threads may run it at once."""

    def __init__(self, path: Path, device: str) -> None:
        """`device`: `cpu`, or `cuda:N`.

        Raises:
            DeviceUnusableError: this onnxruntime cannot use that device.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # photos are read side by side; threads of its own would only contend
        # Photos and lines have all sizes: an arena would keep the memory of the largest of each of them.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.log_severity_level = _FATAL
        # An exhaustive search of algorithms for each size would never pay.
        self._session = open_onnx_session(path, device, options, cuda={"cudnn_conv_algo_search": "HEURISTIC"})
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    @property
    def provider(self) -> str:
        """What runs it, by ONNX Runtime's own word."""
        return str(self._session.get_providers()[0])

    @property
    def characters(self) -> list[str]:
        """The characters that a recogniser tells apart, as its file lists them.

        Raises:
            ValueError: the file lists none.
        """
        listed: str = self._session.get_modelmeta().custom_metadata_map.get("character", "")
        if not listed:
            raise ValueError("the recognition model lists no characters; it is not one that rapidocr publishes")
        return listed.splitlines()

    def run(self, batch: Any) -> Any:
        """The output for `batch`, shape (n, 3, h, w), float32."""
        return self._session.run([self._output], {self._input: batch})[0]
