"""Everything that there is to tell of an analyzer: what it declares, what it needs, and how it gets on."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from imgd.control.counts import JobCount
from imgd.control.protocol import AnalyzerAnswer, AnalyzerModel
from imgd.daemon.roster import AnalyzerState, Roster, Standing
from imgd.domain import Device
from imgd.errors import ModelError
from imgd.pipeline.scheduler import Pipeline
from imgd.plugins import PluginRegistry
from imgd.store.costs import Measured, read_costs
from imgd.store.database import Database
from imgd.store.statements import load_statements
from imgd.weights.store import ModelStore

_SQL = load_statements("imgd.control", "queries")
_REASONS = 5
"""Reasons of failures that are told of each analyzer, the most frequent ones."""


class Parts(Protocol):
    """The parts of the daemon that know it."""

    database: Database
    registry: PluginRegistry
    models: ModelStore
    roster: Roster
    pipeline: Pipeline


def describe_analyzers(parts: Parts, counts: Mapping[str, JobCount]) -> tuple[AnalyzerAnswer, ...]:
    """All analyzers that are installed. Blocks; `counts` are by name."""
    with parts.database.read() as connection:
        costs = read_costs(connection)
        spaces = _read_spaces(connection)
        failures = _read_failures(connection)
    described = []
    for name, standing in parts.roster.standings.items():
        answer = _declared(parts, standing)
        job = counts.get(name)
        answer = msgspec.structs.replace(
            answer,
            done=job.done if job else None,
            owed=job.owed if job else 0,
            failed=job.failed if job else 0,
            spaces=spaces.get(name, ()),
            failures=failures.get(name, {}),
            **_pace(parts.pipeline, standing, costs.get(name)),
        )
        described.append(answer)
    return tuple(described)


def _declared(parts: Parts, standing: Standing) -> AnalyzerAnswer:
    declared = standing.declaration
    plugin = parts.registry.statuses.get(standing.plugin)
    settings = parts.roster.settings_of(declared.name)
    return AnalyzerAnswer(
        name=declared.name,
        version=declared.version,
        state=standing.state,
        plugin=standing.plugin,
        device=declared.device,
        edge_px=declared.needs.edge,
        advice=standing.advice,
        batch_size=declared.batch_size,
        requires=declared.requires,
        after=declared.after,
        facts={key: kind.__name__ for key, kind in declared.facts.items()},
        run=standing.run,
        distribution=plugin.distribution if plugin else "",
        distribution_version=plugin.version if plugin else "",
        models=tuple(_model(parts.models, each) for each in declared.requires),
        settings={} if settings is None else _plain(dataclasses.asdict(settings)),
        memory_mb=declared.memory_mb,
    )


def _pace(pipeline: Pipeline, standing: Standing, cost: Measured | None) -> dict[str, Any]:
    """Where it runs, and how fast."""
    declared = standing.declaration
    is_model = declared.device is Device.MODEL
    devices = pipeline.devices_of(declared.name) if is_model else []
    is_ready = standing.state is AnalyzerState.READY
    workers = f"{pipeline.workers} {'worker' if pipeline.workers == 1 else 'workers'}"
    side_by_side = len(devices) if is_model else pipeline.workers
    return {
        "runs_on": () if not is_ready else tuple(devices) if is_model else (workers,),
        "runtimes": tuple(pipeline.runtimes_of(declared.name)) if is_model else (),
        "rate_per_s": round(pipeline.rates.per_second(declared.name), 2),
        "per_photo_s": None if cost is None else round(cost.per_photo_s, 6),
        "outdated_cost": cost is not None and cost.outdated,
        "most_per_s": round(max(1, side_by_side) / cost.per_photo_s, 2) if cost and cost.seconds else None,
    }


def _model(models: ModelStore, name: str) -> AnalyzerModel:
    try:
        model, state = models.catalogue.model(name), models.status(name)
    except ModelError:
        return AnalyzerModel(name, "", 0, "unknown")
    return AnalyzerModel(name, model.licence, model.size_bytes, state, model.must_accept)


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON can tell them."""
    plain: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=str)
    return plain


def _read_spaces(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """The spaces that each analyzer has filled, those of its newest generation first."""
    spaces: dict[str, list[str]] = defaultdict(list)
    for analyzer, space in connection.execute(_SQL["spaces_of_analyzers"]):
        spaces[analyzer].append(space)
    return {name: tuple(each) for name, each in spaces.items()}


def _read_failures(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    failures: dict[str, dict[str, int]] = defaultdict(dict)
    for analyzer, reason, photos in connection.execute(_SQL["failure_reasons"]):
        if len(failures[analyzer]) < _REASONS:
            failures[analyzer][reason] = photos
    return failures
