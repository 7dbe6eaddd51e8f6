"""What a plugin does not keep of the contract."""

from __future__ import annotations

from collections.abc import Sequence

from imgd.errors import PluginError


class ConformanceError(PluginError):
    """The analyzer does not keep the contract."""

    hint = "docs/writing-plugins.md says what is asked of an analyzer, and why."

    def __init__(self, analyzer: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(analyzer + "".join(f"\n  {problem}" for problem in problems))
