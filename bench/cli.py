"""How long `imgctl status` and a press of Tab take, Python's start included, against a running daemon.

    python bench/cli.py                  starts a daemon of its own on an empty folder
    python bench/cli.py --socket PATH    asks the daemon there

Tab completes a command (without a question to the daemon) and a term of a query (with one). Prints a table and,
last, one JSON line. The bar: a median of at most 250 ms for the status.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

BAR_MS = 250
START_TIMEOUT_S = 60


@contextlib.contextmanager
def own_daemon(directory: Path) -> Iterator[Path]:
    """A daemon on an empty root, without plugins; yields its socket."""
    (directory / "photos").mkdir()
    config, socket = directory / "imgd.toml", directory / "imgd.sock"
    imgd = [sys.executable, "-m", "imgd.cli.imgd"]
    places = [word for name in ("state", "cache", "models") for word in (f"--{name}-dir", str(directory / name))]
    init = [*imgd, "init", str(directory / "photos"), "--config", str(config), "--socket", str(socket), *places]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
    environment = dict(os.environ) | {"IMGD_PLUGINS": ""}
    log = (directory / "imgd.log").open("wb")
    daemon = subprocess.Popen([*imgd, "run", "--config", str(config)], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while subprocess.run(status_command(socket), check=False, capture_output=True).returncode:
            if daemon.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the daemon did not start:\n{(directory / 'imgd.log').read_text()}")
            time.sleep(0.2)
        yield socket
    finally:
        daemon.terminate()
        daemon.wait(60)
        log.close()


def status_command(socket: Path) -> list[str]:
    """The installed command where there is one, as a person would run it."""
    installed = Path(sys.executable).with_name("imgctl")
    start = [str(installed)] if installed.exists() else [sys.executable, "-m", "imgd.cli.imgctl"]
    return [*start, "--socket", str(socket), "status"]


def measure(command: Sequence[str], repeats: int, **variables: str) -> list[float]:
    """Wall time of each run in milliseconds, after one that fills the caches."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | variables)
        times.append((time.perf_counter() - began) * 1e3)
    return times[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description="How long `imgctl` takes.")
    parser.add_argument("--socket", type=Path, help="of a running daemon; else one is started")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        socket = options.socket
        if socket is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imgd-bench-")))
            socket = stack.enter_context(own_daemon(directory))
        python = measure([sys.executable, "-c", "pass"], options.repeats)
        status = measure(status_command(socket), options.repeats)
        # As the script that `imgctl completion bash` prints does it.
        start = status_command(socket)[:-3]
        asked = {"_IMGCTL_COMPLETE": "bash_complete", "IMGD_SOCKET": str(socket)}
        command = measure([*start, "imgctl sea", "sea"], options.repeats, **asked)
        term = measure([*start, "imgctl search orient", "orient"], options.repeats, **asked)
    result = {
        "bench": "cli",
        "status_ms_median": round(statistics.median(status), 1),
        "status_ms_min": round(min(status), 1),
        "complete_command_ms_median": round(statistics.median(command), 1),
        "complete_term_ms_median": round(statistics.median(term), 1),
        "python_ms_median": round(statistics.median(python), 1),
        "ratio": round(statistics.median(status) / statistics.median(python), 2),
        "bar_ms": BAR_MS,
        "passed": statistics.median(status) <= BAR_MS,
    }
    print(f"{'':24} {'median ms':>10} {'min ms':>10}")
    for name, times in (
        ("python -c pass", python),
        ("imgctl status", status),
        ("imgctl sea[Tab]", command),
        ("imgctl search ori[Tab]", term),
    ):
        print(f"{name:24} {statistics.median(times):10.1f} {min(times):10.1f}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
