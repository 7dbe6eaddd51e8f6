"""From a configuration file to a running daemon, and to its exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

from threadpoolctl import threadpool_limits

from imgd import config
from imgd.analyzers import plugin as built_in
from imgd.config import KnownAnalyzers, Settings
from imgd.daemon.house import House
from imgd.daemon.journal import make_log_handler
from imgd.errors import ConfigError, ConfigProblem
from imgd.plugins import PluginRegistry, build_plugin_manager, plugin_selection
from imgd.watch.ignores import check_patterns

DEFAULT_PLUGINS: tuple[object, ...] = (built_in,)


def build_registry() -> PluginRegistry:
    """The built-in plugins and the installed ones, as far as IMGD_PLUGINS wants them."""
    return build_plugin_manager(DEFAULT_PLUGINS, selection=plugin_selection())


def load_settings(path: Path) -> tuple[Settings, PluginRegistry]:
    """The settings of `path`, analyzers' sections included.

    Raises:
        ConfigError: with every problem of the file.
    """
    registry = build_registry()

    def schemas(settings: Settings) -> KnownAnalyzers:
        found = {name: analyzer.settings_type for name, analyzer in registry.analyzers(settings).items()}
        encoders = registry.query_encoder_classes(settings)
        searchable = frozenset(each.analyzer for each in encoders if each.analyzer)
        return KnownAnalyzers(found, complete=registry.is_complete, searchable=searchable)

    settings = config.load(path, schemas)
    if problem := check_patterns(settings.watch.ignore):
        raise ConfigError(str(path), [ConfigProblem("watch.ignore", problem)])
    return settings, registry


def run(settings: Settings, registry: PluginRegistry) -> int:
    """Run until SIGINT or SIGTERM; returns the exit status.

    Raises:
        ImgdError: when the daemon cannot start.
    """
    logging.basicConfig(level=settings.log.level.upper(), handlers=[make_log_handler()])
    logging.getLogger("uvicorn").setLevel(
        max(logging.WARNING, logging.root.level)
    )  # the daemon itself says when it starts and stops
    # Threads of BLAS spin between the small products of a search, and take the cores from everything else.
    threadpool_limits(1, user_api="blas")
    os.umask(0o077)  # everything that imgd writes is for its owner alone
    return asyncio.run(_serve(settings, registry))


async def _serve(settings: Settings, registry: PluginRegistry) -> int:
    house = House(settings, registry)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, house.ended.set)
    try:
        await house.start()
        await house.ended.wait()
    finally:
        await house.stop()
    return 1 if house.crashed else 0
