"""A BLIP of a few thousand parameters, in the directory layout that transformers saves, trained for some seconds:
it tells squares by their colours. So the real loading and generating code runs, and has something right to say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Pixels = npt.NDArray[np.uint8]

COLOURS = {"red": (220, 30, 30), "blue": (30, 40, 220)}
EDGE = 32
_WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "blue", "square", "on", "grey", "paper")
_BOS = len(_WORDS)  # as in the real models, a token that the tokenizer does not know
_STEPS, _BATCH = 80, 16


def square(colour: str, seed: int, size: tuple[int, int] = (EDGE, EDGE)) -> Pixels:
    """A square of a colour somewhere on grey paper, (h, w, 3)."""
    random = np.random.default_rng(seed)
    height, width = size
    edge = int(min(size) * random.uniform(0.4, 0.6))
    top, left = random.integers(0, height - edge), random.integers(0, width - edge)
    pixels = random.normal(random.integers(100, 150), 6, (height, width, 3))
    pixels[top : top + edge, left : left + edge] = COLOURS[colour]
    return np.clip(pixels, 0, 255).astype(np.uint8)


def caption_of(colour: str) -> str:
    return f"a {colour} square on grey paper"


def make_tiny_blip(directory: Path) -> Path:
    """Train the model and save it to `directory`; skips where PyTorch or transformers is not installed."""
    for name in ("torch", "transformers"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install 'imgd-caption[torch]'")
    from imgd_caption.libraries import import_transformers

    torch, transformers = import_transformers()
    (directory / "vocab.txt").write_text("\n".join(_WORDS) + "\n")
    tokenizer = transformers.BertTokenizer(str(directory / "vocab.txt"))
    tokenizer.save_pretrained(directory)
    transformers.BlipImageProcessorPil(size={"height": EDGE, "width": EDGE}).save_pretrained(directory)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors this small are slower on several
    try:
        model = _train(torch, transformers, tokenizer)
    finally:
        torch.set_num_threads(threads)
    model.save_pretrained(directory)
    return directory


def _train(torch: Any, transformers: Any, tokenizer: Any) -> Any:
    from imgd_caption.pictures import Preprocessing

    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {
        "vocab_size": len(_WORDS) + 2,
        "max_position_embeddings": 32,
        "bos_token_id": _BOS,
        "sep_token_id": _WORDS.index("[SEP]"),
        "pad_token_id": 0,
    }
    config = transformers.BlipConfig(
        vision_config={**tower, "image_size": EDGE, "patch_size": 8, "initializer_range": 0.02},
        text_config={**tower, **text},
    )
    torch.manual_seed(0)
    model = transformers.BlipForConditionalGeneration(config)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    preprocessing = Preprocessing(EDGE, EDGE)
    model.train()
    for step in range(_STEPS):
        colours = [list(COLOURS)[number % 2] for number in range(_BATCH)]
        pictures = np.stack(
            [preprocessing.apply(square(each, step * _BATCH + number)) for number, each in enumerate(colours)]
        )
        ids = tokenizer([caption_of(each) for each in colours], return_tensors="pt").input_ids
        ids[:, 0] = _BOS
        labels = ids.clone()
        labels[:, 0] = -100
        loss = model(pixel_values=torch.from_numpy(pictures), input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()
