"""OpenCLIP's image towers with random weights as an analyzer: what a large model costs, no weights need tell."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from imgd import Analyzer, Device, Finding, Needs, PhotoInput, Vector

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""OpenAI's CLIP, as `open_clip.OPENAI_DATASET_MEAN` and `_STD`."""
_PROBES = (8, 24)
_MB = 1 << 20
_ALONE = 2
"""The turn of a batch that is not begun ahead."""
_COPIERS = 4
"""Threads that copy pixels to pinned memory; NumPy lets go of the interpreter while it copies."""

Pixels = npt.NDArray[np.uint8]
_DEFINED: list[Any] = []
"""Libraries of operators, which have to outlive the function that made them."""


@dataclass(frozen=True, slots=True)
class TowerSettings:
    """`model`: one of `open_clip.list_models()`. `precision`: `fp32` or `bf16`. `batch_size`: the most photos."""

    model: str = "ViT-B-32"
    precision: str = "bf16"
    batch_size: int = 256


class Tower:
    """An image tower on a device. Imports PyTorch when it is made."""

    def __init__(self, settings: TowerSettings, device: str) -> None:
        torch = import_torch()
        open_clip: Any = importlib.import_module("open_clip")
        torch.manual_seed(0)
        self.torch = torch
        self.device = torch.device(device)
        self.dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[settings.precision]
        model = open_clip.create_model(settings.model)
        self.edge = int(open_clip.get_model_config(settings.model)["vision_cfg"].get("image_size", 224))
        self.visual = model.visual.eval().requires_grad_(False).to(self.device, self.dtype)

    def forward(self, batch: Any) -> Any:
        """(n, 3, edge, edge) normalised in the tower's precision -> (n, dimensions) L2-normalised float32."""
        with self.torch.inference_mode():
            vectors: Any = self.torch.nn.functional.normalize(self.visual(batch).float(), dim=-1)
            return vectors

    def ready(self, count: int) -> Any:
        """A batch of noise, as `forward` takes it, on the device."""
        shape = (count, 3, self.edge, self.edge)
        return self.torch.randn(shape, device=self.device, dtype=self.dtype)

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            self.torch.cuda.synchronize(self.device)

    def weights_mb(self) -> float:
        return float(sum(each.numel() * each.element_size() for each in self.visual.parameters())) / _MB

    def photo_mb(self) -> float:
        """What a photo adds to a batch: measured on a GPU, on a CPU by the largest tensors of one layer."""
        torch = self.torch
        if self.device.type == "cuda":
            peaks = []
            for count in _PROBES:
                self.synchronise()
                torch.cuda.reset_peak_memory_stats(self.device)
                self.forward(self.ready(count))
                peaks.append(torch.cuda.max_memory_allocated(self.device))
            return max(0.1, float(peaks[1] - peaks[0]) / (_PROBES[1] - _PROBES[0]) / _MB)
        tokens, width = self.visual.positional_embedding.shape
        pixels = 3 * self.edge * self.edge
        element_bytes = 4 if self.dtype is torch.float32 else 2
        # The residual; queries, keys and values; the hidden layer before and after its activation: 1 + 3 + 2 x 4.
        return float((12 * tokens * width + 2 * pixels) * element_bytes + pixels * 4) / _MB


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch on its way. `vectors`: on the host, once `computed` is over. `rows`: which photo each is of."""

    vectors: Any
    rows: list[int]
    computed: Any = None


class OpenClipAnalyzer(Analyzer[TowerSettings]):
    """Crops in the copy to pinned memory; scales and normalises on the device; the next batch is on its way there
    while the last one is computed."""

    name = "openclip"
    version = "1"
    needs = Needs(edge=336)
    device = Device.MODEL
    batch_size = 4096
    settings_type = TowerSettings

    def load(self, device: str) -> None:
        self._tower = Tower(self.settings, device)
        torch = self._torch = self._tower.torch
        self.batch_size = self.settings.batch_size
        place = {"device": self._tower.device, "dtype": self._tower.dtype}
        self._mean = torch.tensor(_MEAN, **place).view(1, 3, 1, 1) * 255
        self._scale = 1 / (torch.tensor(_DEVIATION, **place).view(1, 3, 1, 1) * 255)
        self._on_gpu = self._tower.device.type == "cuda"
        self._copies = torch.cuda.Stream(self._tower.device) if self._on_gpu else None
        self._copiers = ThreadPoolExecutor(_COPIERS, thread_name_prefix="openclip")
        self._buffers: dict[tuple[int, int], Any] = {}
        self._turn = 0
        self.memory_mb = self._tower.weights_mb()
        self.photo_mb = self._tower.photo_mb()

    def begin(self, photos: Sequence[PhotoInput]) -> Begun:
        self._turn ^= 1
        return self._start(photos, self._turn)

    def finish(self, begun: Begun) -> list[Finding]:
        if begun.computed is not None:
            begun.computed.synchronize()
        space = f"clip:{self.settings.model}/random"
        rows = begun.vectors.numpy()[np.argsort(begun.rows)]
        return [Finding(vectors=(Vector(space, row),)) for row in rows]

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return self.finish(self._start(photos, _ALONE))

    def close(self) -> None:
        self._copiers.shutdown()

    def _start(self, photos: Sequence[PhotoInput], turn: int) -> Begun:
        """Nothing here waits for the device."""
        squares: dict[int, list[int]] = {}
        for row, photo in enumerate(photos):
            squares.setdefault(min(photo.image.shape[:2]), []).append(row)
        parts = [self._prepare([photos[row].image for row in rows], edge, turn) for edge, rows in squares.items()]
        order = [row for rows in squares.values() for row in rows]
        vectors = self._tower.forward(self._torch.cat(parts) if len(parts) > 1 else parts[0])
        if not self._on_gpu:
            return Begun(vectors, order)
        host = self._buffer(turn, 0, (self.batch_size, vectors.shape[1]), vectors.dtype)[: len(photos)]
        host.copy_(vectors, non_blocking=True)
        computed = self._torch.cuda.Event()
        computed.record()
        return Begun(host, order, computed)

    def _prepare(self, images: list[Pixels], edge: int, turn: int) -> Any:
        """(n, 3, tower's edge, tower's edge) of the centre squares of `images`, whose short edge is `edge`."""
        torch = self._torch
        host = self._buffer(turn, edge, (self.batch_size, edge, edge, 3), torch.uint8)[: len(images)]
        rows = host.numpy()

        def copy(first: int) -> None:
            for row in range(first, len(images), _COPIERS):
                image = images[row]
                top, left = (image.shape[0] - edge) // 2, (image.shape[1] - edge) // 2
                rows[row] = image[top : top + edge, left : left + edge]

        list(self._copiers.map(copy, range(_COPIERS)))
        if self._copies is None:
            pixels = host
        else:
            with torch.cuda.stream(self._copies):
                pixels = host.to(self._tower.device, non_blocking=True)
            computing = torch.cuda.current_stream(self._tower.device)
            computing.wait_stream(self._copies)
            pixels.record_stream(computing)
        batch = pixels.permute(0, 3, 1, 2).to(self._tower.dtype)
        if edge != self._tower.edge:
            size = (self._tower.edge, self._tower.edge)
            batch = torch.nn.functional.interpolate(batch, size, mode="bilinear", align_corners=False)
        return (batch - self._mean) * self._scale

    def _buffer(self, turn: int, edge: int, shape: tuple[int, ...], dtype: Any) -> Any:
        """Memory of the host for a batch; that of the last turn may still be in use. Pinned for a GPU, which then
        copies by itself."""
        if (turn, edge) not in self._buffers:
            self._buffers[turn, edge] = self._torch.empty(shape, dtype=dtype, pin_memory=self._on_gpu)
        return self._buffers[turn, edge]


def import_torch() -> Any:
    """PyTorch, and a torchvision that open_clip can import: one that was built for another PyTorch does not
    register operators that its own import asks for, and that nothing here calls."""
    torch: Any = importlib.import_module("torch")
    for _ in range(8):
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise
        else:
            break
        for name in [each for each in sys.modules if each.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define(f"{missing[1]}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DEFINED.append(library)
    return torch
