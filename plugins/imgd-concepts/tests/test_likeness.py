"""A file after `like:` gets the vector that its analysis gives it, by imgd's own way from file to vector."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from imgd_concepts.analyzer import ConceptAnalyzer
from imgd_concepts.query import ConceptQueryEncoder
from imgd_concepts.settings import ConceptSettings
from imgd_concepts.space import SPACE

from imgd import Finding, PhotoInput
from imgd.config import DecodeSettings
from imgd.decode import DecodeLimits, Source, decode, pyramid
from imgd.pipeline.messages import AnalyzerSpec, PhotoToEncode
from imgd.pipeline.process import ChildStarter
from imgd.search.encoder import EncoderProcess
from imgd.search.onefile import FileReader

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "05_semantic"
EDGES = (512, ConceptAnalyzer.needs.edge)
"""What a first analysis asks for: the preview, and this plugin."""


def analyzed(path: Path, analyzer: ConceptAnalyzer) -> npt.NDArray[np.float32]:
    """The vector that a worker and a lane give."""
    with Source.open(os.fsencode(path), 1 << 30) as source:
        picture = decode(source, max(EDGES), DecodeLimits.of(DecodeSettings()))
    pixels = pyramid(picture, EDGES)[ConceptAnalyzer.needs.edge]
    photo = PhotoInput(1, str(path), picture.format, picture.width, picture.height, pixels)
    (finding,) = analyzer.analyze([photo])
    assert isinstance(finding, Finding)
    return finding.vectors[0].values


async def encoded(paths: list[Path], model_dirs: Mapping[str, Path]) -> list[npt.NDArray[np.float32]]:
    """The vectors that a search gives, out of real children."""
    kind = ConceptQueryEncoder
    starter = ChildStarter()
    encoders = EncoderProcess(starter, {SPACE: kind})
    spec = AnalyzerSpec(SPACE, kind.__module__, kind.__qualname__, ConceptSettings(), model_dirs)
    encoders.offer({SPACE: spec}, {})
    files = FileReader(starter, DecodeSettings(), EDGES)
    rows = []
    try:
        for path in paths:
            file = await files.read(os.fsencode(path), [kind.edge])
            (level,) = file.levels
            photo = PhotoToEncode(os.fsencode(path), file.format, file.width, file.height, level)
            rows.append(await encoders.encode_photo(SPACE, photo))
    finally:
        await encoders.stop()
        await starter.stop()
    return rows


def test_a_file_has_the_vector_of_its_analysis(analyzer: ConceptAnalyzer, model_dirs: Mapping[str, Path]) -> None:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real photos is not beside this checkout")
    paths = sorted(CORPUS.glob("*.jp*g"))[::16]
    assert paths
    for path, row in zip(paths, asyncio.run(encoded(paths, model_dirs)), strict=True):
        assert float(row @ analyzed(path, analyzer)) >= 0.99, path.name
