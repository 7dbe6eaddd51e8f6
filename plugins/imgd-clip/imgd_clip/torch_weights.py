"""One tower of a checkpoint of OpenCLIP, made and filled without the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from imgd_clip.directory import ModelDirectory
from imgd_clip.errors import ClipModelError
from imgd_clip.settings import Precision
from imgd_clip.torch_import import import_open_clip, import_torch

_NO_TOWER: Final = ("logit_scale", "logit_bias")
Which = Literal["image", "text"]


def precision_of(torch: Any, wanted: Precision, device: str) -> Any:
    """The type of the weights: on a GPU bf16 where nothing else is wanted, which halves memory and time."""
    name = wanted if wanted != "auto" else ("fp32" if device == "cpu" else "bf16")
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]


def load_tower(directory: ModelDirectory, which: Which, device: str, precision: Precision) -> Any:
    """The module of one tower, with its weights, on `device`. It is built without storage first, so that no more
    memory is ever taken than the weights do.

    Raises:
        ClipModelError: the checkpoint is not of the architecture that its configuration names.
    """
    torch, open_clip = import_torch(), import_open_clip()
    config = directory.config
    dtype = precision_of(torch, precision, device)
    part, builder = {
        "image": ("vision_cfg", open_clip.model._build_vision_tower),
        "text": ("text_cfg", open_clip.model._build_text_tower),
    }[which]
    try:
        with torch.device("meta"):
            tower = builder(config["embed_dim"], dict(config[part]), config.get("quick_gelu", False))
        state = _state(torch, directory.weights, which, tower.state_dict().keys())
        tower.load_state_dict(state, strict=True, assign=True)
        _fill_buffers(tower, builder, directory, part)
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ClipModelError(
            f"{directory.weights} is no checkpoint of the {which} tower that its configuration names: {error}",
            hint="open_clip_config.json and the weights must be of one model: fetch it again.",
        ) from error
    return tower.eval().requires_grad_(False).to(device, dtype)


def _state(torch: Any, path: Path, which: Which, wanted: Any) -> dict[str, Any]:
    """The tower's own tensors by their names in it; no others are read."""
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="pt") as opened:
            names = _names(opened.keys(), which, wanted)
            return {own: opened.get_tensor(name) for name, own in names.items()}
    loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    loaded = loaded.get("state_dict", loaded)
    return {own: loaded[name] for name, own in _names(loaded.keys(), which, wanted).items()}


def _names(stored: Any, which: Which, wanted: Any) -> dict[str, str]:
    """Stored name -> name in the tower. CLIP keeps its text tower at the top level, models of later kinds in
    `text`; a checkpoint of a distributed training has `module.` before all."""
    found = {}
    for name in stored:
        bare = name.removeprefix("module.")
        if bare in _NO_TOWER or bare.startswith("visual.") != (which == "image"):
            continue
        own = bare.removeprefix("visual.") if which == "image" else bare.removeprefix("text.")
        if own in wanted:
            found[name] = own
    return found


def _fill_buffers(tower: Any, builder: Any, directory: ModelDirectory, part: str) -> None:
    """Give buffers that no checkpoint has (a causal mask) their values, by a tower that is built for real."""
    missing = [name for name, each in tower.named_buffers() if each.is_meta]
    if not missing:
        return
    config = directory.config
    made = dict(builder(config["embed_dim"], dict(config[part]), config.get("quick_gelu", False)).named_buffers())
    for name in missing:
        module, _, leaf = name.rpartition(".")
        owner = tower.get_submodule(module)
        owner.register_buffer(leaf, made[name].clone(), persistent=leaf not in owner._non_persistent_buffers_set)
