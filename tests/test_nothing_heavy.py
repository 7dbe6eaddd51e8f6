"""What starts often, or is read by plugins, imports nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = (
    "cv2",
    "faiss",
    "huggingface_hub",
    "numpy",
    "onnxruntime",
    "PIL",
    "rawpy",
    "rich",
    "scipy",
    "starlette",
    "torch",
    "uvicorn",
    "watchdog",
)


def loaded_by(statement: str) -> set[str]:
    """Which of HEAVY a fresh interpreter has loaded after `statement`."""
    code = f"import sys\n{statement}\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "statement",
    [
        "import imgd",
        "from imgd import Analyzer, Finding, Model, Needs, QueryEncoder, hookimpl",
        "import imgd.config",
        "import imgd.hookspecs",
        "import imgd.analyzers.plugin",
        "import imgd.cli.imgctl",
        "import imgd.cli.imgd",
        "import imgd.cli.status, imgd.cli.search, imgd.cli.show, imgd.cli.queue, imgd.cli.wait, imgd.cli.models",
        "import imgd.cli.duplicates",
        "import imgd.cli.plugins, imgd.cli.installing, imgd.cli.inspected",
        "import imgd.cli.halfquery, imgd.cli.shells, imgd.cli.completion, imgd.search.keys",
        "import imgd.control.protocol, imgd.control.client",
    ],
)
def test_it_imports_nothing_heavy(statement: str) -> None:
    assert loaded_by(statement) == set()


def test_asking_the_daemon_needs_no_plugin() -> None:
    statement = "from imgd.cli.imgctl import main; main(['--socket', '/nowhere/imgd.sock', 'status'])\n"
    code = f"import sys\n{statement}print('imgd.plugins' in sys.modules, 'imgd_concepts' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
    assert "systemctl --user start imgd" in done.stderr


def test_reading_the_configuration_needs_nothing_of_photos() -> None:
    """Every `imgctl` reads it to find the socket."""
    code = "import sys, imgd.config\nprint('imgd.domain' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
