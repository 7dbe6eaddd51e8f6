"""What is declared, constrained and shipped is what is used."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
PLUGINS = sorted(path.parent for path in REPOSITORY.glob("plugins/*/pyproject.toml"))
INSTALLED_AS = {
    # Extras that are not installed here, or that do not tell: what they are imported as.
    "systemd-python": {"systemd"},
    "onnxruntime-gpu": {"onnxruntime"},
    "dlib-bin": {"dlib"},
    "open-clip-torch": {"open_clip"},
}
NOT_IMPORTED = {"mypy", "ruff", "pytest-timeout", "pywavelets", "setuptools"}
"""Commands, a plugin of pytest, what scikit-image loads for one of the formulas that tests compare with, and what
builds the plugins that tests install, without the package index."""


def distribution(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")


def mentioned_in(*folders: Path) -> set[str]:
    """Top-level modules that are imported below `folders`, or named in a string of their own (`-m pip`)."""
    found = set()
    for folder in folders:
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add((node.module or "").partition(".")[0])
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value.partition(".")[0])
    return found


def modules_of(name: str) -> set[str]:
    homes = importlib.metadata.packages_distributions()
    found = {module for module, owners in homes.items() if name in {distribution(each) for each in owners}}
    return (found | INSTALLED_AS.get(name, set())) or {name.replace("-", "_")}


def requirements_of(place: Path) -> list[str]:
    """What the distribution there depends on, with all its extras."""
    project = tomllib.loads((place / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    return [*project["dependencies"], *(each for extra in extras for each in extra)]


def unused(requirements: list[str], *folders: Path) -> set[str]:
    mentioned = mentioned_in(*folders)
    return {name for name in map(distribution, requirements) if not modules_of(name) & mentioned}


def test_imgd_depends_on_nothing_that_it_does_not_use() -> None:
    assert unused(PROJECT["project"]["dependencies"], REPOSITORY / "imgd") == set()


def test_every_extra_and_every_tool_is_used_somewhere() -> None:
    extras = [each for extra in PROJECT["project"]["optional-dependencies"].values() for each in extra]
    tools = [each for each in PROJECT["dependency-groups"]["dev"] if distribution(each) not in NOT_IMPORTED]
    folders = [REPOSITORY / name for name in ("imgd", "plugins", "tests", "bench", "contrib")]
    assert unused([*extras, *tools], *folders) == set()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_depends_on_nothing_that_it_does_not_use(plugin: Path) -> None:
    assert unused(requirements_of(plugin), plugin) == set()


def test_what_builds_plugins_is_there_without_pytorch_which_brings_it_too() -> None:
    (wanted,) = [each for each in PROJECT["dependency-groups"]["dev"] if distribution(each) == "setuptools"]
    backends = [
        tomllib.loads((each / "pyproject.toml").read_text())["build-system"] for each in (*PLUGINS, REPOSITORY)
    ]
    assert {name for each in backends for name in each["requires"]} == {wanted}


def test_every_dependency_is_explained() -> None:
    text = (REPOSITORY / "docs" / "dependencies.md").read_text()
    declared = {distribution(each) for place in (REPOSITORY, *PLUGINS) for each in requirements_of(place)}
    declared |= {distribution(each) for each in PROJECT["dependency-groups"]["dev"]}
    assert {name for name in declared if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)} == set()


def test_constraints_cover_what_is_declared_and_name_no_place() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pinned = {distribution(line) for line in lines if line and not line.startswith("#")}
    declared = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["demo"]]
    declared += PROJECT["dependency-groups"]["dev"]
    for plugin in PLUGINS:
        declared += requirements_of(plugin)
    assert {distribution(each) for each in declared} - pinned == {"imgd"}
    assert all(re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[\w.+!-]+( ; .+)?", line) for line in lines)
    assert not any("/" in line for line in lines)


def test_no_file_of_what_is_installed_has_two_owners() -> None:
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for each in importlib.metadata.distributions():
        for file in each.files or ():
            path = os.path.normpath(str(file))
            if "__pycache__" not in path and ".dist-info" not in path:
                owners[path].add(each.name)
    shared = {path: names for path, names in owners.items() if len(names) > 1}
    assert shared == {}


@pytest.mark.parametrize("module", ["cv2", "onnxruntime"])
def test_native_packages_that_come_in_several_wheels_have_one_owner_and_work(module: str, tmp_path: Path) -> None:
    owners = set(importlib.metadata.packages_distributions().get(module, ()))
    assert owners == {{"cv2": "opencv-python-headless", "onnxruntime": "onnxruntime"}[module]}
    checks = {
        "cv2": "import numpy as np; print(cv2.resize(np.ones((8, 8), np.uint8), (2, 2)).sum() == 4)",
        "onnxruntime": "print('CPUExecutionProvider' in onnxruntime.get_available_providers())",
    }
    # After all else that brings native code: what one of them overwrites shows only then.
    code = f"import numpy, scipy, faiss, PIL, rawpy, imagecodecs, {module}; {checks[module]}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.stderr) == ("True", "")


def test_no_committed_file_names_this_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    home = str(Path.home()).encode()
    for name in filter(None, listed.stdout.split(b"\0")):
        path = REPOSITORY / name.decode()
        if path.suffix in {".py", ".md", ".toml", ".txt", ".sql", ""} and path.is_file():
            text = path.read_bytes()
            assert str(REPOSITORY).encode() not in text or len(REPOSITORY.parts) < 3, f"{path} names the checkout"
            assert len(home) < 6 or home not in text, f"{path} names the home directory"


def test_scripts_can_be_run() -> None:
    assert (REPOSITORY / ".ci" / "run").stat().st_mode & 0o111
    for name, target in PROJECT["project"]["scripts"].items():
        module, _, function = target.partition(":")
        assert callable(getattr(__import__(module, fromlist=[function]), function)), name


def test_a_wheel_carries_the_sql_the_units_and_the_types(tmp_path: Path) -> None:
    source = tmp_path / "source"  # setuptools leaves its build folder beside what it builds
    shutil.copytree(REPOSITORY / "imgd", source / "imgd")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if "(from versions: none)" in built.stderr:  # there is no index
        pytest.skip("the package index does not give the build tools")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("imgd-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "imgd").rglob("*")
        if path.suffix in {".py", ".sql", ".service", ".socket", ".typed"}
    }
    assert shipped - names == set()
    assert not any(name.startswith(("tests", "bench", "plugins", "contrib")) for name in names)
