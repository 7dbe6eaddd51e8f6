"""Plugins in and out of imgd's own environment, by its own pip, without harm to what is there."""

from __future__ import annotations

import errno
import functools
import importlib
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

import imgd
from imgd.errors import DiskFullError, PluginInstallError
from imgd.hookspecs import PROJECT

FIRST_PARTY = ("caption", "clip", "concepts", "faces", "ocr")
SAME_FILES = (
    ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
    ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-training"),
    ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12"),
    ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tf-nightly"),
    ("pillow", "pillow-simd"),
)
"""Distributions with the same files in the same place: pip lets them overwrite each other, and says nothing."""

_UNREACHABLE = (
    "Look at the network, and at what `pip config list` says of the index and of proxies; `imgctl plugins install"
    " ./FOLDER` takes a plugin from a folder."
)
_NO_EXTRA = re.compile(r"\bextra\b")
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*(.*)")
_EXTRAS = re.compile(r"\s*\[[\w\s,.-]*\]\Z")


class Change(msgspec.Struct, frozen=True):
    """A distribution that an install brings (`old` is empty) or replaces. `requested`: it is the plugin itself."""

    name: str
    old: str
    new: str
    requested: bool = False


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, importlib.metadata.Distribution]:
    """What is installed beside imgd, by canonical name."""
    importlib.invalidate_caches()
    return {canonical(each.name): each for each in importlib.metadata.distributions() if each.name}


def is_plugin(distribution: importlib.metadata.Distribution) -> bool:
    return any(each.group == PROJECT for each in distribution.entry_points)


def plugin_named(name: str) -> importlib.metadata.Distribution:
    """The installed plugin that people call `name`: its distribution, its short name, or its entry point.

    Raises:
        PluginInstallError: there is none, or it is none.
    """
    there = installed()
    short = canonical(f"imgd-{name}")
    for candidate in (canonical(name), short):
        found = there.get(candidate)
        if candidate == "imgd":
            raise PluginInstallError("that is imgd itself", hint="`pip uninstall imgd` removes it.")
        if found is not None and is_plugin(found):
            return found
    for found in there.values():
        if any(each.group == PROJECT and each.name == name for each in found.entry_points):
            return found
    if canonical(name) in there:
        raise PluginInstallError(
            f"{name} is no plugin of imgd", hint="`imgctl plugins list` shows those that are."
        )
    raise PluginInstallError(f"{name} is not installed", hint="`imgctl plugins list` shows what is.")


def source_of(name: str) -> str:
    """What pip is to be asked for: a folder for one that is there, or for the short name of a plugin whose source
    lies where imgd's own does; else a name of the index. Extras stay behind it, as in `faces[dlib]`."""
    extras = "" if Path(name).is_dir() else "".join(_EXTRAS.findall(name))
    name = name.removesuffix(extras)
    if os.sep in name or Path(name).is_dir():
        folder = Path(name).expanduser().absolute()
        if not ((folder / "pyproject.toml").is_file() or (folder / "setup.py").is_file()):
            raise PluginInstallError(
                f"{folder} holds no Python project", hint="Name the folder of its pyproject.toml."
            )
        return f"{folder}{extras}"
    for folder in (_beside(), *_installed_from()):
        for candidate in (folder / f"imgd-{name}", folder / name):
            if (candidate / "pyproject.toml").is_file():
                return f"{candidate}{extras}"
    return f"imgd-{name}{extras}" if name in FIRST_PARTY else f"{name}{extras}"


def lies_beside(source: str) -> bool:
    """Whether it is a plugin of the source tree that imgd itself runs from, and so is to be used where it lies."""
    return Path(source).parent == _beside()


def _beside() -> Path:
    return Path(imgd.__file__).parents[1] / "plugins"


def _installed_from() -> list[Path]:
    """The plugins of the source tree that pip installed imgd from, where it notes one (PEP 610)."""
    try:
        noted = importlib.metadata.distribution("imgd").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return []
    url = urlsplit(str(json.loads(noted).get("url", "")) if noted else "")
    return [Path(unquote(url.path)) / "plugins"] if url.scheme == "file" else []


def requirements_of(there: Iterable[importlib.metadata.Distribution], roots: Collection[str]) -> list[str]:
    """What the distributions `roots` need, and what those need in turn: lines that pip takes as constraints."""
    by_name = {canonical(each.name): each for each in there}
    lines: set[str] = set()
    left, seen = list(roots), set()
    while left:
        name = left.pop()
        if name in seen or name not in by_name:
            continue
        seen.add(name)
        for requirement in by_name[name].requires or ():
            wanted, _, marker = requirement.partition(";")
            match = _REQUIREMENT.match(wanted.strip())
            if match is None or "@" in wanted or _NO_EXTRA.search(marker):
                continue
            left.append(canonical(match[1]))
            specifier = match[2].strip().strip("()")
            if specifier:
                lines.add(f"{match[1]}{specifier}" + (f" ;{marker}" if marker else ""))
    return sorted(lines)


def protected() -> list[str]:
    """What imgd and the plugins that are installed need: nothing that is installed may go outside of it."""
    there = installed()
    roots = ["imgd", *(name for name, each in there.items() if is_plugin(each))]
    return requirements_of(there.values(), roots)


def plan(source: str, *, editable: bool = False) -> list[Change]:
    """What installing `source` would change, by a dry run of pip that is held to what is protected.

    Raises:
        PluginInstallError: pip finds no way, or its way would do harm.
    """
    refuse_managed()
    with tempfile.TemporaryDirectory(prefix="imgd-plugin-") as name:
        constraints, report = Path(name) / "constraints.txt", Path(name) / "report.json"
        constraints.write_text("".join(f"{line}\n" for line in protected()), encoding="utf-8")
        what = ["-e", source] if editable else [source]
        run_pip("install", "--dry-run", "-c", str(constraints), "--report", str(report), *what)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    there = installed()
    return [
        Change(
            name := canonical(each["metadata"]["name"]),
            there[name].version if name in there else "",
            each["metadata"]["version"],
            bool(each.get("requested")),
        )
        for each in found
    ]


def plugin_to_install(source: str, changes: Sequence[Change]) -> str:
    """The distribution that `source` is: one of `changes`, or one that is there as it is wanted.

    Raises:
        PluginInstallError: it is there, and is no plugin.
    """
    name = next((each.name for each in changes if each.requested), "")
    if not name and (match := _REQUIREMENT.match(source)):
        name = canonical(match[1])
    there = installed().get(name)
    if there is not None and not is_plugin(there):
        raise PluginInstallError(
            f"{name} is installed, and is no plugin of imgd", hint="`imgctl plugins list` shows those that are."
        )
    return name


def refuse_harm(changes: Sequence[Change], without: Collection[str] = ()) -> None:
    """Refuse a second owner of files that one distribution must own.

    Raises:
        PluginInstallError: naming both, and what can be done.
    """
    coming = {each.name for each in changes} - set(without)
    after = coming | installed().keys()
    for family in SAME_FILES:
        owners = [name for name in family if name in after]
        new = [name for name in owners if name in coming]
        if len(owners) < 2 or not new:
            continue
        others = [name for name in owners if name != new[0]]
        raise PluginInstallError(
            f"it would bring {new[0]}, which overwrites the files of {' and '.join(others)}",
            hint=f"Where {others[0]} serves it as well: `imgctl plugins install NAME --without {new[0]}`.",
        )


def carry_out(source: str, changes: Sequence[Change], *, editable: bool = False) -> None:
    """Install what was planned, and nothing else."""
    others = [f"{each.name}=={each.new}" for each in changes if not each.requested]
    if others:
        replaces = any(each.old for each in changes if not each.requested)
        run_pip("install", "--quiet", "--no-deps", *others, finishes=replaces)
    for each in changes:
        if not each.requested:
            continue
        what = ["-e", source] if editable else [source if os.sep in source else f"{each.name}=={each.new}"]
        # One that is there in the same version may have been changed since.
        again = ["--force-reinstall"] if each.old else []
        run_pip("install", "--quiet", "--no-deps", *again, *what, finishes=bool(each.old))


def refuse_managed() -> None:
    """Refuse to touch an environment that belongs to the system's package manager (PEP 668).

    Raises:
        PluginInstallError: with what to do instead.
    """
    marker = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    if sys.prefix == sys.base_prefix and marker.exists():
        raise PluginInstallError(
            f"the Python of imgd ({sys.executable}) belongs to the system's package manager",
            hint="Install imgd into an environment of its own (`python3 -m venv DIR`, or `pipx install imgd`).",
        )


def run_pip(*arguments: str, finishes: bool = False) -> None:
    """Run imgd's own pip, with the user's own settings (index, proxy, certificates). `finishes`: it takes away
    what is there already, so it is let finish when somebody presses Ctrl-C once.

    Raises:
        PluginInstallError: with the reason that pip gives.
        DiskFullError: there is no room.
    """
    pip = subprocess.Popen(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        start_new_session=True,  # a Ctrl-C in the terminal is not for pip
    )
    try:
        stdout, stderr = pip.communicate()
    except KeyboardInterrupt:
        _interrupt(pip, finishes=finishes)
        raise
    if pip.returncode == 0:
        return
    if "No module named pip" in stderr:
        raise PluginInstallError("pip is not there", hint=f"Install it with `{sys.executable} -m ensurepip`.")
    if os.strerror(errno.ENOSPC) in stderr:
        hint = "Free some space, and do it again: what was there before still serves."
        raise DiskFullError("pip has no room for what it installs", hint=hint)
    reason = f"pip could not do it: {_reason(stderr)}"
    if "connection broken by" in stderr:
        raise PluginInstallError(f"pip cannot reach its index; {reason}", hint=_UNREACHABLE)
    if "No matching distribution found" in stderr:
        hint = "Where pip's index has no such plugin, name its folder: `imgctl plugins install ./FOLDER`."
        raise PluginInstallError(reason, hint=hint)
    raise PluginInstallError(_conflict(stdout) or reason)


def _interrupt(pip: subprocess.Popen[str], *, finishes: bool) -> None:
    """Somebody pressed Ctrl-C. pip puts nothing back when it is interrupted."""
    try:
        if finishes:
            sys.stderr.write("imgctl: pip finishes what it has begun; Ctrl-C once more ends it at once\n")
        else:
            os.killpg(pip.pid, signal.SIGINT)  # what it builds with, too
        pip.communicate()
    except KeyboardInterrupt:
        os.killpg(pip.pid, signal.SIGKILL)
        pip.communicate()


def _reason(stderr: str) -> str:
    """Why pip failed: what it says of that, or the error that it met and did not expect."""
    said = [line.removeprefix("ERROR: ").strip() for line in stderr.splitlines()]
    said = [line for line in said if line and not line.startswith(("WARNING", "[notice]"))]
    if "Exception:" in said[:1]:
        return said[-1]
    return "; ".join(said[:8])


def _conflict(said: str) -> str:
    """What pip says of requirements that contradict each other, in our words; "" where it is not that."""
    _, found, rest = said.partition("The conflict is caused by:\n")
    if not found:
        return ""
    parts = [line.strip() for line in rest.partition("\n\n")[0].splitlines() if line.startswith(" ")]
    parts = [part.replace("The user requested (constraint)", "imgd and its plugins need") for part in parts]
    return f"no version goes with what imgd and its plugins need: {'; '.join(parts)}"


@functools.cache
def service_runs() -> bool:
    """Whether imgd runs as a service of this user."""
    command = ["systemctl", "--user", "is-active", "--quiet", "imgd"]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=5).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
