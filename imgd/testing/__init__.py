"""For authors of plugins: what every analyzer and query encoder has to keep, as one call of a test.

from imgd.testing import check_analyzer

def test_it_keeps_the_contract():
    check_analyzer(Lightness)
"""

from __future__ import annotations

from imgd.domain import StoredFinding
from imgd.testing.analyzers import Outcome, check_analyzer
from imgd.testing.differences import TOLERANCE
from imgd.testing.encoders import check_query_encoder
from imgd.testing.photos import awkward_photos, make_photo
from imgd.testing.problems import ConformanceError

__all__ = [
    "TOLERANCE",
    "ConformanceError",
    "Outcome",
    "StoredFinding",
    "awkward_photos",
    "check_analyzer",
    "check_query_encoder",
    "make_photo",
]
