"""imgctl as people and scripts run it: a process of its own, against a server on a real socket."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading

import pytest
from terminal_session import run_in_terminal


def test_status_in_a_pipe_is_lines_that_begin_with_what_they_tell(running, imgctl):
    done = imgctl("status")
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0][:2] == ["daemon", "running"]
    assert ["root", "/photos", "online", "3", "1", ""] in lines
    assert ["index", "concept:test", "dirty", "4", "2"] in lines
    assert ["fault", "the disk is nearly full", "Free some space."] in lines


def test_status_in_a_terminal_is_tables(running, home):
    text = run_in_terminal(home, running.server.path, "status").text
    assert "Queue" in text
    assert "technical" in text
    assert "\x1b[1m" in text
    plain = run_in_terminal(home, running.server.path, "status", NO_COLOR="1").text
    assert "\x1b[3" not in plain


def test_json_goes_before_or_after_the_command(running, imgctl):
    before, after = (
        json.loads(imgctl(*arguments).stdout) for arguments in (("--json", "status"), ("status", "--json"))
    )
    assert before["photos"] == after["photos"] == 3


def test_search_prints_path_score_and_why(running, imgctl):
    done = imgctl("search", "a", "cat")
    assert (done.returncode, done.stdout) == (0, "/photos/2023/may/cat.jpg\t0.870\ttag cat 0.90\n")
    hit = json.loads(imgctl("search", "cat", "-n", "5", "--json").stdout)
    assert hit == {
        "photo_id": 1,
        "path": "/photos/2023/may/cat.jpg",
        "score": 0.87,
        "why": "tag cat 0.90",
        "path_base64": "",
        "reasons": [],
    }


def test_search_takes_minus_words_in_a_quoted_query(running, imgctl):
    assert imgctl("search", "cat -dog").returncode == 0
    assert imgctl("search", "--", "-dog", "cat").returncode == 0


def test_nothing_found_is_exit_code_1(running, imgctl):
    done = imgctl("search", "submarine", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing matches" in done.stderr


def test_a_query_that_cannot_be_understood_is_exit_code_2_with_a_hint(running, imgctl):
    done = imgctl("search", '"cat')
    assert done.returncode == 2
    assert done.stderr == (
        'imgctl: the query cannot be understood: a quote is not closed\nhint: Write "words" in pairs of quotes.\n'
    )


def test_no_daemon_is_exit_code_3_and_says_how_to_start_one(imgctl):
    done = imgctl("status")
    assert done.returncode == 3
    assert done.stdout == ""
    assert "systemctl --user start imgd" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--no-such"], ["search"], ["search", "-n", "0", "x"], ["retry"]])
def test_wrong_usage_is_exit_code_2(imgctl, arguments):
    done = imgctl(*arguments)
    assert done.returncode == 2
    assert "Usage:" in done.stderr


def test_wait_is_exit_code_4_when_the_time_is_up_and_0_when_all_is_done(running, imgctl):
    done = imgctl("wait", "--timeout", "0.05")
    assert done.returncode == 4
    assert "technical owes 1 photo" in done.stderr
    assert "labels: waiting for model" in done.stderr
    timer = threading.Timer(0.2, running.call, [running.services.work_done.set])
    timer.start()
    done = imgctl("wait", "--timeout", "60", "--json")
    timer.join()
    assert done.returncode == 0
    assert json.loads(done.stdout)["finished"] is True


def test_wait_shows_a_bar_in_a_terminal(running, home):
    text = run_in_terminal(home, running.server.path, "wait", "--timeout", "1.2").text
    assert "analyzing" in text
    assert "not finished: technical owes 1 photo" in text


def test_show_takes_an_id_or_a_path(running, imgctl):
    by_id, by_path = imgctl("show", "1", "--json"), imgctl("show", "/photos/2023/may/cat.jpg", "--json")
    assert json.loads(by_id.stdout) == json.loads(by_path.stdout)
    assert json.loads(by_id.stdout)["findings"][0]["tags"][0]["label"] == "cat"
    assert "labels.tags\tcat 0.90, sofa 0.40\n" in imgctl("show", "1").stdout


def test_an_unknown_photo_is_exit_code_1(running, imgctl):
    done = imgctl("show", "nowhere.jpg")
    assert done.returncode == 1
    assert "nowhere.jpg" in done.stderr


def test_odd_file_names_cannot_play_with_the_terminal(running, imgctl, home):
    for text in (imgctl("failed").stdout, run_in_terminal(home, running.server.path, "failed").text):
        assert "red.jpg" in text
        assert "\x1b[31mred" not in text
        assert "caf\\xe9\\n\\e[31mred.jpg" in text


def test_failed_json_is_one_object_a_line(running, imgctl):
    failures = [json.loads(line) for line in imgctl("failed", "--json").stdout.splitlines()]
    assert [(failure["analyzer"], failure["reason"]) for failure in failures] == [
        ("technical", "truncated file: 1 of 2 KiB"),
        ("labels", "no pixels"),
    ]
    assert all(failure["path"] for failure in failures)


def test_retry_names_photos_an_analyzer_or_all(running, imgctl):
    assert imgctl("retry", "3").stdout == "1 failed job is tried again.\n"
    assert imgctl("retry", "--analyzer", "labels").stdout == "1 failed job is tried again.\n"
    assert json.loads(imgctl("retry", "--all", "--json").stdout) == {"count": 1}
    done = imgctl("retry", "--analyzer", "nobody")
    assert done.returncode == 5
    assert "no analyzer is named nobody" in done.stderr


def test_rescan_pause_resume_and_analyzers_answer(running, imgctl):
    assert imgctl("rescan", "/photos").returncode == 0
    assert running.services.rescans == ["/photos"]
    assert imgctl("confirm", "/photos").returncode == 0
    assert running.services.confirmed == ["/photos"]
    assert imgctl("confirm", "/elsewhere").returncode != 0
    assert imgctl("pause").stdout == "paused\n"
    assert json.loads(imgctl("pause", "--json").stdout) == {"state": "paused"}
    assert imgctl("resume").stdout == "running\n"
    assert json.loads(imgctl("--json", "resume").stdout) == {"state": "running"}
    lines = imgctl("analyzers").stdout.splitlines()
    assert lines[1].split("\t")[:8] == [
        "labels", "1", "waiting for model", "model", "280", "concepts", "imgctl models pull labels", "always",
    ]  # fmt: skip
    assert "ImportError: no" in lines[2]


def test_analyzers_in_a_narrow_terminal_are_a_line_each(running, home):
    text = run_in_terminal(home, running.server.path, "analyzers", COLUMNS="80", NO_COLOR="1").text
    lines = text.splitlines()
    assert lines[1].split() == ["technical", "ready", "-", "-", "0", "0", "-"]
    assert lines[2].split() == ["labels", "waiting", "for", "model", "-", "-", "0", "0", "-"]
    assert "imgctl models pull labels" in text
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 80 for line in lines)
    assert "version" not in lines[0]
    wide = run_in_terminal(home, running.server.path, "analyzers", COLUMNS="140", NO_COLOR="1").text
    assert re.findall(r"version|model|plugin", wide.splitlines()[0]) == ["version", "model", "plugin"]


def test_one_analyzer_is_told_line_by_line(running, imgctl):
    done = imgctl("analyzers", "technical")
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[1:])
    assert done.stdout.startswith("technical\n")
    assert told["version"] == "2"
    assert told["filters"] == "sharpness: (float)"
    assert told["rate"] == "not measured yet"
    (only,) = imgctl("analyzers", "technical", "--json").stdout.splitlines()
    assert json.loads(only)["name"] == "technical"
    assert imgctl("analyzers", "nobody").returncode == 2
    broken = imgctl("analyzers", "bad")
    assert broken.returncode == 2
    assert "The plugin bad does not work: ImportError: no" in broken.stderr


def test_analyze_names_photos_by_path_folder_query_or_all(running, imgctl, home):
    done = imgctl("analyze", "labels", "1", "cat", "dog")
    assert done.stdout == "1 photo of 3 in the queue of labels; 2 findings of others come first.\n"
    assert done.stderr == "imgctl: the index is behind\n"
    assert imgctl("analyze", "labels", "/photos/nowhere/dog.jpg").returncode == 1, "no query is made of a path"
    (home / "trip").mkdir()
    assert imgctl("analyze", "labels", "trip").returncode == 0
    assert json.loads(imgctl("analyze", "labels", "--all", "--json").stdout)["queued"] == 1
    first, second, third = running.services.analyzed
    assert (first.photo_ids, first.query, first.everything) == ((1,), "cat dog", False)
    assert (second.photo_ids, second.query) == ((), f'path:"{home}/trip/"')
    assert (third.photo_ids, third.query, third.everything) == ((), "", True)


def test_analyze_of_what_no_photo_is_says_so(running, imgctl):
    done = imgctl("analyze", "labels", "unicorn")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "imgctl: no photo is meant by that\n"
    both = imgctl("analyze", "labels", "cat", "--all")
    assert both.returncode == 2
    assert "exclude each other" in both.stderr


@pytest.mark.parametrize("arguments", [["labels"], ["labels", "cat", "--all"], []])
def test_analyze_wants_an_analyzer_and_photos_or_all(running, imgctl, arguments):
    assert imgctl("analyze", *arguments).returncode == 2
    assert running.services.analyzed == []


def test_a_plan_is_told_with_reasons_sources_and_times(running, home):
    text = run_in_terminal(
        home, running.server.path, "reanalyze", "technical", "--plan", COLUMNS="110", NO_COLOR="1"
    ).text
    assert "older version 61,000, never analyzed 234" in text
    assert "61,000 previews, 200 files" in text
    assert "51 min*" in text
    assert "All of it: about 51 min 40 s, decoding included; 1 h 41 min if no preview could be used." in text
    assert "technical: * measured with its version or settings before." in text
    assert "technical: 34 photos in roots that are offline." in text
    assert "technical: 3 photos failed before" in text
    assert "Put into the queue" not in text
    assert running.services.reanalyzed[-1].plan


def test_what_was_never_measured_is_told_as_such(running, home, imgctl):
    text = run_in_terminal(home, running.server.path, "reanalyze", COLUMNS="110", NO_COLOR="1").text
    assert "All of it: not measured yet for labels, 51 min 40 s for the rest." in text
    assert "Put into the queue: 7 photos." in text
    lines = [line.split("\t") for line in imgctl("reanalyze", "--photos", "cat").stdout.splitlines()]
    assert ["why", "technical", "older version", "61000"] in lines
    assert ["analyzer", "labels", "waiting for model", "idle", "7", "0", "0", ""] in lines
    assert lines[-1] == ["total", "", "7", "labels"]
    assert running.services.reanalyzed[-1].query == "cat"


def test_the_status_names_what_does_not_run_what_failed_and_what_is_analyzed_again(running, home):
    text = run_in_terminal(home, running.server.path, "status", COLUMNS="80", NO_COLOR="1").text
    assert "1 photo failed; `imgctl failed` tells why" in text


def test_a_closed_pipe_ends_quietly(running, home):
    reading, writing = os.pipe()
    os.close(reading)
    environment = dict(os.environ) | {"IMGD_SOCKET": str(running.server.path)}
    command = [sys.executable, "-m", "imgd.cli.imgctl", "failed", "--json"]
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, env=environment, cwd=home, check=False, timeout=60
    )
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""


def test_the_socket_is_found_by_option_environment_or_configuration(running, imgctl, home):
    socket = str(running.server.path)
    config = home / "imgd.toml"
    config.write_text(f'[paths]\nsocket = "{socket}"\n')
    assert imgctl("--socket", socket, "status", IMGD_SOCKET="/nowhere").returncode == 0
    assert imgctl("status", IMGD_SOCKET=socket).returncode == 0
    assert imgctl("--config", str(config), "status", IMGD_SOCKET="").returncode == 0
    assert imgctl("status", IMGD_SOCKET="", IMGD_CONFIG=str(config)).returncode == 0
    assert imgctl("status", IMGD_SOCKET="").returncode == 3


def test_status_imports_nothing_heavy(running, home):
    code = """
import sys
from imgd.cli.imgctl import main
assert main(["status"]) == 0
heavy = {"numpy", "rich", "starlette", "uvicorn", "faiss", "PIL", "pluggy", "imgd.daemon", "asyncio"}
print(sorted(heavy & sys.modules.keys()), file=sys.stderr)
"""
    environment = dict(os.environ) | {"IMGD_SOCKET": str(running.server.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True, timeout=60
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("from_files_s", "told"), [(69.3, ""), (90.0, "; 1 min 30 s if no preview could be used")]
)
def test_a_plan_tells_of_previews_where_they_make_a_difference(capsys, from_files_s, told):
    from imgd.cli.reanalysis import _show
    from imgd.control.plans import ReanalysisAnswer, ReanalysisEntry

    entry = ReanalysisEntry("clip", "ready", "always", 280, 280, {"other settings": 280}, alone_s=69.0)
    _show(ReanalysisAnswer((entry,), takes_s=69.0, takes_from_files_s=from_files_s))
    assert f"All of it: about 1 min 9 s, decoding included{told}.\n" in capsys.readouterr().out
