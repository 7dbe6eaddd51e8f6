"""Queries that were never valid: what does `GET /v1/search` answer to any text?

    python bench/fuzzed_queries.py [--count 10000]

hypothesis makes the texts: any characters, and pieces of the query language in any order. A real daemon over a few
photos is asked each of them, and for the completion of every tenth. The answers are counted by their status; a 5xx
is an error of imgd's, and so is a daemon that does not answer.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from library import LibraryError, library, run
from photos import make_photo

from imgd.control.client import UnixConnection
from imgd.search.keys import KEYS

_PHOTOS = 20
_PATIENCE_S = 60.0
_PIECES = r"""
dog cat* "on the " ( ) - NOT OR AND : .. * >= < = 100 2023-06 2023-13 38.7,-9.1,20km like:#1
like:/etc/passwd has:gps is:raw like:.. 1/0 1e999 nan \ ^ {tag} + % _ ' 类 𝔘 é near: a.b:1
technical.sharpness:>1 sharpness: "
"""

Texts = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from([*_PIECES.split(), *(f"{key}:" for key in KEYS), " ", "\x00", "\ud800"]), max_size=14
    ).map("".join),
    st.lists(st.sampled_from([*_PIECES.split(), *(key.example for key in KEYS.values())]), max_size=8).map(
        " ".join
    ),
)


def ask(connection: UnixConnection, address: str, text: str) -> tuple[int, str]:
    """The status of the answer to `text`, and the beginning of its body."""
    connection.request("GET", f"{address}?limit=3&q={quote(text.encode('utf-8', 'surrogatepass'))}")
    answer = connection.getresponse()
    return answer.status, answer.read()[:300].decode("utf-8", "replace")


def measure(path: Path, count: int) -> tuple[Counter[str], list[str]]:
    """How many answers had which status, and the texts and bodies of those that are errors of imgd's."""
    connection = UnixConnection(path, _PATIENCE_S)
    statuses: Counter[str] = Counter()
    wrong: list[str] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(Texts)
    def probe(text: str) -> None:
        addresses = ["/v1/search", *(["/v1/complete"] if sum(statuses.values()) % 10 == 0 else [])]
        for address in addresses:
            status, body = ask(connection, address, text)
            statuses[f"{address} {status}"] += 1
            if status >= 500:
                wrong.append(f"{text!r}: {body}")

    probe()
    return statuses, wrong


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args()
    with library() as owned:
        for number in range(_PHOTOS):
            make_photo(owned.root / f"photo {number}.jpg", number)
        owned.start()
        owned.wait(120)
        statuses, wrong = measure(owned.socket, options.count)
        if owned.status().state != "running":
            raise LibraryError("the daemon does not run any more")
    for name, number in sorted(statuses.items()):
        print(f"{name:24}{number:8}")
    for line in wrong[:10]:
        print(f"wrong: {line}")
    return {
        "bench": "fuzzed_queries",
        "asked": sum(statuses.values()),
        "statuses": dict(sorted(statuses.items())),
        "errors_5xx": len(wrong),
        "passed": not wrong,
    }


if __name__ == "__main__":
    run(main)
