"""`imgctl models` without a daemon, on a catalogue that a plugin in a folder of its own brings."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

_WEIGHTS = b"weights " * 1000


@pytest.fixture
def toy(home: Path) -> dict[str, str]:
    """The environment in which the toy plugin, its catalogue of two models and a command are found."""
    folder = home / "site"
    info = folder / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[imgd]\ntoy = toy_plugin\n")
    (home / "weights.bin").write_bytes(_WEIGHTS)
    digest = hashlib.sha256(_WEIGHTS).hexdigest()
    (folder / "toy_plugin.py").write_text(f"""
import click
from imgd import Model, ModelFile, hookimpl

FILES = (ModelFile("w.bin", {digest!r}, {len(_WEIGHTS)}, ("file:{home}/weights.bin",)),)

@hookimpl
def imgd_models():
    return [
        Model("toy-free", "A toy", "MIT", FILES, default=True),
        Model("toy-strict", "Another toy", "non-commercial", FILES, must_accept=True),
    ]

@click.command
def greet():
    \"\"\"Say hello.\"\"\"
    click.echo("hello from the toy")

@hookimpl
def imgd_commands():
    return [greet]
""")
    return {"PYTHONPATH": str(folder), "IMGD_PLUGINS": "toy"}


def test_models_are_listed_pulled_verified_and_removed_without_a_daemon(imgctl, toy, home):
    states = {
        entry["name"]: entry
        for entry in map(json.loads, imgctl("models", "list", "--json", **toy).stdout.splitlines())
    }
    assert states["toy-free"]["state"] == "absent"
    assert (states["toy-strict"]["licence"], states["toy-strict"]["must_accept"]) == ("non-commercial", True)

    pulled = imgctl("models", "pull", "default", **toy)
    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stdout == "toy-free: fetched and verified (8.0 kB, MIT)\n"
    again = imgctl("models", "pull", "default", **toy)
    assert again.stdout == "toy-free: is there already (8.0 kB, MIT)\n"
    there = home / ".local" / "share" / "imgd" / "models" / "toy-free" / "w.bin"
    assert there.read_bytes() == _WEIGHTS

    assert imgctl("models", "verify", **toy).stdout == "toy-free: good (1 file)\n"
    there.write_bytes(b"WEIGHTS " * 1000)
    bad = imgctl("models", "verify", **toy)
    assert bad.returncode == 5
    assert "has sha256" in bad.stdout
    assert "models pull" in bad.stderr

    assert imgctl("models", "remove", "toy-free", **toy).stdout == "toy-free: removed\n"
    assert not there.exists()
    again = json.loads(imgctl("models", "remove", "toy-free", "--json", **toy).stdout)
    assert (again["name"], again["state"]) == ("toy-free", "absent")


def test_a_licence_has_to_be_accepted_by_name(imgctl, toy):
    refused = imgctl("models", "pull", "toy-strict", **toy)
    assert refused.returncode == 5
    assert "toy-strict is under non-commercial" in refused.stderr
    assert "--accept-licence toy-strict" in refused.stderr
    assert imgctl("models", "pull", "toy-strict", "--accept-licence", "toy-strict", **toy).returncode == 0


def test_models_fetched_elsewhere_are_added(imgctl, toy, home):
    elsewhere = home / "stick"
    elsewhere.mkdir()
    os.link(home / "weights.bin", elsewhere / "renamed.bin")
    added = imgctl("models", "add", str(elsewhere), "--name", "toy-free", **toy)
    assert added.stdout == "toy-free: added\n"
    assert imgctl("models", "list", **toy).stdout.splitlines()[0].split("\t")[:2] == ["toy-free", "present"]


def test_a_folder_without_a_whole_model_is_named_and_what_can_be_done_with_it(imgctl, toy, home):
    (home / "stick").mkdir()
    done = imgctl("models", "add", "stick", **toy)
    assert done.returncode == 5
    assert done.stderr.startswith(
        "imgctl: a model cannot be used: no model of the catalogue is whole in stick\nhint: "
    )
    assert "`--as NAME`" in done.stderr


def test_an_unknown_model_is_named_with_the_nearest(imgctl, toy):
    done = imgctl("models", "pull", "toy-fre", **toy)
    assert done.returncode == 5
    assert "toy-free" in done.stderr


def test_a_running_daemon_is_told_of_new_models(running, imgctl, toy):
    assert imgctl("models", "pull", "toy-free", **toy).returncode == 0
    assert running.services.refreshes == 1
    assert imgctl("models", "pull", "toy-free", **toy).returncode == 0
    assert running.services.refreshes == 1


@pytest.mark.parametrize("command", [("pull", "toy-free"), ("add", "stick")])
def test_a_model_store_that_cannot_be_written_is_named_with_what_to_do(imgctl, toy, home, command):
    (home / "stick").mkdir()
    os.link(home / "weights.bin", home / "stick" / "w.bin")
    config = home / "imgd.toml"
    config.write_text(f'[paths]\nmodels_dir = "{home}/weights.bin/models"\n')  # below a file: not even root can
    done = imgctl("--config", str(config), "models", *command, **toy)
    assert done.returncode == 5
    assert done.stderr.startswith("imgctl: a model cannot be used: ")
    assert f"{home}/weights.bin" in done.stderr
    assert "hint: Check its permissions" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plugin_brings_a_command(imgctl, toy):
    assert imgctl("greet", **toy).stdout == "hello from the toy\n"
    helped = imgctl("--help", **toy).stdout
    assert "greet" in helped
    assert "Say hello." in helped
    unknown = imgctl("gret", **toy)
    assert unknown.returncode == 2
    assert "No such command" in unknown.stderr


def test_a_licence_has_to_be_accepted_until_it_is(imgctl, toy, home):
    def licence() -> str:
        (line,) = (line for line in imgctl("models", "list", **toy).stdout.splitlines() if "strict" in line)
        return line.split("\t")[3]

    assert licence() == "non-commercial (has to be accepted)"
    config = home / "imgd.toml"
    config.write_text('[models]\naccept_licences = ["toy-strict"]\n')
    toy["IMGD_CONFIG"] = str(config)
    assert licence() == "non-commercial"
    del toy["IMGD_CONFIG"]
    assert imgctl("models", "pull", "toy-strict", "--accept-licence", "toy-strict", **toy).returncode == 0
    assert licence() == "non-commercial"
