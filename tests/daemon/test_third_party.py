"""The plugin of docs/writing-plugins.md, taken from that page, installed, tested, and used by a real daemon."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from daemon_process import daemon
from PIL import Image

PAGE = Path(__file__).parents[2] / "docs" / "writing-plugins.md"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `imgd-lightness` as the page shows it."""
    folder = tmp_path_factory.mktemp("plugin") / "imgd-lightness"
    folder.mkdir()
    for name, content in re.findall(
        r"^`([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE
    ):
        (folder / name).write_text(content)
    return folder


@pytest.fixture(scope="module")
def installed(written: Path) -> Path:
    """Where pip has put the plugin; the environment of the tests stays as it is."""
    target = written.parent / "site-packages"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(target),
        str(written),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "(from versions: none)" in done.stderr:  # there is no index
        pytest.skip("the package index does not give the build tools")
    assert done.returncode == 0, done.stderr
    return target


def test_the_page_shows_a_whole_plugin(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {
        "pyproject.toml",
        "imgd_lightness.py",
        "test_lightness.py",
    }


def test_its_own_tests_pass(written: Path, installed: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_lightness.py"]
    done = subprocess.run(
        command,
        cwd=written,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_a_daemon_uses_it_and_search_finds_what_it_says(installed: Path) -> None:
    with daemon(plugins="lightness", python_path=[installed]) as owned:
        for name, level in (("one.png", 10), ("two.png", 200)):
            Image.fromarray(np.full((60, 80, 3), level, np.uint8)).save(owned.root / name)
        owned.configure(analyzers={"lightness": {"dark_below": 0.1}})
        owned.start()
        owned.wait()
        assert owned.found("nocturne") == ["one.png"]
        assert owned.findings(owned.root / "two.png")["lightness"]["facts"] == {"lightness": 0.7843}
        stored = owned.rows("SELECT key, round(number, 4) FROM facts WHERE key = 'lightness' ORDER BY number")
        assert stored == [("lightness", 0.0392), ("lightness", 0.7843)]


def test_a_wrong_setting_of_the_plugin_is_told_with_its_line(installed: Path) -> None:
    with daemon(plugins="lightness", python_path=[installed]) as owned:
        owned.configure(analyzers={"lightness": {"dark_below": 2.0, "dark_bellow": 0.1}})
        answer = owned.refuses_to_start()
        assert answer.code == 2
        assert "unknown key; did you mean `dark_below`?" in answer.err
        assert "`dark_below` must be from 0 to 1" in answer.err
