"""Asking a daemon a set of queries over its socket, one at a time, and timing the answers."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from questions import ExactQuestion, Question

from imgd.control.client import ControlClient
from imgd.errors import QueryError


@dataclass(frozen=True, slots=True)
class Timed:
    """One answer: what the client waited for it without the query encoder's time."""

    question: Question
    took_ms: float
    encoder_ms: float
    cpu_ms: float
    found: int


@dataclass(slots=True)
class Asked:
    """What became of a set of queries. `refused`: those that the daemon does not understand, with its reason."""

    timed: list[Timed] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def percentile(self, share: float, kind: str | None = None) -> float:
        """Milliseconds that `share` percent of the answers (of one kind) do not exceed."""
        times = [each.took_ms for each in self.timed if kind in (None, each.question.kind)]
        return float(np.percentile(times, share)) if times else float("nan")

    def cpu_ms(self, kind: str | None = None) -> float:
        """The mean CPU time of the main process an answer: what else runs on the machine hardly changes it."""
        return statistics.fmean(each.cpu_ms for each in self.timed if kind in (None, each.question.kind))

    def kinds(self) -> list[str]:
        return sorted({each.question.kind for each in self.timed})

    def slowest(self, count: int) -> list[Timed]:
        """The slowest queries, each once, by the median of its answers."""
        by_text: dict[str, list[Timed]] = {}
        for each in self.timed:
            by_text.setdefault(each.question.text, []).append(each)
        medians = [sorted(group, key=lambda one: one.took_ms)[len(group) // 2] for group in by_text.values()]
        return sorted(medians, key=lambda one: -one.took_ms)[:count]


def cpu_ms(pid: int) -> float:
    """CPU time of all threads of a process so far, in milliseconds (/proc/PID/task/TID/schedstat)."""
    total_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that ended meanwhile
            total_ns += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total_ns / 1e6


def ask_all(
    client: ControlClient, questions: Iterable[Question], pid: int | None = None, limit: int = 20
) -> Asked:
    """Ask one after the other over one connection that is kept open; `pid` is the daemon, for its CPU time."""
    asked = Asked()
    for question in questions:
        cpu_before = cpu_ms(pid) if pid else 0.0
        began = time.perf_counter()
        try:
            answer = client.search(question.text, limit=limit)
        except QueryError as error:
            asked.refused[question.text] = str(error)
            continue
        took_ms = (time.perf_counter() - began) * 1e3
        used_ms = cpu_ms(pid) - cpu_before if pid else 0.0
        waited_ms = max(0.0, took_ms - answer.encoder_ms)
        asked.timed.append(Timed(question, waited_ms, answer.encoder_ms, used_ms, answer.found))
    return asked


def ask_until(
    client: ControlClient, questions: Sequence[Question], ended: Callable[[], object], at_least: int = 1
) -> Asked:
    """Ask the set again and again until `ended`, and so many times in all `at_least`."""
    asked = Asked()
    for number, question in enumerate(itertools.cycle(questions)):
        if number >= at_least * len(questions) and ended():
            break
        one = ask_all(client, [question])
        asked.timed += one.timed
        asked.refused |= one.refused
    return asked


def first_hits(client: ControlClient, questions: Sequence[ExactQuestion]) -> list[str]:
    """The queries whose photo does not come first."""
    wrong = []
    for question in questions:
        hits = client.search(question.text, limit=3).hits
        if not hits or hits[0].photo_id != question.photo_id:
            wrong.append(f"{question.kind}: {question.text}")
    return wrong


def growth_exponent(counts: Sequence[int], times_ms: Sequence[float]) -> float:
    """b of `time = a * count ** b`, by least squares of the logarithms: 0 does not grow, 1 is linear."""
    return statistics.linear_regression(np.log(counts).tolist(), np.log(times_ms).tolist()).slope
