"""The concept space: photos as weighted sums of the vectors of what was recognised in them.

ConSE, Norouzi et al. 2013, "Zero-Shot Learning by Convex Combination of Semantic Embeddings"
(arXiv:1312.5650): a classifier's best labels, each by its probability. Detected objects are added, which the
paper does not have. Constants were chosen on 211 photos with captions and object boxes; see the README.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SPACE: Final = "concepts:minilm-l6-v2"
DIMENSIONS: Final = 384
TOP_LABELS: Final = 8
EDGE_PX: Final = 320
"""The longest edge at which photos are looked at."""

_LEAD = re.compile(r"\A(?:(?:an?|the)\s+)?(?:photo|photograph|picture|image)s?\s+(?:of|showing)\s+", re.IGNORECASE)
_ARTICLE = re.compile(r"\A(?:an?|the)\s+", re.IGNORECASE)


def concept_sentence(text: str) -> str:
    """How a label or a query is worded before it is encoded; both sides must be worded alike."""
    bare = text.strip().rstrip(".!?")
    return f"a photo of a {_ARTICLE.sub('', _LEAD.sub('', bare)) or bare}"


def concept_vector(
    label_weights: npt.NDArray[np.float32],
    label_vectors: npt.NDArray[np.float32],
    object_weights: npt.NDArray[np.float32],
    object_vectors: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32] | None:
    """The photo's vector, L2-normalised; None where nothing at all was recognised.

    Weights (n,) of labels and of kinds of objects, and the vectors (n, d) of their names.
    """
    import numpy as np

    total = label_weights @ label_vectors + object_weights @ object_vectors
    length = float(np.linalg.norm(total))
    return (total / np.float32(length)).astype(np.float32) if length > 0 else None
