"""The units under a real systemd --user: started, asked, watched, stopped."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[2]
_DROP_IN = """\
[Service]
Environment=IMGD_PLUGINS=
StandardOutput=append:%h/imgd.log
StandardError=append:%h/imgd.log
"""
_PHOTOS = ("chelsea.png", "rocket.jpg", "coffee.png")


@pytest.fixture
def installed(systemd, tmp_path):
    """imgd with a few photos, installed as `imgd service install` does it, no plugins but the built-in ones."""
    skimage = find_spec("skimage")
    if skimage is None or not skimage.submodule_search_locations:
        pytest.skip("scikit-image, whose sample photos this test analyzes, is not installed")
    source = Path(skimage.submodule_search_locations[0]) / "data"
    systemd.check('mkdir "$HOME/Pictures"')
    for photo in _PHOTOS:
        systemd.check(f'cp "{source / photo}" "$HOME/Pictures/"')
    systemd.check('imgd init "$HOME/Pictures"')
    systemd.check("imgd service install")
    drop_in = '"$XDG_CONFIG_HOME/systemd/user/imgd.service.d"'
    systemd.check(f"mkdir {drop_in}")
    systemd.check(f"cat > {drop_in}/test.conf <<'UNIT'\n{_DROP_IN}UNIT")
    systemd.check("systemctl --user daemon-reload")
    return systemd


def properties(systemd, *names: str) -> dict[str, str]:
    shown = systemd.check(f"systemctl --user show imgd -p {','.join(names)}")
    return dict(line.split("=", 1) for line in shown.splitlines())


def test_systemd_has_nothing_to_say_of_the_units(systemd):
    for unit in ("imgd.service", "imgd.socket"):
        text = (_REPOSITORY / "contrib" / "systemd" / unit).read_text()
        there = f'"$XDG_CONFIG_HOME/systemd/user/{unit}"'
        systemd.check(f"cat > {there} <<'UNIT'\n{text.replace('%h/.local/bin/imgd', '/bin/true')}\nUNIT")
        result = systemd.run(f"systemd-analyze --user verify {there}")
        assert (result.code, result.output) == (0, "")


def test_imgd_starts_is_asked_searches_and_stops(installed):
    installed.check("systemctl --user start imgd")
    shown = properties(installed, "ActiveState", "StatusText", "Type", "WatchdogUSec", "MainPID")
    assert shown["ActiveState"] == "active"
    assert shown["StatusText"]
    assert shown["WatchdogUSec"] == "2min"
    status = json.loads(installed.check("imgctl status --json"))
    assert status["pid"] > 0
    installed.check("imgctl wait --timeout 120", 150)
    found = [json.loads(line) for line in installed.check("imgctl search chelsea --json").splitlines()]
    assert found[0]["path"].endswith("/Pictures/chelsea.png")
    installed.check("systemctl --user stop imgd")
    shown = properties(installed, "ActiveState", "Result", "ExecMainStatus")
    assert shown == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    assert installed.run('test -e "$XDG_RUNTIME_DIR/imgd/imgd.sock"').code == 1
    assert installed.run("imgctl status").code == 3


def test_imgd_is_started_again_after_it_was_killed(installed):
    installed.check("systemctl --user start imgd")
    first = properties(installed, "MainPID")["MainPID"]
    installed.check("systemctl --user kill --kill-whom=main -s KILL imgd")
    installed.wait_until('[ "$(systemctl --user show imgd -p NRestarts --value)" = 1 ]')
    installed.wait_until("systemctl --user is-active -q imgd")
    assert properties(installed, "MainPID")["MainPID"] not in ("0", first)
    installed.check("imgctl status")
    installed.check("systemctl --user stop imgd")


def test_a_wrong_configuration_is_not_tried_again(installed):
    installed.check('echo "nonsense = 1" >> "$XDG_CONFIG_HOME/imgd/imgd.toml"')
    assert installed.run("systemctl --user start imgd").code != 0
    shown = properties(installed, "ActiveState", "NRestarts", "ExecMainStatus")
    assert shown == {"ActiveState": "failed", "NRestarts": "0", "ExecMainStatus": "2"}
    assert "nonsense" in installed.check('cat "$HOME/imgd.log"')


def test_the_socket_starts_imgd_when_it_is_asked(installed):
    installed.check("systemctl --user start imgd.socket")
    assert properties(installed, "ActiveState")["ActiveState"] == "inactive"
    status = json.loads(installed.check("imgctl status --json", 60))
    assert str(status["pid"])
    assert properties(installed, "ActiveState")["ActiveState"] == "active"
    installed.check("systemctl --user stop imgd.socket imgd")


def test_the_service_cannot_write_to_photos(installed):
    run = "systemd-run --user --pipe --wait -q -p ProtectSystem=strict"
    result = installed.run(f'{run} touch "$HOME/Pictures/chelsea.png"')
    if result.code == 0:
        pytest.skip("this kernel gives a user manager no mount namespaces")
    installed.check("systemctl --user start imgd")
    pid = properties(installed, "MainPID")["MainPID"]
    mounts = installed.check(f"cat /proc/{pid}/mountinfo")
    assert any(" / / ro," in line for line in mounts.splitlines())
    installed.check("imgctl wait --timeout 120", 150)
    assert installed.check("imgctl failed") == ""
