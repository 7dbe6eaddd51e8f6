"""Each plugin installed alone beside imgd in a clean environment, then all of them together: does it work?

    python bench/installs.py                        every plugin alone, without and with its extras; then all
    python bench/installs.py --only imgd-ocr        that one alone

Wheels are built of this checkout and installed with pip and `constraints.txt` into environments of their own. Each
runs a daemon on a few photos, with the models of --models where they are (else analyzers wait for them, and say
so). Told are the analyzers and their states, how many findings failed, which distributions own `cv2` and
`onnxruntime`, which providers ONNX Runtime really uses, and files that two distributions own. Prints a table and,
last, one JSON line. The bar: nothing fails, nothing is broken but for a missing extra or model that is named, no
file has two owners.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from photos import make_photo, ordinary_photos

HERE = Path(__file__).resolve().parents[1]
_PHOTOS = 6
_START_S, _DONE_S = 60.0, 600.0
_NAMED = ("imgctl models pull", "imgctl plugins install", "pip install", "extra")
"""What the advice for a missing model, or a missing extra, has in it."""

_LOOK = """
import collections, importlib.metadata, json, os, re
owners = collections.defaultdict(set)
native = {"cv2": set(), "onnxruntime": set(), "torch": set()}
for distribution in importlib.metadata.distributions():
    for file in distribution.files or ():
        path = os.path.normpath(str(file))
        if "__pycache__" not in path and ".dist-info" not in path:
            owners[path].add(distribution.name)
        if path.partition("/")[0] in native:
            native[path.partition("/")[0]].add(distribution.name)
twice = {path: sorted(names) for path, names in owners.items() if len(names) > 1}
providers = []
try:
    import onnxruntime
    model = os.environ["IMGD_BENCH_ONNX"]
    if model:
        wanted = onnxruntime.get_available_providers()
        providers = onnxruntime.InferenceSession(model, providers=wanted).get_providers()
except ImportError:
    pass
if native["cv2"]:
    import cv2
print(json.dumps({"native": {k: sorted(v) for k, v in native.items()}, "twice": twice, "providers": providers}))
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What is installed beside imgd: requirements as `imgd-clip[torch]`."""

    title: str
    requirements: tuple[str, ...]


@dataclass(slots=True)
class Seen:
    """What came of a case."""

    title: str
    install_s: float
    size_mb: float
    states: dict[str, str] = field(default_factory=dict)
    advice: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    owners: dict[str, list[str]] = field(default_factory=dict)
    twice: dict[str, list[str]] = field(default_factory=dict)
    providers: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def passed(self) -> bool:
        told = all(
            state in ("ready", "off") or any(words in self.advice[name] for words in _NAMED)
            for name, state in self.states.items()
        )
        return not self.problem and not self.twice and not self.failed and told and bool(self.states)


def plugins() -> dict[str, tuple[str, ...]]:
    """The extras of each distribution under plugins/, by its name."""
    found = {}
    for path in sorted((HERE / "plugins").glob("*/pyproject.toml")):
        project = tomllib.loads(path.read_text())["project"]
        found[project["name"]] = tuple(sorted(set(project.get("optional-dependencies", ())) - {"gpu"}))
    return found


def cases(only: Sequence[str]) -> Iterator[Case]:
    """imgd by itself, each plugin alone, each with its extras, all together."""
    found = plugins()
    if not only:
        yield Case("imgd alone", ())
    for name, extras in found.items():
        if only and name not in only:
            continue
        yield Case(name, (name,))
        if extras:
            yield Case(f"{name}[{','.join(extras)}]", (f"{name}[{','.join(extras)}]",))
    if not only:
        everything = tuple(f"{name}[{','.join(extras)}]" if extras else name for name, extras in found.items())
        yield Case("all together", everything)


def build_wheels(folder: Path) -> None:
    """A wheel of imgd and of each plugin, built of copies so that the checkout stays clean."""
    junk = shutil.ignore_patterns("*.egg-info", "build", "__pycache__", "tests")
    copies = folder / "sources"
    for name in ("imgd", "pyproject.toml", "README.md", "LICENSE"):
        source, target = HERE / name, copies / "imgd" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target, ignore=junk) if source.is_dir() else shutil.copy(source, target)
    for path in sorted((HERE / "plugins").glob("*/pyproject.toml")):
        shutil.copytree(path.parent, copies / path.parent.name, ignore=junk)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder / "wheels")]
    subprocess.run([*command, *map(str, sorted(copies.iterdir()))], check=True)


def wheel_for(requirement: str, wheels: Path) -> str:
    """What pip installs for `requirement`: its wheel of this checkout, with the same extras."""
    name, bracket, extras = requirement.partition("[")
    (wheel,) = wheels.glob(f"{name.replace('-', '_')}-*.whl")
    return f"{wheel}{bracket}{extras}"


def run_case(case: Case, folder: Path, models: Path) -> Seen:
    place = folder / "environment"
    began = time.monotonic()
    venv.EnvBuilder(with_pip=True, clear=True).create(place)
    python = place / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(HERE / "constraints.txt")]
    command += [wheel_for(each, folder / "wheels") for each in ("imgd", *case.requirements)]
    installed = subprocess.run(command, check=False, capture_output=True, text=True)
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) / (1 << 20)
    seen = Seen(case.title, time.monotonic() - began, size)
    if installed.returncode:
        seen.problem = installed.stderr.strip()[-400:]
        return seen
    onnx = next(models.glob("minilm-*/*.onnx"), None)
    look = subprocess.run(
        [str(python), "-c", _LOOK],
        env=_environment() | {"IMGD_BENCH_ONNX": str(onnx or "")},
        check=False,
        capture_output=True,
        text=True,
    )
    if look.returncode:
        seen.problem = look.stderr.strip()[-400:]
        return seen
    looked = json.loads(look.stdout)
    seen.owners, seen.twice, seen.providers = looked["native"], looked["twice"], looked["providers"]
    try:
        analyze(seen, python.parent, folder, models)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        seen.problem = str(error)[-400:]
    return seen


def analyze(seen: Seen, binaries: Path, folder: Path, models: Path) -> None:
    """Let a daemon of the environment analyze the photos."""
    home = Path(tempfile.mkdtemp(prefix="case-", dir=folder))
    config = home / "imgd.toml"
    places = [word for name in ("state", "cache") for word in (f"--{name}-dir", str(home / name))]
    init = [str(binaries / "imgd"), "init", str(folder / "photos"), "--config", str(config), *places]
    init += ["--models-dir", str(models), "--socket", str(home / "s")]
    subprocess.run(init, check=True, capture_output=True, env=_environment())
    licences = sorted(path.name for path in models.iterdir()) if models.is_dir() else []
    config.write_text(config.read_text() + f"\n[models]\naccept_licences = {json.dumps(licences)}\n")
    with daemon(binaries, config, home):
        subprocess.run(
            [str(binaries / "imgctl"), "--config", str(config), "wait"],
            check=True,
            capture_output=True,
            env=_environment(),
            timeout=_DONE_S,
        )
        for each in ask(binaries, config, "analyzers"):
            state = each.get("state", "broken")
            seen.states[each["name"]] = state
            seen.advice[each["name"]] = each.get("advice", "") or each.get("error", "")
        seen.failed = len(ask(binaries, config, "failed"))


@contextmanager
def daemon(binaries: Path, config: Path, home: Path) -> Iterator[None]:
    log = (home / "log").open("wb")
    command = [str(binaries / "imgd"), "run", "--config", str(config)]
    process = subprocess.Popen(command, env=_environment(), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _START_S
        while not ask(binaries, config, "status"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ValueError(f"the daemon did not start: {(home / 'log').read_text()[-400:]}")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def ask(binaries: Path, config: Path, *arguments: str) -> list[Any]:
    """What imgctl answers in JSON, an object a line."""
    command = [str(binaries / "imgctl"), "--config", str(config), "--json", *arguments]
    answer = subprocess.run(command, env=_environment(), check=False, capture_output=True, text=True)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def _environment() -> dict[str, str]:
    """The user's own, without what would lead into this checkout."""
    left_out = ("IMGD_", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def report(seen: Sequence[Seen]) -> None:
    print(f"{'installed beside imgd':38}{'MB':>7}{'s':>6}  {'':9}analyzers")
    for each in seen:
        verdict = "ok" if each.passed else "FAILED"
        ready = [name for name, state in each.states.items() if state == "ready"]
        print(f"{each.title:38}{each.size_mb:7.0f}{each.install_s:6.0f}  {verdict:9}{', '.join(ready)}")
        for name, state in each.states.items():
            if state != "ready":
                print(f"{'':62}{name} is {state}: {each.advice[name]}")
        owners = "; ".join(f"{module} of {', '.join(names)}" for module, names in each.owners.items() if names)
        print(f"{'':62}{owners}{'; providers ' + ', '.join(each.providers) if each.providers else ''}")
        for path, names in list(each.twice.items())[:5]:
            print(f"{'':62}{path} belongs to {' and '.join(names)}")
        if each.failed or each.problem:
            print(f"{'':62}{each.failed} failed findings {each.problem}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument(
        "--models", type=Path, default=os.environ.get("IMGD_TEST_MODELS", HERE / ".cache" / "models")
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imgd-installs-") as scratch:
        folder = Path(scratch)
        (folder / "photos").mkdir()
        for path in ordinary_photos(_PHOTOS) or ():
            shutil.copy(path, folder / "photos" / path.name)
        if not any((folder / "photos").iterdir()):
            for number in range(_PHOTOS):
                make_photo(folder / "photos" / f"{number}.jpg", number, (800, 600))
        build_wheels(folder)
        seen = [run_case(case, folder, Path(options.models).absolute()) for case in cases(options.only)]
    report(seen)
    print(
        json.dumps(
            {
                "bench": "installs",
                "cases": {each.title: each.states for each in seen},
                "passed": all(each.passed for each in seen),
            }
        )
    )


if __name__ == "__main__":
    main()
