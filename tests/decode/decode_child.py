"""Run by tests in a process of its own: confine, then decode the files named on standard input.

Prints one JSON object a file; the arguments are the edge and the memory limit in MB.
"""

from __future__ import annotations

import json
import os
import sys

from imgd.config import DecodeSettings
from imgd.decode import DecodeLimits, FormatRegistry, Source, confine, decode, pyramid
from imgd.errors import ImgdError


def main() -> None:
    edge, memory_mb = int(sys.argv[1]), int(sys.argv[2])
    limits = DecodeLimits.of(DecodeSettings(memory_mb=memory_mb))
    confine(limits)
    registry = FormatRegistry()
    for line in sys.stdin:
        path = os.fsencode(line.rstrip("\n"))
        try:
            with Source.open(path, limits.max_file_bytes) as source:
                picture = decode(source, edge, limits, registry)
            sizes = {each: level.shape[:2] for each, level in pyramid(picture, {edge, min(edge, 512)}).items()}
            answer = {"size": [picture.width, picture.height], "levels": sizes, "damage": picture.damage}
        except ImgdError as error:
            answer = {"error": type(error).__name__, "detail": error.detail}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
