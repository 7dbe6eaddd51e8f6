"""From a photo's path to upright sRGB pixels: one open, one read, one decode at the smallest size that serves."""

from imgd.decode.ladder import decode, report
from imgd.decode.limits import DecodeLimits, allow_cpu, confine
from imgd.decode.pyramid import exact_size, pyramid
from imgd.decode.registry import FormatRegistry
from imgd.decode.source import LateFile, Source
from imgd.decode.turns import Turns

__all__ = [
    "DecodeLimits", "FormatRegistry", "LateFile", "Source", "Turns",
    "allow_cpu", "confine", "decode", "exact_size", "pyramid", "report",
]  # fmt: skip
