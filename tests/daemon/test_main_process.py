"""The main process loads no model library and no plugin's heavy part, whatever is asked of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from daemon_process import daemon
from sample_photos import copy_shipped, make_photo

from imgd.config import PathSettings

_HEAVY = ("torch", "onnxruntime", "cv2", "ai_edge_litert", "tokenizers", "tensorflow", "skimage")


def mapped(pid: int) -> set[str]:
    """Which of the heavy libraries the process `pid` has files of in its memory."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    files = {line.split(maxsplit=5)[5] for line in lines if line.count("/")}
    return {name for name in _HEAVY for file in files if f"/{name}" in file or f"/lib{name}" in file}


def test_the_main_process_stays_light_while_it_analyzes_and_searches() -> None:
    pytest.importorskip("imgd_concepts.plugin", reason="the plugin imgd-concepts is not installed")
    models = Path(os.environ.get("IMGD_TEST_MODELS", PathSettings().models_dir)).absolute()
    with daemon(plugins="concepts") as library:
        library.configure(paths={"models_dir": str(models)})
        for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
            copy_shipped(name, library.root)
        for seed in range(20):
            make_photo(library.root / f"{seed}.jpg", seed, size=(1200, 900))
        library.start()
        seen = mapped(library.pid)
        library.until(lambda: library.rows("SELECT COUNT(*) FROM findings")[0][0] > 0)
        seen |= mapped(library.pid)
        library.found("rocket")
        seen |= mapped(library.pid)
        library.wait()
        assert library.found("rocket")[0] == "rocket.jpg"
        library.found("cat")
        seen |= mapped(library.pid)
        assert seen == set()
        states = {each["name"]: each["state"] for each in library.ctl("analyzers", "--json").lines}
        if states["concepts"] == "ready":
            assert set(library.findings(library.root / "chelsea.png")) >= {"concepts"}
            library.until(lambda: library.found("cat")[:1] == ["chelsea.png"])  # once its words are prepared
            others = set().union(*(mapped(pid) for pid in library.processes() if pid != library.pid))
            assert {"onnxruntime", "cv2"} <= others
        else:
            assert states["concepts"] == "waiting for model"
