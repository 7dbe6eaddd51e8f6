"""Instances of what is checked, made and loaded as imgd would, with all that is wrong about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imgd.pipeline.hosted import describe_error, make_hosted
from imgd.pipeline.messages import AnalyzerSpec
from imgd.testing.apart import Progress
from imgd.testing.watched import Watch


class Trial:
    """What the checks of analyzers and of query encoders have in common. `problems`: a sentence each, once."""

    def __init__(self, spec: AnalyzerSpec, device: str, watch: Watch, progress: Progress) -> None:
        self._spec = spec
        self._device = device
        self._watch = watch
        self._progress = progress
        self.problems: list[str] = []
        for name in progress.heavy:
            self.tell(f"its module imports {name}, and the main process with it: import that in `load`")

    def tell(self, problem: str) -> None:
        """Note a problem; "" is none."""
        if problem and problem not in self.problems:
            self.problems.append(problem)

    def load(self) -> Any:
        """A new instance, or None where it cannot be loaded."""
        self._progress("load")
        try:
            with self._watch.looking():
                instance = make_hosted(self._spec)
                instance.load(self._device)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
            self.tell(f"it cannot be loaded: {describe_error(error)}")
            return None
        return instance

    def ask(self, what: str, call: Callable[[], Any], advice: str = "") -> tuple[Any] | None:
        """What `call` returns, alone in a tuple; None where it raises."""
        self._progress(what)
        try:
            with self._watch.looking():
                return (call(),)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
            self.tell(f"{what}: it raises {describe_error(error)}{advice}")
            return None

    def close(self, instance: Any) -> None:
        """End the life of an instance."""
        self._progress("close")
        try:
            instance.close()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
            self.tell(f"close() raises {describe_error(error)}")

    def check_conduct(self) -> None:
        """What it did besides, in all that was watched."""
        if self._watch.opened:
            names = ", ".join(sorted(self._watch.opened))
            self.tell(f"it opens the photo's file ({names}): the file has been read, and may have changed")
        if self._watch.called:
            hosts = ", ".join(sorted(self._watch.called))
            self.tell(f"it asks the network for {hosts}: what it needs comes from `model_dirs`")
