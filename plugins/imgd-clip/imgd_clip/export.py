"""Writes a PyTorch model of OpenCLIP in the ONNX layout: `python -m imgd_clip.export TORCH_DIR ONNX_DIR`.

The result runs without PyTorch, and fills the same space: its vectors agree with those of the original.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any, Final

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from imgd_clip.directory import ModelDirectory
from imgd_clip.torch_import import import_open_clip, import_torch
from imgd_clip.torch_weights import load_tower
from imgd_clip.traits import Traits

_OPSET: Final = 18
_WORDS: Final = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How `open_clip.SimpleTokenizer` cuts a text into words."""


def export(directory: ModelDirectory, target: Path) -> None:
    """Write the model of `directory` (PyTorch) below `target`: both towers, tokenizer and configuration.

    Raises:
        ClipModelError: the model cannot be used.
    """
    torch = import_torch()
    config, wanted = directory.config, directory.preprocessing
    (target / "visual").mkdir(parents=True, exist_ok=True)
    (target / "textual").mkdir(exist_ok=True)
    photo = torch.zeros(2, 3, wanted.size, wanted.size)
    _write(torch, load_tower(directory, "image", "cpu", "fp32"), photo, "image", target / "visual" / "model.onnx")
    tokens = torch.zeros(2, int(directory.text_config.get("context_length", 77)), dtype=torch.int32)
    tokens[:, 1] = int(directory.text_config.get("vocab_size", 49408)) - 1  # where the text ends, for the pooling
    _write(torch, load_tower(directory, "text", "cpu", "fp32"), tokens, "text", target / "textual" / "model.onnx")
    (target / "config.json").write_text(json.dumps(dict(config)))
    preparation = {
        "size": [wanted.size, wanted.size],
        "mode": "RGB",
        "mean": wanted.mean,
        "std": wanted.deviation,
        "interpolation": wanted.interpolation,
        "resize_mode": wanted.resize_mode,
        "fill_color": wanted.fill,
    }
    (target / "visual" / "preprocess_cfg.json").write_text(json.dumps(preparation))
    if directory.tokenizer.is_file():
        (target / "textual" / "tokenizer.json").write_bytes(directory.tokenizer.read_bytes())
        beside = directory.tokenizer.with_name("tokenizer_config.json")
        if beside.is_file():
            (target / "textual" / beside.name).write_bytes(beside.read_bytes())
    else:
        clip_tokenizer().save(str(target / "textual" / "tokenizer.json"))
        (target / "textual" / "tokenizer_config.json").write_text(json.dumps({"pad_token": "!"}))


def clip_tokenizer() -> Tokenizer:
    """CLIP's own byte-pair tokenizer, as OpenCLIP brings it, in the form of tokenizer.json."""
    simple = import_open_clip().SimpleTokenizer()
    start, end = "<start_of_text>", "<end_of_text>"
    made = Tokenizer(
        models.BPE(
            vocab=simple.encoder,
            merges=list(simple.bpe_ranks),
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            fuse_unk=False,
            unk_token=end,
        )
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(each, simple.encoder[each]) for each in (start, end)]
    )
    return made


def _write(torch: Any, module: Any, example: Any, name: str, path: Path) -> None:
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # ONNX has no such operator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its own future
        torch.onnx.export(
            module,
            (example,),
            str(path),
            input_names=[name],
            output_names=["embedding"],
            dynamic_axes={name: {0: "batch"}, "embedding": {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )
    torch.backends.mha.set_fastpath_enabled(fused)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="TORCH_DIR", help="with open_clip_config.json and weights")
    parser.add_argument("target", type=Path, metavar="ONNX_DIR")
    options = parser.parse_args()
    config = json.loads((options.source / "open_clip_config.json").read_bytes())["model_cfg"]
    size = config.get("vision_cfg", {}).get("image_size", 224)
    traits = Traits(options.source.name, "", int(config["embed_dim"]), int(size), 0)
    export(ModelDirectory.find(options.source, traits, "torch"), options.target)
    print(f"{options.target}: written; `imgctl models add {options.target} --as NAME` takes it")


if __name__ == "__main__":
    main()
