"""Which devices there are, and what is free of their memory."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from imgd.pipeline import devices
from imgd.pipeline.devices import budget_bytes, find_devices, free_bytes


def test_devices_are_taken_as_named_and_auto_means_every_gpu_or_else_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_GPUS", tmp_path / "gpus")
    assert find_devices(["auto"]) == ["cpu"]
    assert find_devices(["cuda:1", "cpu"]) == ["cuda:1", "cpu"]
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert find_devices(["auto"]) == ["cuda:0", "cuda:1"]
    assert find_devices(["cuda:1", "auto", "cpu"]) == ["cuda:1", "cuda:0", "cpu"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert find_devices(["auto"]) == ["cuda:0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find_devices(["auto"]) == ["cpu"]


def test_what_is_free_for_the_cpu_is_no_more_than_the_machine_has() -> None:
    free = free_bytes("cpu")
    assert free is not None
    rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert 0 < free <= int(rows["MemTotal"].split()[0]) << 10
    assert 0 < (budget_bytes("cpu", 0) or 0) < free
    assert budget_bytes("cpu", 300) == 300 << 20


@pytest.mark.parametrize(
    ("line", "folder", "files"),
    [
        (
            "0::/user/imgd.service",
            "user",
            {"memory.max": 900, "memory.current": 500, "memory.stat": "anon 100\ninactive_file 50"},
        ),
        (
            "4:cpu,memory:/user/imgd",
            "memory/user",
            {
                "memory.limit_in_bytes": 900,
                "memory.usage_in_bytes": 500,
                "memory.stat": "cache 9\ntotal_inactive_file 50",
            },
        ),
    ],
)
def test_the_limit_of_any_control_group_above_bounds_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, folder: str, files: dict[str, object]
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    for name, value in files.items():
        (tmp_path / folder / name).write_text(f"{value}\n")
    (tmp_path / "cgroup").write_text(f"1:name=systemd:/\n{line}\n")
    monkeypatch.setattr(devices, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(devices, "_CGROUPS", tmp_path)
    assert free_bytes("cpu") == 450


def test_without_the_library_of_the_driver_nobody_knows_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_NVML", "libno-such-library.so.1")
    assert free_bytes("cuda:0") is None
    assert budget_bytes("cuda:0", 0) is None
    assert budget_bytes("cuda:0", 1000) == 1000 << 20


_NVML = """
#include <string.h>
typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
static int gpus[2];
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device)
{
    if (index > 1) return 2;
    *device = &gpus[index];
    return 0;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device)
{
    if (strcmp(uuid, "GPU-second")) return 6;
    *device = &gpus[1];
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, nvmlMemory_t *memory)
{
    memory->total = 16ULL << 30;
    memory->free = device == &gpus[1] ? 7ULL << 30 : 3ULL << 30;
    memory->used = memory->total - memory->free;
    return 0;
}
"""
"""NVML as its header declares it, of a machine with two GPUs."""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_library_of_the_driver_tells_what_is_free_of_the_gpus_that_are_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvml.c").write_text(_NVML)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "nvml.c"], check=True)
    monkeypatch.setattr(devices, "_NVML", str(library))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [free_bytes(f"cuda:{index}") for index in range(3)] == [3 << 30, 7 << 30, None]
    assert budget_bytes("cuda:1", 0) == int((7 << 30) * 0.85)
    for visible, expected in (("1", 7 << 30), ("GPU-second,0", 7 << 30), ("GPU-none", None), ("", None)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert free_bytes("cuda:0") == expected
