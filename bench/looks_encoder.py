"""The query encoder of a made library's space, as a plugin that a daemon can be given."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import looks
import numpy as np
import numpy.typing as npt
import world

from imgd import QueryEncoder

PLUGIN = "looks"
_SOURCE = """import imgd
from looks_encoder import LooksEncoder

@imgd.hookimpl
def imgd_query_encoders(settings):
    return [LooksEncoder]
"""
_MODULES = ("looks_encoder.py", "looks.py", "world.py", "world.toml")


class LooksEncoder(QueryEncoder[None]):
    """Words -> vectors of `bench:512`, near the clusters that are tagged with them."""

    name = "looks"
    space = looks.SPACE
    dimensions = looks.DIMENSIONS
    background_texts = world.background()

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.stack([looks.encode_text(text) for text in texts])


def install(folder: Path) -> Path:
    """Make `folder` a place for `python_path` where the plugin is installed with all that it imports."""
    from library import write_plugin

    write_plugin(folder, PLUGIN, _SOURCE)
    for name in _MODULES:
        shutil.copyfile(Path(__file__).with_name(name), folder / name)
    return folder
