"""imgd's own command: setting up, checking, and the units it installs."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
from daemon_process import write_plugin

from imgd.cli.service import UNITS, quoted, rendered

_REPOSITORY = Path(__file__).parents[2]


def test_init_writes_a_configuration_and_makes_the_directories(imgd, home):
    (home / "Pictures").mkdir()
    done = imgd("init", "Pictures")
    assert done.returncode == 0, done.stderr
    written = home / ".config" / "imgd" / "imgd.toml"
    assert tomllib.loads(written.read_text()) == {"roots": [str(home / "Pictures")]}
    state = home / ".local" / "share" / "imgd"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert (state / "models").is_dir()
    assert "imgd run" in done.stdout


def test_init_takes_directories_and_a_place_for_the_configuration(imgd, home):
    (home / "a").mkdir()
    config = home / "deep" / "imgd.toml"
    done = imgd("init", "a", "--config", str(config), "--state-dir", "state", "--socket", "s.sock")
    assert done.returncode == 0, done.stderr
    paths = tomllib.loads(config.read_text())["paths"]
    assert paths == {"state_dir": str(home / "state"), "socket": str(home / "s.sock")}
    assert f"--config {config}" in done.stdout
    assert [entry.name for entry in config.parent.iterdir()] == ["imgd.toml"]


def test_init_never_overwrites_unless_told(imgd, home):
    (home / "a").mkdir()
    assert imgd("init", "a").returncode == 0
    written = home / ".config" / "imgd" / "imgd.toml"
    written.write_text("# mine\n")
    done = imgd("init", "a")
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert written.read_text() == "# mine\n"
    assert imgd("init", "a", "--force").returncode == 0
    assert "roots" in written.read_text()


def test_init_refuses_a_folder_that_is_not_there(imgd, home):
    done = imgd("init", "nowhere")
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert not (home / ".config").exists()


def test_init_refuses_overlapping_folders_and_writes_nothing(imgd, home):
    (home / "a" / "b").mkdir(parents=True)
    done = imgd("init", "a", "a/b")
    assert done.returncode == 2
    assert "overlap" in done.stderr
    assert list((home / ".config" / "imgd").iterdir()) == []


def test_version_is_told(imgd, imgctl):
    assert imgd("--version").stdout.startswith("imgd 0.")
    assert imgctl("--version").stdout.startswith("imgctl 0.")


def test_check_names_every_error_of_a_configuration_at_once(imgd, home):
    pytest.importorskip("imgd.daemon")
    config = home / "imgd.toml"
    config.write_text('[watch]\nsetle_s = 2\n[log]\nlevel = "lots"\n')
    for command in ("check", "run"):
        done = imgd(command, "--config", str(config))
        assert done.returncode == 2
        assert "line 2: watch.setle_s: unknown key; did you mean `settle_s`?" in done.stderr
        assert "line 4: log.level" in done.stderr
        assert "hint:" in done.stderr
        assert "Traceback" not in done.stderr


def test_check_accepts_a_good_configuration(imgd, home):
    pytest.importorskip("imgd.daemon")
    (home / "Pictures").mkdir()
    imgd("init", "Pictures")
    done = imgd("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "is good" in done.stdout


def test_check_names_a_plugin_that_does_not_work_with_these_settings(imgd, home):
    source = """
from imgd import Analyzer, hookimpl

class Strict(Analyzer):
    name = "strict"
    version = "1"

    @classmethod
    def configured(cls, settings):
        raise ValueError("no model is called so")

    def analyze(self, photos):
        return []

@hookimpl
def imgd_analyzers(settings):
    return [Strict]
"""
    folder = write_plugin(home / "site", "strict", source)
    (home / "Pictures").mkdir()
    imgd("init", "Pictures")
    done = imgd("check", PYTHONPATH=str(folder), IMGD_PLUGINS="strict")
    assert done.returncode == 2
    assert done.stderr == "imgd: the plugin strict does not work: ValueError: no model is called so\n"
    assert "is good" not in done.stdout


def test_check_names_a_plugin_that_is_wanted_and_not_there(imgd, home):
    folder = write_plugin(home / "site", "strict", "")
    (home / "Pictures").mkdir()
    imgd("init", "Pictures")
    done = imgd("check", PYTHONPATH=str(folder), IMGD_PLUGINS="imgd-stict, strict, imgd")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "imgd: the plugin imgd-stict does not work: IMGD_PLUGINS names it, and no plugin of that name is"
        " installed; did you mean `strict`?\n"
    )


def test_run_without_a_configuration_says_how_to_write_one(imgd):
    pytest.importorskip("imgd.daemon")
    done = imgd("run")
    assert done.returncode == 2
    assert "imgd init FOLDER" in done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_contrib_holds_the_units_that_service_install_writes(unit):
    shipped = (_REPOSITORY / "contrib" / "systemd" / unit).read_text()
    assert shipped == rendered("%h/.local/bin/imgd", "", None)[unit]
    assert "@" not in shipped.replace("@system-service", "")


def test_service_install_writes_units_for_this_imgd_and_configuration(imgd, home):
    (home / "a b").mkdir()
    imgd("init", "a b", "--state-dir", "my state")
    done = imgd("service", "install")
    assert done.returncode == 0, done.stderr
    service = (home / ".config" / "systemd" / "user" / "imgd.service").read_text()
    (start,) = (line for line in service.splitlines() if line.startswith("ExecStart="))
    assert start.removeprefix("ExecStart=").startswith(("/", '"/'))
    assert start.endswith(" run")
    assert f'ReadWritePaths="-{home}/my state"' in service
    socket = (home / ".config" / "systemd" / "user" / "imgd.socket").read_text()
    assert f"ListenStream={home}/run/imgd/imgd.sock" in socket
    assert imgd("service", "uninstall").returncode == 0
    assert not list((home / ".config" / "systemd" / "user").iterdir())


def test_words_of_units_are_quoted_as_systemd_wants_them():
    assert quoted("/usr/bin/imgd") == "/usr/bin/imgd"
    assert quoted("/a b/100%") == '"/a b/100%%"'
    assert quoted('/say "x"') == '"/say \\"x\\""'
