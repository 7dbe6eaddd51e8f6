"""The image tower on PyTorch: photos are copied to pinned memory, and resized, cropped and normalised on the
device; the next batch is on its way there while the last one is computed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from imgd_clip.directory import ModelDirectory
from imgd_clip.errors import ClipModelError
from imgd_clip.preprocessing import Pixels, Values
from imgd_clip.settings import ClipSettings
from imgd_clip.torch_import import import_torch
from imgd_clip.torch_weights import load_tower
from imgd_clip.vectors import normalised

_MB: Final = 1 << 20
_PROBES: Final = (8, 24)
_COPIERS: Final = 4
"""Threads that copy pixels to pinned memory; NumPy lets go of the interpreter while it copies."""
_MOST_ASPECT: Final = 4
_TURNS: Final = 3
"""Batches whose pixels may be in use: one computed, one begun, and one that is repeated between them."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch on its way. `vectors`: on the host, once `computed` is over. `rows`: which photo each is of."""

    vectors: Any
    rows: list[int]
    computed: Any = None


class TorchImageTower:
    """Nothing in `begin` waits for a GPU; on a processor it computes."""

    def __init__(self, directory: ModelDirectory, device: str, settings: ClipSettings) -> None:
        self.torch = torch = import_torch()
        if device == "cpu":
            torch.set_num_threads(settings.thread_count)
        self._directory = directory
        self._preprocessing = directory.preprocessing
        self.device = torch.device(device)
        self._on_gpu = self.device.type == "cuda"
        self.module = load_tower(directory, "image", device, settings.precision)
        self.dtype = next(self.module.parameters()).dtype
        self.runtime = f"PyTorch {device}, {str(self.dtype).removeprefix('torch.')}"
        place = {"device": self.device, "dtype": torch.float32}
        self._mean = torch.tensor(self._preprocessing.mean, **place).view(1, 3, 1, 1) * 255
        self._scale = 1 / (torch.tensor(self._preprocessing.deviation, **place).view(1, 3, 1, 1) * 255)
        self._copies = torch.cuda.Stream(self.device) if self._on_gpu else None
        self._copiers = ThreadPoolExecutor(_COPIERS, thread_name_prefix="clip-pixels")
        self._buffers: list[Any] = [None] * _TURNS
        self._turn = 0
        self.memory_mb = float(sum(each.numel() * each.element_size() for each in self.module.parameters())) / _MB
        self.photo_mb = self._measure_photo()
        self.finish(self.begin([np.zeros((2, 2, 3), np.uint8)]))

    def begin(self, photos: Sequence[Pixels]) -> Begun:
        torch = self.torch
        self._turn = (self._turn + 1) % _TURNS
        shapes: dict[tuple[int, int], list[int]] = {}
        crops = [self._crop(photo) for photo in photos]
        for row, crop in enumerate(crops):
            shapes.setdefault(crop.shape[:2], []).append(row)
        rows = [row for group in shapes.values() for row in group]
        host = self._pinned(sum(crops[row].size for row in rows))
        self._copy([crops[row] for row in rows], host.numpy())
        pixels = self._send(host)
        parts, at = [], 0
        for (height, width), group in shapes.items():
            size = len(group) * height * width * 3
            parts.append(self._prepare(pixels[at : at + size].view(len(group), height, width, 3)))
            at += size
        vectors = self.forward(torch.cat(parts) if len(parts) > 1 else parts[0])
        if not self._on_gpu:
            return Begun(vectors, rows)
        found = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
        found.copy_(vectors, non_blocking=True)
        computed = torch.cuda.Event()
        computed.record(torch.cuda.current_stream(self.device))
        return Begun(found, rows, computed)

    def finish(self, begun: Begun) -> Values:
        if begun.computed is not None:
            begun.computed.synchronize()
        return normalised(begun.vectors.numpy()[np.argsort(begun.rows)], self._directory)

    def close(self) -> None:
        self._copiers.shutdown()

    def forward(self, batch: Any) -> Any:
        """(n, 3, size, size) normalised, in the tower's precision -> (n, dimensions) float32, of length one."""
        torch = self.torch
        with torch.inference_mode():
            vectors = self.module(batch)
            vectors = vectors[0] if isinstance(vectors, tuple) else vectors
            return torch.nn.functional.normalize(vectors.float(), dim=-1)

    def noise(self, count: int) -> Any:
        """A batch as `forward` takes it, on the device: to measure with."""
        size = self._preprocessing.size
        return self.torch.randn((count, 3, size, size), device=self.device, dtype=self.dtype)

    def synchronise(self) -> None:
        """Wait for what the device has in hand."""
        if self._on_gpu:
            self.torch.cuda.synchronize(self.device)

    def _crop(self, photo: Pixels) -> Pixels:
        """The photo, but of a panorama whose middle is all that the model sees no more than that needs: resized
        as it is, one of a single row would fill the memory."""
        height, width = photo.shape[:2]
        most = _MOST_ASPECT * min(height, width)
        if self._preprocessing.resize_mode != "shortest" or max(height, width) <= most:
            return photo
        top, left = max(0, height - most) // 2, max(0, width - most) // 2
        return photo[top : top + most, left : left + most]

    def _copy(self, crops: list[Pixels], flat: Any) -> None:
        """`crops` one after another into `flat`, each by one thread."""
        ends = np.cumsum([crop.size for crop in crops])

        def copy(first: int) -> None:
            for row in range(first, len(crops), _COPIERS):
                crop = crops[row]
                flat[ends[row] - crop.size : ends[row]].reshape(crop.shape)[:] = crop

        list(self._copiers.map(copy, range(_COPIERS)))

    def _send(self, host: Any) -> Any:
        torch = self.torch
        if self._copies is None:
            return host
        with torch.cuda.stream(self._copies):
            pixels = host.to(self.device, non_blocking=True)
        computing = torch.cuda.current_stream(self.device)
        computing.wait_stream(self._copies)
        pixels.record_stream(computing)
        return pixels

    def _prepare(self, pixels: Any) -> Any:
        """(n, 3, size, size) of (n, h, w, 3): resized as Pillow resizes, to whole grey levels, then normalised."""
        torch, wanted = self.torch, self._preprocessing
        with torch.inference_mode():
            batch = pixels.permute(0, 3, 1, 2).float()
            size = wanted.scaled(*batch.shape[-2:])
            if tuple(batch.shape[-2:]) != size:
                batch = torch.nn.functional.interpolate(
                    batch, size, mode=wanted.interpolation, align_corners=False, antialias=True
                )
                batch = batch.round_().clamp_(0, 255)
            if wanted.resize_mode == "shortest":
                top, left = (round((each - wanted.size) / 2) for each in size)
                batch = batch[:, :, top : top + wanted.size, left : left + wanted.size]
            elif wanted.resize_mode == "longest":
                top, left = ((wanted.size - each) // 2 for each in size)
                around = (left, wanted.size - size[1] - left, top, wanted.size - size[0] - top)
                batch = torch.nn.functional.pad(batch, around, value=float(wanted.fill))
            return ((batch - self._mean) * self._scale).to(self.dtype)

    def _pinned(self, size: int) -> Any:
        """`size` bytes of the host for this turn's pixels. Pinned for a GPU, which then copies by itself."""
        buffer = self._buffers[self._turn]
        if buffer is None or len(buffer) < size:
            buffer = self.torch.empty(size, dtype=self.torch.uint8, pin_memory=self._on_gpu)
            self._buffers[self._turn] = buffer
        return buffer[:size]

    def _measure_photo(self) -> float:
        """MB: measured on a GPU, on a processor by `layer_values`."""
        torch, size = self.torch, self._preprocessing.size
        raw_mb = size * size * 3 * 8 / _MB
        if self._on_gpu:
            peaks = []
            try:
                for count in _PROBES:
                    self.synchronise()
                    torch.cuda.reset_peak_memory_stats(self.device)
                    self.forward(self.noise(count))
                    peaks.append(torch.cuda.max_memory_allocated(self.device))
            except torch.cuda.OutOfMemoryError as error:
                raise ClipModelError(
                    f"{self.device} has no room for {_PROBES[1]} photos beside the weights",
                    hint='Take a smaller model, or `precision = "bf16"`.',
                ) from error
            return max(0.1, float(peaks[1] - peaks[0]) / (_PROBES[1] - _PROBES[0]) / _MB + raw_mb)
        values = self._directory.layer_values(size) + 6 * size * size
        return float(values * (4 if self.dtype is torch.float32 else 2) / _MB + raw_mb)
