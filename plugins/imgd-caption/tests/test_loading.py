"""What is wrong with a model or an installation is told in a sentence, with what to do."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from imgd_caption.captioner import Captioner
from imgd_caption.errors import CaptionModelError
from imgd_caption.libraries import import_transformers
from imgd_caption.settings import CaptionSettings


def load(directory: Path) -> Captioner:
    return Captioner(directory, CaptionSettings(threads=1), "cpu")


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def without_weights(directory: Path) -> None:
    (directory / "model.safetensors").unlink()


def with_torn_weights(directory: Path) -> None:
    weights = directory / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def with_some_weights(directory: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(directory / "model.safetensors")
    del tensors["vision_model.post_layernorm.weight"]
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})


def with_other_shapes(directory: Path) -> None:
    config = json.loads((directory / "config.json").read_text())
    edit(directory / "config.json", vision_config={**config["vision_config"], "intermediate_size": 48})


def without_tokenizer(directory: Path) -> None:
    for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
        (directory / name).unlink()


class Runs:
    """Says that it was run when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (os.environ["CAPTION_TEST_MARK"],)


def with_a_program_for_weights(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    (directory / "pytorch_model.bin").write_bytes(pickle.dumps(Runs()))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda directory: (directory / "config.json").unlink(),
            "config.json of the model in spoilt cannot be read",
        ),
        (
            lambda directory: (directory / "config.json").write_text("{}"),
            "config.json of the model in spoilt cannot",
        ),
        (lambda directory: edit(directory / "config.json", model_type="clip"), "is a 'clip', not a 'blip'"),
        (without_weights, "the model in spoilt cannot be loaded"),
        (with_torn_weights, "the model in spoilt cannot be loaded"),
        (
            with_some_weights,
            "1 tensors are missing or of another shape, such as vision_model.post_layernorm.weight",
        ),
        (with_other_shapes, "are missing or of another shape"),
        (without_tokenizer, "the model in spoilt has neither tokenizer.json nor vocab.txt"),
        (with_a_program_for_weights, "the model in spoilt cannot be loaded"),
    ],
)
def test_a_broken_directory_is_told(
    copy_of: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object], told: str
) -> None:
    monkeypatch.setenv("CAPTION_TEST_MARK", str(tmp_path / "it ran"))
    spoil(copy_of)
    with pytest.raises(CaptionModelError) as caught:
        load(copy_of)
    assert told in str(caught.value)
    assert "README" in str(caught.value)
    assert not (tmp_path / "it ran").exists()


def test_weights_may_be_in_the_older_format_of_the_published_base_model(copy_of: Path) -> None:
    torch, _ = import_transformers()
    from safetensors.torch import load_file

    tensors = load_file(copy_of / "model.safetensors")
    # What that file has besides, of an older transformers: a buffer, and tied tensors under both names.
    tensors["text_decoder.bert.embeddings.position_ids"] = torch.arange(32)[None]
    (copy_of / "model.safetensors").unlink()
    torch.save(tensors, copy_of / "pytorch_model.bin")
    assert load(copy_of).parameters > 10_000


def test_nothing_is_asked_of_a_network(tiny_blip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("it asked a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    load(tiny_blip)


@pytest.mark.parametrize(("missing", "title"), [("torch", "PyTorch"), ("transformers", "transformers")])
def test_a_missing_library_is_told_with_the_command_that_installs_it(
    missing: str, title: str, tmp_path: Path
) -> None:
    if missing == "transformers":
        pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'imgd-caption[torch]'")
    code = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "from imgd_caption.analyzer import CaptionAnalyzer as A\n"
        "from imgd_caption.errors import CaptionModelError\n"
        "from pathlib import Path\n"
        "try:\n"
        "    A(A.settings_type(), {'blip-base': Path(sys.argv[1])}).load('cpu')\n"
        "except CaptionModelError as error:\n"
        "    print(error)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert answer.stdout == (
        f"{title} is not installed where imgd runs. "
        "Run `imgctl plugins install 'imgd-caption[torch]'`, and restart imgd.\n"
    )
