"""The towers apart, models that are broken, and how photos are prepared."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from imgd_clip.analyzer import ClipAnalyzer
from imgd_clip.errors import ClipModelError
from imgd_clip.preprocessing import Preprocessing
from imgd_clip.query import ClipQueryEncoder
from imgd_clip.settings import ClipSettings
from imgd_clip.towers import open_image_tower, open_text_tower
from imgd_clip.traits import traits_of
from PIL import Image

from imgd import DeviceUnusableError, PhotoInput
from imgd.testing import check_query_encoder

SettingsOf = Callable[..., ClipSettings]
PhotoOf = Callable[..., PhotoInput]
Pixels = npt.NDArray[np.uint8]

ENCODE = """
import sys
from pathlib import Path
import numpy as np
from imgd import PhotoInput
from imgd.testing import check_query_encoder
from imgd_clip.query import ClipQueryEncoder
from imgd_clip.settings import ClipSettings

opened = set()
sys.addaudithook(lambda event, args: opened.add(str(args[0])) if event == "open" else None)
root, what = Path(sys.argv[1]), sys.argv[2]
settings = ClipSettings(model=root.name, image_size=96, dimensions=64, threads=1)
encoder = ClipQueryEncoder.configured(settings)(settings, {root.name: root})
encoder.load("cpu")
photo = PhotoInput(1, "photo.jpg", "jpeg", 100, 80, np.zeros((80, 100, 3), np.uint8))
rows = encoder.encode_texts(["dog"]) if what == "words" else encoder.encode_photos([photo])
encoder.close()
mapped = Path("/proc/self/maps").read_text()
print(rows.shape, "torch" in sys.modules)
"""


@pytest.mark.parametrize(("what", "absent"), [("words", "visual"), ("photos", "textual")])
def test_a_process_that_encodes_one_kind_never_needs_the_other_tower(
    onnx_model: Path, tmp_path: Path, what: str, absent: str
) -> None:
    """The other tower's graph is not even there, nor is PyTorch imported."""
    half = tmp_path / "half"
    shutil.copytree(onnx_model, half)
    (half / absent / "model.onnx").unlink()
    done = subprocess.run([sys.executable, "-c", ENCODE, half, what], capture_output=True, text=True, check=False)
    assert done.stdout == "(1, 64) False\n", done.stderr


def test_a_torch_tower_is_filled_with_its_own_tensors_alone(
    torch_model: Path, tmp_path: Path, settings_of: SettingsOf
) -> None:
    from safetensors.torch import load_file, save_file

    for what, kept in (("photos", True), ("words", False)):
        half = tmp_path / what
        half.mkdir()
        shutil.copy(torch_model / "open_clip_config.json", half)
        state = load_file(torch_model / "open_clip_model.safetensors")
        mine = {name: each for name, each in state.items() if name.startswith("visual.") is kept}
        save_file(mine, half / "open_clip_model.safetensors")
        settings = settings_of(what)
        opened: Any = open_image_tower if kept else open_text_tower
        other: Any = open_text_tower if kept else open_image_tower
        opened(settings, traits_of(settings), {what: half}, "cpu")
        with pytest.raises(ClipModelError, match="is no checkpoint of the"):
            other(settings, traits_of(settings), {what: half}, "cpu")


@pytest.mark.parametrize("model", ["small", "small-torch"])
def test_a_photo_has_the_vector_that_the_analyzer_gives_it(
    models: Mapping[str, Path], settings_of: SettingsOf, photo_of: PhotoOf, model: str
) -> None:
    settings = settings_of(model)
    analyzer = ClipAnalyzer.configured(settings)(settings, models)
    encoder = ClipQueryEncoder.configured(settings)(settings, models)
    analyzer.load("cpu")
    encoder.load("cpu")
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8)
    photos = [photo_of(noise), photo_of(noise[:, :40])]
    rows = encoder.encode_photos(photos)
    for row, finding in zip(rows, analyzer.analyze(photos), strict=True):
        np.testing.assert_allclose(row, finding.vectors[0].values, atol=1e-5)  # type: ignore[union-attr]
    assert encoder.encode_texts([]).shape == (0, 64)
    encoder.close()
    analyzer.close()


@pytest.mark.parametrize("model", ["small", "small-torch"])
def test_the_encoder_keeps_the_contract_beside_its_analyzer(
    models: Mapping[str, Path], settings_of: SettingsOf, model: str
) -> None:
    settings = settings_of(model)
    rows = check_query_encoder(ClipQueryEncoder, analyzer=ClipAnalyzer, settings=settings, model_dirs=models)
    assert float(rows["a caption"] @ rows["another caption"]) < 0.9999


def test_texts_longer_than_the_context_keep_their_beginning(
    models: Mapping[str, Path], settings_of: SettingsOf
) -> None:
    settings = settings_of("small", prompt="{}")
    encoder = ClipQueryEncoder.configured(settings)(settings, models)
    long = "one green hill and " * 40
    first, same, other = encoder.encode_texts([long, long + "a castle", "a castle " + long])
    np.testing.assert_allclose(first, same, atol=1e-6)
    assert float(first @ other) < 0.9999


# ---------------------------------------------------------------------- broken models


PREPARATION, CONFIG, GRAPH = "visual/preprocess_cfg.json", "config.json", "visual/model.onnx"
CHANGES: dict[str, dict[str, bytes | None]] = {
    "no image tower": {GRAPH: None},
    "no towers": {GRAPH: None, "textual/model.onnx": None},
    "no preparation": {PREPARATION: None},
    "a preparation that nobody knows": {PREPARATION: b'{"size": 96, "resize_mode": "fold"}'},
    "photos that are not square": {PREPARATION: b'{"size": [96, 64]}'},
    "another size": {PREPARATION: b'{"size": 64}'},
    "no configuration": {CONFIG: None},
    "a configuration that is no table": {CONFIG: b"[1]"},
    "other dimensions": {CONFIG: b'{"embed_dim": 32}'},
    "a graph that is none": {GRAPH: b"not a graph"},
}
"""Files and what is put in their place; None: nothing."""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("no image tower", "lacks the image tower, visual/model.onnx"),
        ("no towers", "lacks visual/model.onnx and textual/model.onnx, or open_clip_config.json"),
        (
            "no preparation",
            "lacks visual/preprocess_cfg.json. `imgctl models verify broken` checks what was fetched; a folder",
        ),
        ("a preparation that nobody knows", "asks for 'fold'. Known: shortest, longest, squash."),
        ("photos that are not square", "are not square: [96, 64]"),
        ("another size", "takes photos of [96, 96], not of 64 px"),
        ("no configuration", "lacks config.json"),
        ("a configuration that is no table", "is no table"),
        ("other dimensions", "have 32 dimensions, not 64. Set `dimensions = 32`"),
        ("a graph that is none", "cannot be loaded"),
    ],
)
def test_a_broken_model_says_what_is_wrong_and_what_to_do(
    onnx_model: Path, tmp_path: Path, settings_of: SettingsOf, change: str, reason: str
) -> None:
    directory = tmp_path / "broken"
    shutil.copytree(onnx_model, directory)
    for name, content in CHANGES[change].items():
        (directory / name).unlink()
        if content is not None:
            (directory / name).write_bytes(content)
    settings = settings_of("broken")
    with pytest.raises(ClipModelError, match=re.escape(reason)):
        open_image_tower(settings, traits_of(settings), {"broken": directory}, "cpu")


def test_dimensions_that_the_graph_does_not_give_are_told(onnx_model: Path, tmp_path: Path) -> None:
    directory = tmp_path / "other"
    shutil.copytree(onnx_model, directory)
    (directory / "config.json").write_text("{}")
    settings = ClipSettings(model="other", image_size=96, dimensions=48)
    with pytest.raises(ClipModelError, match=r"have 64 dimensions, not 48\. Set `dimensions = 64`"):
        open_image_tower(settings, traits_of(settings), {"other": directory}, "cpu")


@pytest.mark.parametrize(
    ("model", "absent", "reason"),
    [
        (
            "small",
            ["textual/tokenizer.json"],
            "lacks the tokenizer of its text tower, textual/tokenizer.json. `imgctl",
        ),
        ("small", ["textual/model.onnx"], "lacks the text tower, textual/model.onnx"),
        ("small", ["textual/model.onnx", "textual/tokenizer.json"], ""),
        ("small-torch", [], "lacks tokenizer.json. Add it from google/siglip"),
    ],
)
def test_an_analyzer_says_what_a_text_tower_lacks_unless_there_is_none(
    models: Mapping[str, Path],
    tmp_path: Path,
    settings_of: SettingsOf,
    model: str,
    absent: list[str],
    reason: str,
) -> None:
    directory = tmp_path / "half"
    shutil.copytree(models[model], directory)
    for name in absent:
        (directory / name).unlink()
    if model == "small-torch":
        config = directory / "open_clip_config.json"
        config.write_text(
            config.read_text().replace(
                '"context_length"', '"hf_tokenizer_name": "google/siglip", "context_length"'
            )
        )
    settings = settings_of("half")
    analyzer = ClipAnalyzer.configured(settings)(settings, {"half": directory})
    with pytest.raises(ClipModelError, match=re.escape(reason)) if reason else nullcontext():
        analyzer.load("cpu")
    analyzer.close()


@pytest.mark.parametrize("content", [None, b"not json"])
def test_a_text_tower_without_its_tokenizer_says_so(
    onnx_model: Path, tmp_path: Path, settings_of: SettingsOf, content: bytes | None
) -> None:
    directory = tmp_path / "speechless"
    shutil.copytree(onnx_model, directory)
    (directory / "textual" / "tokenizer.json").unlink()
    if content is not None:
        (directory / "textual" / "tokenizer.json").write_bytes(content)
    settings = settings_of("speechless")
    with pytest.raises(ClipModelError, match="tokenizer"):
        open_text_tower(settings, traits_of(settings), {"speechless": directory}, "cpu")
    tower = open_image_tower(settings, traits_of(settings), {"speechless": directory}, "cpu")
    tower.close()


def test_a_device_that_onnxruntime_cannot_use_is_refused_with_what_to_install(
    models: Mapping[str, Path], settings_of: SettingsOf
) -> None:
    settings = settings_of("small")
    for opened in (open_image_tower, open_text_tower):
        with pytest.raises(DeviceUnusableError, match=r"cannot use cuda:99 here: .+ onnxruntime-gpu"):
            opened(settings, traits_of(settings), models, "cuda:99")


@pytest.mark.parametrize(
    ("model", "runtime"),
    [("small", "onnxruntime CPUExecutionProvider"), ("small-torch", "PyTorch cpu, float32")],
)
def test_it_says_what_really_runs_it(
    models: Mapping[str, Path], settings_of: SettingsOf, model: str, runtime: str
) -> None:
    analyzer = ClipAnalyzer(settings_of(model), models)
    analyzer.load("cpu")
    analyzer.close()
    assert analyzer.runtime == runtime


# ---------------------------------------------------------------------- how photos are prepared


def blocks(height: int, width: int) -> Pixels:
    """A picture with edges and grain, of middling contrast: each library rounds overshoots in its own way."""
    random = np.random.default_rng(2)
    coarse = random.integers(60, 180, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    grain = random.integers(0, 16, (height, width, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height, :width] + grain


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_photos_are_prepared_as_openclip_prepares_them(torch_model: Path, mode: str, interpolation: str) -> None:
    del torch_model  # skips where OpenCLIP is not installed
    from imgd_clip.torch_import import import_open_clip

    values = {"size": [96, 96], "resize_mode": mode, "interpolation": interpolation, "mean": 0.5, "std": 0.25}
    mine = Preprocessing.read({**values, "fill_color": 40}, 0)
    theirs = import_open_clip().image_transform(
        (96, 96),
        is_train=False,
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        resize_mode=mode,
        interpolation=interpolation,
        fill_color=40,
    )
    for height, width in ((144, 216), (211, 97), (96, 96), (40, 61), (300, 17)):
        pixels = blocks(height, width)
        difference = np.abs(mine.prepare(pixels) - theirs(Image.fromarray(pixels)).numpy()) * 0.25 * 255
        assert difference.max() <= 2.1, (height, width)


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_a_device_prepares_photos_as_the_processor_does(
    small_config: dict[str, Any],
    write_torch_model: Callable[..., Path],
    settings_of: SettingsOf,
    tmp_path: Path,
    mode: str,
) -> None:
    preparation = {"size": [96, 96], "resize_mode": mode, "fill_color": 90}
    directory = write_torch_model(tmp_path / mode, small_config, preparation)
    settings = settings_of(mode)
    tower: Any = open_image_tower(settings, traits_of(settings), {mode: directory}, "cpu")
    prepared: list[Any] = []
    forward = tower.forward
    tower.forward = lambda batch: (prepared.append(batch), forward(batch))[1]
    photos = [blocks(*shape) for shape in ((144, 216), (61, 40), (144, 216))]
    begun = tower.begin(photos)
    mine = Preprocessing.read(preparation, 96)
    for row, values in zip(begun.rows, prepared[0].numpy(), strict=True):
        difference = np.abs(values - mine.prepare(photos[row])) * 0.27 * 255
        assert difference.mean() <= 0.2  # a shift by a tenth of a pixel makes it 1
        assert difference.max() <= 4
    tower.close()
