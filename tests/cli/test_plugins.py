"""`imgctl plugins`, with real pip, real distributions and an environment that is thrown away."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from throwaway import REPOSITORY, Throwaway

from imgd.cli import installing
from imgd.cli.installing import lies_beside, source_of

_ANALYZER = """
from dataclasses import dataclass

from imgd import Analyzer, Finding, Model, ModelFile, Needs, QueryEncoder, hookimpl


@dataclass(frozen=True)
class Settings:
    space: str = "toy:3"


class Encoder(QueryEncoder):
    name = "toy"
    analyzer = "toy"

    @classmethod
    def configured(cls, settings):
        return cls.declared(space=settings.space, dimensions=3)

    def encode_texts(self, texts):
        raise NotImplementedError


class Toy(Analyzer):
    settings_type = Settings
    name = "toy"
    version = "1"
    needs = Needs(edge=64)
    {declares}

    def analyze(self, photos):
        return [Finding() for _ in photos]


@hookimpl
def imgd_analyzers(settings):
    return [Toy]


@hookimpl
def imgd_query_encoders():
    return [Encoder]


@hookimpl
def imgd_models():
    return [Model("toy-model", "A toy", "MIT", (ModelFile("w.bin", "0" * 64, 1, ("file:/nowhere",)),))]
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Throwaway:
    return Throwaway(tmp_path_factory.mktemp("plugins"))


def write(
    folder: Path,
    name: str,
    *,
    code: str = "",
    requires: Sequence[str] = (),
    entry: bool = True,
    version: str = "1",
) -> Path:
    """A project `name` with one module."""
    module = name.replace("-", "_")
    project = folder / name
    project.mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        f'[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\ndependencies = {json.dumps(list(requires))}\n\n'
        + (f'[project.entry-points.imgd]\n{name.removeprefix("imgd-")} = "{module}"\n\n' if entry else "")
        + f'[tool.setuptools]\npy-modules = ["{module}"]\n'
    )
    (project / f"{module}.py").write_text(code or _ANALYZER.format(declares="requires = ('toy-model',)"))
    return project


def test_a_plugin_is_planned_installed_listed_and_removed(environment: Throwaway, tmp_path: Path) -> None:
    project = write(tmp_path, "imgd-toy", requires=["imgd>=0.1", "numpy>=1.26"])
    planned = environment.imgctl("plugins", "install", str(project), "--dry-run")
    assert (planned.returncode, planned.stdout) == (0, "would install imgd-toy 1\n"), planned.stderr
    assert not environment.has("imgd-toy")

    done = environment.imgctl("plugins", "install", str(project), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["changes"] == [{"name": "imgd-toy", "old": "", "new": "1", "requested": True}]
    assert (answer["plugin"]["analyzers"], answer["plugin"]["missing"]) == (["toy"], ["toy-model"])
    assert "`imgctl models pull toy-model`" in answer["advice"][0]
    assert "next start of imgd" in answer["advice"][1]
    assert environment.has("imgd-toy")

    again = environment.imgctl("plugins", "install", str(project))
    assert again.returncode == 0, again.stderr
    assert "imgd-toy 1: installed\nanalyzers: toy\nmodels: toy-model\n" in again.stdout

    listed = {
        each["name"]: each
        for each in map(json.loads, environment.imgctl("plugins", "list", "--json").stdout.splitlines())
    }
    assert listed["imgd"]["analyzers"] == ["metadata", "preview", "technical"]
    assert (listed["toy"]["distribution"], listed["toy"]["state"]) == ("imgd-toy", "on")
    none = environment.imgctl("plugins", "list", "--json", IMGD_PLUGINS="")
    assert {each["state"] for each in map(json.loads, none.stdout.splitlines()) if each["name"] != "imgd"} == {
        "left out"
    }

    wrong = environment.imgctl("plugins", "list", "--json", IMGD_PLUGINS="nope")
    assert {each["name"]: each["state"] for each in map(json.loads, wrong.stdout.splitlines())} == {
        "nope": "missing"
    } | dict.fromkeys(listed, "left out") | {"imgd": "on"}

    gone = environment.imgctl("plugins", "uninstall", "toy")
    assert gone.returncode == 0, gone.stderr
    assert gone.stdout.startswith("imgd-toy 1: removed\nWhat it found in photos stays in the library")
    assert not environment.has("imgd-toy")


def test_a_plugin_of_imgds_own_goes_by_its_short_name_and_is_used_where_its_source_lies(
    environment: Throwaway,
) -> None:
    done = environment.imgctl("plugins", "install", "concepts", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert Path(answer["source"]) == REPOSITORY / "plugins" / "imgd-concepts"
    assert "concepts" in answer["plugin"]["analyzers"]
    (recorded,) = environment.site.glob("imgd_concepts-*.dist-info/direct_url.json")
    assert json.loads(recorded.read_text())["dir_info"] == {"editable": True}
    lines = environment.imgctl("plugins", "list", "--json").stdout.splitlines()
    assert {each["name"]: each for each in map(json.loads, lines)}["concepts"]["state"] == "on"
    assert environment.imgctl("plugins", "uninstall", "concepts").returncode == 0


def test_what_overwrites_the_files_of_something_else_is_refused(environment: Throwaway, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    build(environment, write(tmp_path, "opencv-python", entry=False, version="99.0"), wheels)
    project = write(tmp_path, "imgd-greedy", requires=["opencv-python"])
    refused = environment.imgctl("plugins", "install", str(project), PIP_FIND_LINKS=str(wheels))
    assert refused.returncode == 5
    assert "it would bring opencv-python, which overwrites the files of opencv-python-headless" in refused.stderr
    assert "--without opencv-python" in refused.stderr
    assert not environment.has("imgd-greedy")
    allowed = environment.imgctl(
        "plugins", "install", str(project), "--without", "opencv-python", PIP_FIND_LINKS=str(wheels)
    )
    assert allowed.returncode == 0, allowed.stderr
    assert environment.has("imgd-greedy")
    assert not environment.has("opencv-python")
    assert environment.imgctl("plugins", "uninstall", "imgd-greedy").returncode == 0


def test_what_imgd_needs_is_not_replaced_by_what_it_cannot_use(environment: Throwaway, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    build(environment, write(tmp_path, "msgspec", entry=False, version="0.1"), wheels)
    project = write(tmp_path, "imgd-old", requires=["msgspec<0.2"])
    refused = environment.imgctl("plugins", "install", str(project), PIP_FIND_LINKS=str(wheels))
    assert refused.returncode == 5
    assert (
        "no version goes with what imgd and its plugins need: imgd-old 1 depends on msgspec<0.2" in refused.stderr
    )
    assert "imgd and its plugins need msgspec>=0.19" in refused.stderr
    assert not environment.has("msgspec")


def test_what_is_required_is_installed_as_it_was_planned(environment: Throwaway, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    build(environment, write(tmp_path, "toy-library", entry=False, version="3.2"), wheels)
    project = write(tmp_path, "imgd-needing", requires=["toy-library>=3"])
    done = environment.imgctl("plugins", "install", str(project), PIP_FIND_LINKS=str(wheels))
    assert done.returncode == 0, done.stderr
    assert "installs toy-library 3.2\n" in done.stdout
    assert environment.has("toy-library")
    assert environment.imgctl("plugins", "uninstall", "needing").returncode == 0
    assert environment.has("toy-library")


def test_a_plugin_that_is_there_is_found_there_and_its_extras_come_to_it(
    environment: Throwaway, tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    build(environment, write(tmp_path, "toy-extra", entry=False, version="2"), wheels)
    project = write(tmp_path, "imgd-there")
    with (project / "pyproject.toml").open("a") as file:
        file.write('[project.optional-dependencies]\nmore = ["toy-extra"]\n')
    assert environment.imgctl("plugins", "install", str(project)).returncode == 0
    again = environment.imgctl("plugins", "install", "imgd-there")
    assert again.returncode == 0, again.stderr
    assert "Nothing is to be installed: it is all there.\nimgd-there 1: installed\n" in again.stdout
    for name in ("imgd-there[more]", f"{project}[more]"):
        done = environment.imgctl("plugins", "install", name, PIP_FIND_LINKS=str(wheels))
        assert done.returncode == 0, done.stderr
        assert "installs toy-extra 2\n" in done.stdout
        assert environment.has("toy-extra")
        assert environment.run("-m", "pip", "uninstall", "--yes", "toy-extra").returncode == 0
    assert environment.imgctl("plugins", "uninstall", "there").returncode == 0


def test_a_short_name_keeps_its_extras() -> None:
    assert source_of("faces[dlib]") == f"{REPOSITORY / 'plugins' / 'imgd-faces'}[dlib]"
    assert lies_beside(source_of("imgd-faces[dlib]"))
    assert source_of("somebodys[a,b]") == "somebodys[a,b]"


def test_a_short_name_is_looked_for_where_pip_installed_imgd_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "a clone"
    project = write(tree / "plugins", "imgd-ocr")
    noted = SimpleNamespace(read_text=lambda _name: json.dumps({"url": tree.as_uri(), "dir_info": {}}))
    monkeypatch.setattr(installing, "_beside", lambda: tmp_path / "site-packages" / "plugins")
    assert source_of("ocr") in ("imgd-ocr", str(REPOSITORY / "plugins" / "imgd-ocr"))
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _name: noted)
    assert source_of("ocr") == str(project)
    assert not lies_beside(str(project)), "a copy is installed, as imgd itself is one"
    assert source_of("caption") == "imgd-caption"


def test_what_the_index_does_not_have_can_be_named_by_its_folder(environment: Throwaway) -> None:
    done = environment.imgctl("plugins", "install", "imgd-nobody-has-this", "--dry-run", PIP_NO_INDEX="1")
    assert done.returncode == 5
    assert "name its folder" in done.stderr


def test_what_is_no_plugin_is_not_installed_and_not_removed(environment: Throwaway, tmp_path: Path) -> None:
    project = write(tmp_path, "plain-library", entry=False)
    refused = environment.imgctl("plugins", "install", str(project))
    assert refused.returncode == 5
    assert "plain-library names no entry point of the group `imgd`" in refused.stderr
    assert not environment.has("plain-library")
    there = environment.imgctl("plugins", "install", "numpy")
    assert there.returncode == 5
    assert "numpy is installed, and is no plugin of imgd" in there.stderr
    for name, said in (
        ("numpy", "numpy is no plugin of imgd"),
        ("imgd", "that is imgd itself"),
        ("no-such-thing", "no-such-thing is not installed"),
    ):
        answer = environment.imgctl("plugins", "uninstall", name)
        assert answer.returncode == 5
        assert said in answer.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no Python project" in environment.imgctl("plugins", "install", str(empty)).stderr


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_library\n", "No module named 'no_such_library'"),
        (_ANALYZER.format(declares="batch_size = 0"), "`batch_size` must be 1 or more"),
        ("import os\nos.abort()\n", "loading it ends the process"),
    ],
)
def test_a_plugin_that_does_not_work_is_named_once_it_is_installed(
    environment: Throwaway, tmp_path: Path, code: str, said: str
) -> None:
    project = write(tmp_path, "imgd-broken", code=code)
    answer = environment.imgctl("plugins", "install", str(project))
    assert answer.returncode == 5
    assert said in answer.stderr
    assert "`imgctl plugins uninstall imgd-broken` removes it." in answer.stdout + answer.stderr
    assert "not installed" not in answer.stderr
    assert environment.run("-m", "pip", "uninstall", "--yes", "imgd-broken").returncode == 0


def test_what_pip_meets_is_told_in_a_sentence(environment: Throwaway, tmp_path: Path) -> None:
    index = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}
    unreachable = environment.imgctl("plugins", "install", "imgd-nobody-has-this", **index)
    assert unreachable.returncode == 5
    assert "pip cannot reach its index" in unreachable.stderr
    assert "hint: Look at the network" in unreachable.stderr
    (tmp_path / "pyproject.toml").write_text("[project\n")
    broken = environment.imgctl("plugins", "install", str(tmp_path))
    assert broken.returncode == 5
    assert "TOMLDecodeError" in broken.stderr
    assert "Traceback" not in broken.stderr


_SLOW = """
import sys
from setuptools import setup
if "bdist_wheel" in sys.argv:
    open({gate!r}).read()
setup()
"""


@pytest.fixture
def heeding() -> Iterator[None]:
    """Tests that are started in the background ignore Ctrl-C, and so would all that they start."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.mark.usefixtures("heeding")
@pytest.mark.parametrize("there", [False, True])
def test_ctrl_c_ends_an_install_that_replaces_nothing_and_lets_pip_finish_one_that_does(
    environment: Throwaway, tmp_path: Path, there: bool
) -> None:
    project = write(tmp_path, "imgd-slow")
    if there:
        assert environment.imgctl("plugins", "install", str(project)).returncode == 0
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    (project / "setup.py").write_text(_SLOW.format(gate=str(gate)))
    command = [str(environment.python), "-m", "imgd.cli.imgctl", "plugins", "install", str(project)]
    with subprocess.Popen(command, env=environment.environment, stderr=subprocess.PIPE, text=True) as imgctl:
        opened = gate.open("w")  # pip builds it
        imgctl.send_signal(signal.SIGINT)
        assert imgctl.stderr is not None
        if there:
            assert "pip finishes what it has begun" in imgctl.stderr.readline()
            opened.close()
        assert imgctl.wait(60) == 130
        opened.close()
    assert environment.has("imgd-slow") is there
    if there:
        assert environment.imgctl("plugins", "uninstall", "slow").returncode == 0


def test_an_environment_of_the_systems_package_manager_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys
    import sysconfig

    from imgd.cli.installing import refuse_managed
    from imgd.errors import PluginInstallError

    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    refuse_managed()  # the tests run in an environment of their own
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    with pytest.raises(PluginInstallError, match="belongs to the system's package manager"):
        refuse_managed()


def build(environment: Throwaway, project: Path, wheels: Path) -> None:
    done = environment.run("-m", "pip", "wheel", "--no-deps", "-w", str(wheels), str(project))
    assert done.returncode == 0, done.stderr
