"""The devices that lanes run on, and the memory that each of them has to give."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_GPUS = Path("/proc/driver/nvidia/gpus")
_NVML = "libnvidia-ml.so.1"
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")
_GPU_SHARE = 0.85
"""Of a GPU's free memory, what a lane takes: libraries' workspaces and gaps between allocations need the rest."""
_CPU_SHARE = 0.75
"""Of the machine's free memory, what a lane takes: workers and the page cache need the rest."""


def find_devices(wanted: Sequence[str]) -> list[str]:
    """The devices to run lanes on: `auto` stands for every NVIDIA GPU of the machine, or else for the CPU."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = len(list(_GPUS.iterdir())) if _GPUS.is_dir() else 0
    if visible is not None:
        gpus = min(gpus, len([each for each in visible.split(",") if each.strip() not in ("", "-1")]))
    automatic = [f"cuda:{index}" for index in range(gpus)] or ["cpu"]
    found = [device for each in wanted for device in (automatic if each == "auto" else [each])]
    return list(dict.fromkeys(found))


def budget_bytes(device: str, limit_mb: int) -> int | None:
    """How much of the memory of `device` a lane may take: `limit_mb`, or with 0 a share of what is free now. None
    where nothing tells what is free."""
    if limit_mb:
        return limit_mb << 20
    free = free_bytes(device)
    if free is None:
        return None
    return int(free * (_CPU_SHARE if device == "cpu" else _GPU_SHARE))


def free_bytes(device: str) -> int | None:
    """What is free of the memory of `device` now: of the machine's (and of what its control group may take) for
    `cpu`; None where nothing tells."""
    if device == "cpu":
        known = [each for each in (_machine_free(), _group_free()) if each is not None]
        return min(known, default=None)
    index = int(device.partition(":")[2] or 0)
    torch = _torch_with_cuda()
    if torch is not None:
        return int(torch.cuda.mem_get_info(index)[0])
    return _nvml_free(index)


def available_bytes(device: str) -> int | None:
    """What this process can have of `device`, what its PyTorch holds already included; None where nothing tells
    the two apart from what other programs hold."""
    torch = _torch_with_cuda()
    if device == "cpu" or torch is None:
        return None
    index = int(device.partition(":")[2] or 0)
    return int(torch.cuda.mem_get_info(index)[0] + torch.cuda.memory_reserved(index))


def release_cached() -> None:
    """Give back what libraries keep for later, once a batch did not fit."""
    gc.collect()
    torch = _torch_with_cuda()
    if torch is not None:
        torch.cuda.empty_cache()


def _torch_with_cuda() -> Any:
    """PyTorch, where an analyzer has imported it and uses its GPU: it is never imported just to look."""
    torch: Any = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized() else None


def _machine_free() -> int | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


def _group_free() -> int | None:
    """What the control groups above this process leave, of version 2 and of version 1; page cache that can go
    counts as free."""
    try:
        lines = _CGROUP.read_text().splitlines()
    except OSError:
        return None
    left = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
            folder = _CGROUPS
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            folder = _CGROUPS / "memory"
        else:
            continue
        parts = Path(path.lstrip("/"))
        left += [_left_in(folder / each, *names) for each in (parts, *parts.parents)]
    return min((each for each in left if each is not None), default=None)


def _left_in(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    try:
        most = (folder / limit).read_text().strip()
        if most == "max":
            return None
        rows = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        cached = next((int(value) for key, value in rows if key == cache), 0)
        return max(0, int(most) - int((folder / usage).read_text()) + cached)
    except (OSError, ValueError):
        return None


class _NvmlMemory(ctypes.Structure):
    """nvmlMemory_t of NVML's nvml.h."""

    _fields_ = [
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


def _nvml_free(index: int) -> int | None:
    """By NVML, which comes with NVIDIA's driver and needs no context on the GPU."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [each.strip() for each in visible.split(",")] if visible is not None else []
    if visible is not None and index >= len(names):
        return None
    name = names[index] if names else str(index)
    try:
        nvml: Any = ctypes.CDLL(_NVML)
        if nvml.nvmlInit_v2():
            return None
    except (OSError, AttributeError):
        return None
    try:
        handle = ctypes.c_void_p()
        if name.isdigit():
            failed = nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(int(name)), ctypes.byref(handle))
        else:
            failed = nvml.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle))
        memory = _NvmlMemory()
        if failed or nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)):
            return None
        return int(memory.free)
    finally:
        nvml.nvmlShutdown()
