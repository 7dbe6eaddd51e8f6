"""The composition root: the one place that knows everybody. Builds the house, starts it in order, stops it in
reverse."""

from imgd.daemon.start import build_registry, load_settings, run

__all__ = ["build_registry", "load_settings", "run"]
