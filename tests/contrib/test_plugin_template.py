"""The plugin template: rendered, tested, linted, installed, and found by a daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jinja2.sandbox
import numpy as np
import pytest
import yaml
from daemon_process import daemon
from PIL import Image
from throwaway import REPOSITORY, Throwaway

TEMPLATE = REPOSITORY / "contrib" / "plugin-template"
KINDS = ("inline", "model")


def render(folder: Path, **answers: str) -> Path:
    """What copier makes of the template: its own engine, and its rules for names and endings."""
    questions = yaml.safe_load((TEMPLATE / "copier.yml").read_text())
    environment = jinja2.sandbox.SandboxedEnvironment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    values: dict[str, str] = {}
    for name, question in questions.items():
        if not name.startswith("_"):
            values[name] = answers.get(name) or environment.from_string(question["default"]).render(values)
    assert set(answers) <= set(values)
    source = TEMPLATE / questions["_subdirectory"]
    project = folder / values["name"]
    for path in sorted(source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            name = environment.from_string(str(path.relative_to(source))).render(values)
            target = project / name.removesuffix(".jinja")
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8")
            target.write_text(environment.from_string(text).render(values) if path.suffix == ".jinja" else text)
    return project


@pytest.fixture(scope="module", params=KINDS)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an author and a description that need quoting."""
    folder = tmp_path_factory.mktemp(request.param)
    return render(
        folder,
        name=f"imgd-glow-{request.param}",
        description='How "light" photos are',
        kind=request.param,
        author="Ann O'Nymous",
    )


@pytest.fixture(scope="module")
def environment(project: Path) -> Throwaway:
    """Where the project is installed by `imgctl plugins install`."""
    environment = Throwaway(project.parent)
    done = environment.imgctl("plugins", "install", str(project), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["plugin"]["analyzers"] == [project.name.removeprefix("imgd-")]
    return environment


def test_it_is_a_whole_distribution(project: Path) -> None:
    declared: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert declared["description"] == 'How "light" photos are'
    assert declared["authors"] == [{"name": "Ann O'Nymous"}]
    package = project.name.replace("-", "_")
    files = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    sources = {
        f"{package}/{name}" for name in ("__init__.py", "py.typed", "plugin.py", "analyzer.py", "settings.py")
    }
    assert {"pyproject.toml", "README.md", "LICENSE", "tests/test_plugin.py"} | sources <= files
    analyzer = f"{package.removeprefix('imgd_').title().replace('_', '')}Analyzer"
    assert f"\nclass {analyzer}(Analyzer[Settings]):" in (project / package / "analyzer.py").read_text()
    assert not any("{{" in path.read_text() for path in project.rglob("*.*") if path.is_file())


def test_its_own_tests_pass(project: Path, environment: Throwaway) -> None:
    done = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_its_own_tests_pass_before_it_is_installed_and_from_any_folder(tmp_path: Path) -> None:
    project = render(tmp_path, name="imgd-glow")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project / "tests")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_lint_clean_and_typed(kind: str, tmp_path: Path) -> None:
    project = render(tmp_path, name="imgd-glow", kind=kind)
    for command in (
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
        ["mypy", "--cache-dir", os.devnull, "--follow-imports", "silent"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=project,
            env=os.environ
            | {"MYPYPATH": str(REPOSITORY)},  # imgd may be here as it lies, which mypy does not find
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_daemon_finds_it_by_its_entry_point(project: Path, environment: Throwaway) -> None:
    name = project.name.removeprefix("imgd-")
    with daemon(plugins=name, python_path=[environment.site]) as library:
        for photo, level in (("one.png", 10), ("two.png", 200)):
            Image.fromarray(np.full((60, 80, 3), level, np.uint8)).save(library.root / photo)
        library.configure(analyzers={name: {"dark_below": 0.1}})
        library.start()
        library.wait()
        assert library.found("tag:dark") == ["one.png"]
        finding = library.findings(library.root / "two.png")[name]
        assert finding["facts"] == {f"{project.name.replace('-', '_')}_lightness": 0.7843}
        assert finding["vectors"] == []  # no query encoder of the template's would search them


@pytest.fixture(scope="module")
def copier(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Python finds copier, which no other test has a use for."""
    target = str(tmp_path_factory.mktemp("copier"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target, "copier>=9,<10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "(from versions: none)" in done.stderr:  # there is no index
        pytest.skip("the package index does not give copier; the other tests render the template by its engine")
    assert done.returncode == 0, done.stderr
    return os.environ | {"PYTHONPATH": target}


def copy(copier: dict[str, str], target: Path, **answers: str) -> subprocess.CompletedProcess[str]:
    data = [part for name, value in answers.items() for part in ("--data", f"{name}={value}")]
    command = [sys.executable, "-m", "copier", "copy", "--defaults", "--quiet", *data, str(TEMPLATE), str(target)]
    return subprocess.run(command, env=copier, capture_output=True, text=True, check=False)


def test_copier_makes_the_same_of_it(tmp_path: Path, copier: dict[str, str]) -> None:
    made = tmp_path / "made"
    answers = {"name": "imgd-glow", "kind": "model", "author": "Ann O'Nymous"}
    done = copy(copier, made, **answers)
    assert done.returncode == 0, done.stderr
    expected = render(tmp_path, **answers)
    contents = {
        folder: {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (made, expected)
    }
    assert contents[made] == contents[expected]


@pytest.mark.parametrize(
    "answers",
    [{"name": "Imgd-Glow"}, {"name": "glow"}, {"package": "imgd"}, {"package": "imgd_"}, {"package": "imgd_3d"}],
)
def test_names_that_python_would_not_take_are_refused(
    tmp_path: Path, copier: dict[str, str], answers: dict[str, str]
) -> None:
    done = copy(copier, tmp_path / "made", **answers)
    assert f"question '{next(iter(answers))}': lower case, as imgd" in done.stderr
    assert not (tmp_path / "made").exists()
