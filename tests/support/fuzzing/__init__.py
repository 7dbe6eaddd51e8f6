"""Hostile photos by the million: seeds of every format, ways to harm them, and processes to try them in.

`python -m fuzzing` (or `make fuzz`) runs for as long as it is told; the tests run it for a few seconds.
"""
