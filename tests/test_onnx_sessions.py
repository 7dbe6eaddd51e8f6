"""Sessions of ONNX Runtime for plugins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from imgd import DeviceUnusableError, open_onnx_session


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    """A model that adds its input to itself."""
    described = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "doubling", described[:1], described[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "doubling" / "model.onnx"
    path.parent.mkdir()
    onnx.save(model, path)
    return path


def run(session: onnxruntime.InferenceSession) -> list[float]:
    return list(session.run(None, {"x": np.array([1.0, 2.0], np.float32)})[0])


def test_the_processor_serves_where_it_was_asked_for(doubling: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = open_onnx_session(doubling, "cpu", options)
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert run(session) == [2.0, 4.0]


def test_a_device_that_it_cannot_use_is_refused_with_what_to_do(doubling: Path) -> None:
    with pytest.raises(DeviceUnusableError) as refused:
        open_onnx_session(doubling, "cuda:99")  # no machine has so many
    said = str(refused.value)
    assert said.startswith("onnxruntime cannot use cuda:99 here: doubling/model.onnx would run on the processor (")
    assert "`pip install 'onnxruntime-gpu[cuda,cudnn]'`" in said
    assert said.endswith('or, where there is no such GPU, set `devices = ["cpu"]` in [lanes].')


@pytest.mark.skipif(
    "CUDAExecutionProvider" not in onnxruntime.get_available_providers(),
    reason="this onnxruntime is made for the processor",
)
def test_a_gpu_serves_where_it_was_asked_for(doubling: Path) -> None:
    session = open_onnx_session(doubling, "cuda:0", cuda={"cudnn_conv_algo_search": "HEURISTIC"})
    assert session.get_providers()[0] == "CUDAExecutionProvider"
    assert run(session) == [2.0, 4.0]


def test_a_file_that_is_no_model_is_told_by_onnxruntime(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(Exception, match=r"model\.onnx"):
        open_onnx_session(tmp_path / "model.onnx", "cpu")
