"""Analyzers as a child hosts them: made by name, loaded, called, and their answers checked."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from imgd.analyzer import Analyzer, ImageFormat
from imgd.domain import Failure, Finding, PhotoInput
from imgd.errors import CacheUnwritableError, DiskFullError, ImgdError
from imgd.pipeline.checked import check_finding, clean_text
from imgd.pipeline.messages import AnalyzerOutcome, AnalyzerSpec

log = logging.getLogger(__name__)

MAX_FINDING_BYTES = 8 << 20
"""The most that one analyzer may say of one photo, as it is sent: a thousand faces with vectors have 2 MB."""
_ENCODER = msgspec.msgpack.Encoder()

_OUT_OF_MEMORY = (
    "out of memory",  # CUDA, ONNX Runtime, CuPy
    "can't allocate memory",  # PyTorch on a CPU
    "failed to allocate memory",  # ONNX Runtime
    "insufficient memory",  # OpenCV
    "status_alloc_failed",  # cuBLAS, cuDNN
    "resource_exhausted",  # JAX, TensorFlow
    "bad_alloc",  # C++
)
_DEVICE_FAULTS = ("CUDA error", "CUDA failure", "CUDNN_STATUS", "CUBLAS_STATUS")
"""After one of these every later call of the same process fails, too (CUDA's sticky errors)."""


def find_class(module: str, qualname: str) -> Any:
    """The class of that name, its module imported."""
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def make_hosted(spec: AnalyzerSpec) -> Any:
    """An instance of the class that `spec` names, not loaded yet."""
    found = find_class(spec.module, spec.qualname)
    found = found.for_space(spec.name, spec.settings) if spec.former else found.configured(spec.settings)
    instance = found(spec.settings, spec.model_dirs)
    if spec.cache_dir is not None:
        instance.cache_dir = spec.cache_dir
    return instance


def load_hosted(
    specs: Sequence[AnalyzerSpec], device: str, doing: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Make and load every one of `specs`; returns those that serve, and why the others do not.

    `doing` is told the name of the one being loaded, so that a crash in a library can be laid at its door.
    """
    loaded: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for spec in specs:
        doing(spec.name)
        try:
            instance = make_hosted(spec)
            instance.load(device)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything: it is that plugin's fault
            short = f"not enough memory on {device} to load it" if is_out_of_memory(error) else ""
            faults[spec.name] = short or describe_error(error)
        else:
            loaded[spec.name] = instance
    doing("")
    return loaded, faults


def load_formats(names: Sequence[tuple[str, str]]) -> list[type[ImageFormat]]:
    """The image formats that plugins bring, by (module, qualname); one that cannot be imported is left out."""
    found = []
    for module, qualname in names:
        try:
            format_class = find_class(module, qualname)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything: the other formats still serve
            log.error("image format %s.%s is left out: %s", module, qualname, describe_error(error))
        else:
            found.append(format_class)
    return found


class DeviceFaultError(Exception):
    """The device, or the library that drives it, serves no call of this process any more."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a call of an analyzer raised. Not the exception itself, whose traceback holds the batch's memory."""

    reason: str
    transient: bool = False
    memory: bool = False
    device: bool = False

    @classmethod
    def of(cls, error: BaseException) -> Fault:
        memory = is_out_of_memory(error)
        device = not memory and any(words in str(error) for words in _DEVICE_FAULTS)
        passes = isinstance(error, (DiskFullError, CacheUnwritableError))
        return cls(describe_error(error), passes, memory, device)


class Allowance(Protocol):
    """How many photos one call may receive where memory is short."""

    size: int

    def halve(self, count: int) -> None:
        """A batch of `count` photos, two or more, did not fit."""

    def refuse(self) -> tuple[str, bool]:
        """A photo by itself did not fit: why it has no finding, and whether that may pass by itself."""


def analyze(
    analyzer: Analyzer[Any], photos: Sequence[PhotoInput], allowance: Allowance | None = None
) -> list[AnalyzerOutcome]:
    """One outcome a photo, in order. A batch that raises is repeated photo by photo, so that one bad photo costs
    only itself; with an `allowance`, one that does not fit into memory is repeated in halves instead.

    Raises:
        DeviceFaultError: with an `allowance` only.
    """
    size = allowance.size if allowance else len(photos)
    if len(photos) > size:
        parts = [photos[start : start + size] for start in range(0, len(photos), size)]
        return [outcome for part in parts for outcome in analyze(analyzer, part, allowance)]
    # A list of its own: what it does to that is not done to ours.
    return settle(analyzer, photos, attempt(lambda: analyzer.analyze(list(photos)), len(photos)), allowance)


def attempt(ask: Callable[[], Sequence[Finding | Failure]], count: int) -> list[Finding | Failure] | Fault:
    """The `count` answers that `ask` returns, or why there are none."""
    try:
        answers = list(ask())
        if len(answers) != count:
            raise ValueError(f"returned {len(answers)} findings for {count} photos")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        return Fault.of(error)
    return answers


def settle(
    analyzer: Analyzer[Any],
    photos: Sequence[PhotoInput],
    answers: list[Finding | Failure] | Fault,
    allowance: Allowance | None = None,
) -> list[AnalyzerOutcome]:
    """The outcomes of a batch that was `attempt`ed: its checked findings, or those of smaller calls."""
    if not isinstance(answers, Fault):
        return [_outcome(analyzer, answer) for answer in answers]
    if allowance is not None and answers.device:
        raise DeviceFaultError(answers.reason)
    short = allowance is not None and answers.memory
    if len(photos) == 1:
        reason, transient = allowance.refuse() if allowance and short else (answers.reason, answers.transient)
        return [AnalyzerOutcome(analyzer.name, reason=reason, transient=transient)]
    if allowance and short:
        allowance.halve(len(photos))
        return analyze(analyzer, photos, allowance)
    return [outcome for photo in photos for outcome in analyze(analyzer, [photo], allowance)]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory is short. Many libraries have an exception of their own for that."""
    if isinstance(error, MemoryError) or any("OutOfMemory" in kind.__name__ for kind in type(error).__mro__):
        return True
    said = str(error).lower()
    return any(words in said for words in _OUT_OF_MEMORY)


def describe_error(error: BaseException) -> str:
    """An error as `imgctl failed` shows it: a plain reason for imgd's own, the type's name for others."""
    if isinstance(error, MemoryError):
        return "not enough memory for this photo (`decode.memory_mb`)"
    said = clean_text(error)
    if isinstance(error, ImgdError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _outcome(analyzer: Analyzer[Any], answer: Finding | Failure) -> AnalyzerOutcome:
    if isinstance(answer, Failure):
        return AnalyzerOutcome(analyzer.name, reason=clean_text(answer.reason) or "the analyzer gave no reason")
    try:
        finding = check_finding(type(analyzer), answer)
        size = len(_ENCODER.encode(finding))
    except ImgdError as error:
        return AnalyzerOutcome(analyzer.name, reason=str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - reading an answer may run the plugin's code
        return AnalyzerOutcome(analyzer.name, reason=describe_error(error))
    if size > MAX_FINDING_BYTES:
        most = MAX_FINDING_BYTES >> 20
        return AnalyzerOutcome(
            analyzer.name,
            reason=f"its finding is too large: {size / (1 << 20):.0f} MB of one photo, and {most} MB is the most",
        )
    return AnalyzerOutcome(analyzer.name, finding)


def close_hosted(analyzers: Iterable[Analyzer[Any]]) -> None:
    """Close all of them, whatever one of them does."""
    for analyzer in analyzers:
        try:
            analyzer.close()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
            log.warning("analyzer %s: close() raised %s", analyzer.name, describe_error(error))
