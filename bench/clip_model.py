"""OpenCLIP's architectures with random weights, in both layouts: to see what they cost, and whether both agree."""

from __future__ import annotations

import json
from pathlib import Path

from imgd_clip.directory import ModelDirectory
from imgd_clip.settings import ClipSettings, Precision
from imgd_clip.torch_import import import_open_clip, import_torch
from imgd_clip.traits import traits_of


def random_model(folder: Path, architecture: str) -> Path:
    """A model of `architecture` (one of `open_clip.list_models()`) as OpenCLIP saves to a hub, below `folder`."""
    torch, open_clip = import_torch(), import_open_clip()
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = open_clip.create_model(architecture)
    directory = folder / f"{architecture}__random-torch"
    directory.mkdir()
    state = {name: each.contiguous() for name, each in model.state_dict().items()}
    save_file(state, directory / "open_clip_model.safetensors")
    config = {"model_cfg": open_clip.get_model_config(architecture), "preprocess_cfg": model.visual.preprocess_cfg}
    (directory / "open_clip_config.json").write_text(json.dumps(config))
    return directory


def exported(folder: Path, torch_model: Path) -> Path:
    """The same model in the ONNX layout, below `folder`."""
    from imgd_clip.export import export

    target = folder / torch_model.name.removesuffix("-torch")
    export(ModelDirectory.find(torch_model, traits_of(settings_of(torch_model))), target)
    return target


def settings_of(model: Path, precision: Precision = "fp32", batch_size: int = 64) -> ClipSettings:
    """Settings that name `model`, which lies in a directory of that name."""
    return ClipSettings(model=model.name, precision=precision, batch_size=batch_size)
