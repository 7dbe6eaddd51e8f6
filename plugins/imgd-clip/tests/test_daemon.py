"""Through a real daemon: photos become findable by what they are like; a space without words stands in no way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from imgd_clip.models import IMAGES_ONLY
from PIL import Image, ImageFilter

from tests.support.daemon_process import Daemon, daemon

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "05_semantic"


def picture(seed: int) -> Image.Image:
    """A picture of large soft blocks, unlike those of other seeds."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(np.kron(coarse, np.ones((64, 64, 1), np.uint8))).filter(ImageFilter.GaussianBlur(8))


# ---------------------------------------------------------------------- a model of one's own, with both towers


@pytest.fixture(scope="module")
def own(onnx_model: Path) -> Iterator[Daemon]:
    section = {"model": "mine", "image_size": 96, "dimensions": 64, "threads": 1}
    with daemon(plugins="clip") as running:
        running.configure(analyzers={"clip": section})
        for seed in range(8):
            picture(seed).save(running.root / f"{seed}.png")
        running.start()
        running.wait()
        yield running


def test_an_added_model_starts_an_analyzer_that_waited_for_it(own: Daemon, onnx_model: Path) -> None:
    assert "waiting for model" in own.ctl("analyzers").out
    assert own.ctl("models", "add", str(onnx_model), "--as", "mine").out == "mine: added\n"
    assert "mine\tpresent" in own.ctl("models", "list").out
    own.until(lambda: "waiting for model" not in own.ctl("analyzers").out)
    own.wait()
    assert own.findings(own.root / "3.png")["clip"]["vectors"]


def test_a_changed_copy_finds_its_original_first(own: Daemon) -> None:
    copy = own.root.parent / "copy.jpg"
    for seed in range(8):
        picture(seed).resize((224, 160)).save(copy, quality=80)
        assert own.found(f'like:"{copy}"')[:1] == [f"{seed}.png"]


def test_words_are_encoded_by_the_text_tower(own: Daemon) -> None:
    answer = own.ctl("search", "--json", "a mountain lake")
    assert "error" not in answer.err
    assert "encoder" not in answer.err


# ---------------------------------------------------------------------- the real image tower, which has no words


@pytest.fixture(scope="module")
def likeness(real_images: Mapping[str, Path]) -> Iterator[Daemon]:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real photos is not beside this checkout")
    (model,) = real_images.values()
    with daemon(plugins="clip") as running:
        running.configure(
            paths={"models_dir": str(model.parent)}, analyzers={"clip": {"model": IMAGES_ONLY.model.name}}
        )
        for path in sorted(CORPUS.glob("coco_*.jpg"))[:12]:
            (running.root / path.name).write_bytes(path.read_bytes())
        running.start()
        running.wait()
        yield running


def test_real_photos_are_found_by_copies_of_them(likeness: Daemon) -> None:
    copy = likeness.root.parent / "copy.jpg"
    for path in sorted(likeness.root.iterdir()):
        with Image.open(path) as image:
            half = image.convert("RGB").resize((image.width // 2, image.height // 2))
        half.save(copy, quality=70)
        assert likeness.found(f'like:"{copy}"')[:1] == [path.name]


def test_searches_for_words_pass_over_a_space_that_has_none(likeness: Daemon) -> None:
    first = min(likeness.root.iterdir())
    answer = likeness.ctl("search", "--json", first.stem)
    assert first.name in answer.out
    assert "text tower" not in answer.out + answer.err
    assert "text tower" not in likeness.ctl("search", "--json", "a mountain lake").err
