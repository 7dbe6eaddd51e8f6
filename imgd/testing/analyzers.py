"""What every analyzer has to keep, as one call of a test."""

from __future__ import annotations

import gc
import hashlib
import tempfile
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from imgd.analyzer import Analyzer
from imgd.domain import Device, Failure, Finding, PhotoInput, StoredFinding
from imgd.errors import ImgdError
from imgd.facts import family_name, family_of, is_family
from imgd.pipeline.checked import check_finding
from imgd.pipeline.hosted import describe_error
from imgd.pipeline.plan import make_spec
from imgd.plugins import AnalyzerClass
from imgd.testing import memory
from imgd.testing.apart import Progress, Report, run_apart
from imgd.testing.declarations import analyzer_problems, make_settings
from imgd.testing.differences import difference
from imgd.testing.photos import FULL_SIZE, awkward_photos
from imgd.testing.problems import ConformanceError
from imgd.testing.trial import Trial
from imgd.testing.watched import Watch

Outcome = StoredFinding | Failure

TIMEOUT_S = 600.0


def check_analyzer(
    analyzer: AnalyzerClass,
    *,
    settings: object = None,
    model_dirs: Mapping[str, Path] | None = None,
    cache_dir: Path | None = None,
    device: str = "cpu",
    photos: Mapping[str, PhotoInput] | None = None,
    rare_facts: Collection[str] = (),
    shown_facts: Collection[str] = (),
    timeout_s: float | None = TIMEOUT_S,
) -> dict[str, Outcome]:
    """Load `analyzer` as imgd would, and try it on photos of every awkward shape, alone and in batches.

    `settings` are those of its section (its `settings_type()`, where None); `model_dirs` has the directory of
    every model it `requires`; `photos` come on top of the awkward ones, by a name for messages. `rare_facts` are
    declared facts that none of all these photos has, `shown_facts` are facts that are on purpose not declared.
    Returns what it said of each photo, by name, for a test to look at further.

    It runs in a process of its own, which is ended after `timeout_s`, so that a crash or a hang is told like
    anything else; what a test has replaced in its own process (a monkeypatch, say) is not replaced there. With
    None it runs in the test's own process, and memory and imports are not looked at.

    Raises:
        ConformanceError: with everything that it does not keep.
    """
    name = getattr(analyzer, "name", str(analyzer))
    if problems := analyzer_problems(analyzer, settings, model_dirs or {}, cache_dir):
        raise ConformanceError(name, problems)
    arguments: dict[str, Any] = {
        "settings": make_settings(analyzer, settings),
        "model_dirs": dict(model_dirs or {}),
        "cache_dir": cache_dir,
        "device": device,
        "photos": dict(photos or {}),
        "rare_facts": frozenset(rare_facts),
        "shown_facts": frozenset(shown_facts),
    }
    if timeout_s is None:
        report = examine(analyzer, progress=Progress(), **arguments)
    else:
        report = run_apart("imgd.testing.analyzers:examine", analyzer, arguments, timeout_s)
    if report.problems:
        raise ConformanceError(name, report.problems)
    return dict(report.outcomes)


def examine(analyzer: AnalyzerClass, *, progress: Progress, **arguments: Any) -> Report:
    """All that needs an instance, in the process where it is to happen."""
    with tempfile.TemporaryDirectory(prefix="imgd-photos-") as folder:
        watch = Watch(Path(folder))
        try:
            return _Check(analyzer, watch, progress, **arguments).run()
        finally:
            watch.close()


class _Check(Trial):
    """One instance after the other, and all that is wrong with them."""

    def __init__(
        self,
        analyzer: AnalyzerClass,
        watch: Watch,
        progress: Progress,
        *,
        settings: object,
        model_dirs: Mapping[str, Path],
        cache_dir: Path | None,
        device: str,
        photos: Mapping[str, PhotoInput],
        rare_facts: Collection[str],
        shown_facts: Collection[str],
    ) -> None:
        self._declared = analyzer.configured(settings)
        given_dir = cache_dir if self._declared.wants_cache_dir else None
        super().__init__(make_spec(analyzer, settings, model_dirs, given_dir), device, watch, progress)
        self._photos = watch.place({**awkward_photos(self._declared), **photos})
        self._pixels = {name: _digest(photo) for name, photo in self._photos.items()}
        self._rare_facts = rare_facts
        self._shown_facts = shown_facts
        self._measures = progress.alone and device == "cpu"
        self._took_mb = 0.0

    def run(self) -> Report:
        before_mb = memory.resident_mb()
        instance = self.load()
        if instance is None:
            return Report({}, tuple(self.problems))
        alone = self._ask_alone(instance)
        self._took_mb = memory.resident_mb() - before_mb
        self._check_repeats(instance, alone)
        self._check_memory(instance)  # before any batch, whose memory may be kept for the next one
        self._check_batches(instance, alone)
        if alone and all(isinstance(outcome, Failure) for outcome in alone.values()):
            reasons = {outcome.reason for outcome in alone.values() if isinstance(outcome, Failure)}
            self.tell(f"it fails at every photo: {'; '.join(sorted(reasons))}")
        self._check_facts(alone)
        self._check_kept(instance)
        self._check_again(instance, alone)
        self._check_pixels()
        self.check_conduct()
        return Report(alone, tuple(self.problems))

    def _check_again(self, instance: Any, alone: Mapping[str, Outcome]) -> None:
        """A lane that was idle unloads, and loads again."""
        self.close(instance)
        del instance
        told = len(self.problems)
        second = self.load()
        if second is None:
            self.problems[told:] = [f"after close(), {problem}" for problem in self.problems[told:]]
            return
        for name in [each for each in (FULL_SIZE,) if each in alone]:
            again = self._ask(second, [name], [self._photos[name]])
            if again and (found := difference(alone[name], again[0])):
                self.tell(f"{name}: another finding after close() and load(): {found}")
        self.close(second)

    # ------------------------------------------------------------------ its answers

    def _ask_alone(self, instance: Any) -> dict[str, Outcome]:
        return {
            name: outcome
            for name, photo in self._photos.items()
            for outcome in self._ask(instance, [name], [photo])
        }

    def _ask(
        self,
        instance: Any,
        names: Sequence[str],
        photos: Sequence[PhotoInput],
        call: Callable[[Sequence[PhotoInput]], Any] | None = None,
    ) -> list[Outcome]:
        """What it says of one batch, checked; nothing where it does not keep to one answer a photo."""
        what = names[0] if len(names) == 1 else f"a batch of {len(names)} photos"
        given = list(photos)
        analyze = call or instance.analyze
        answered = self.ask(what, lambda: list(analyze(given)), "; return a Failure instead")
        if answered is None:
            return []
        (answers,) = answered
        if len(answers) != len(photos):
            self.tell(f"{what}: {len(answers)} answers for {len(photos)} photos")
            return []
        if given != list(photos):
            self.tell(f"{what}: it changes the list of photos that it is given")
        return [self._checked(instance, name, answer) for name, answer in zip(names, answers, strict=True)]

    def _checked(self, instance: Any, name: str, answer: Finding | Failure) -> Outcome:
        if isinstance(answer, Failure):
            if not isinstance(answer.reason, str) or not answer.reason.strip():
                self.tell(f"{name}: a Failure without a reason")
            return answer
        try:
            return check_finding(type(instance), answer)
        except ImgdError as error:
            self.tell(f"{name}: {error.detail}")
            return Failure(error.detail)

    def _check_repeats(self, instance: Any, first: Mapping[str, Outcome]) -> None:
        for name, outcome in first.items():
            # The id is not what a photo shows.
            again = self._ask(instance, [name], [replace(self._photos[name], photo_id=9_999_999)])
            if again and (found := difference(outcome, again[0])):
                self.tell(f"{name}: another finding the second time: {found}")

    def _check_batches(self, instance: Any, alone: Mapping[str, Outcome]) -> None:
        """In order and backwards, so that no photo has the same neighbours twice; and ahead, as a lane does it."""
        size = max(1, min(self._declared.batch_size, instance.batch_size))
        names = list(alone)
        for order in (names, names[::-1]) if size > 1 else ():
            batches = [order[start : start + size] for start in range(0, len(order), size)]
            for batch in batches:
                together = self._ask(instance, batch, [self._photos[name] for name in batch])
                self._compare(batch, together, alone, "in a batch than alone")
        if type(instance).begin is not Analyzer.begin or type(instance).finish is not Analyzer.finish:
            batches = [names[start : start + size] for start in range(0, len(names), size)]
            self._check_ahead(instance, batches, alone)

    def _check_ahead(self, instance: Any, batches: Sequence[list[str]], alone: Mapping[str, Outcome]) -> None:
        last: tuple[list[str], Any] | None = None
        for batch in [*batches, None]:
            begun: Any = None
            if batch is not None:
                self._progress(f"begin with {len(batch)} photos")
                try:
                    with self._watch.looking():
                        begun = instance.begin([self._photos[name] for name in batch])
                except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
                    self.tell(f"begin() raises {describe_error(error)}")
                    return
            if last is not None:
                before, pending = last
                photos = [self._photos[name] for name in before]
                told = len(self.problems)
                found = self._ask(instance, before, photos, partial(_finish, instance, pending))
                self.problems[told:] = [f"finish(): {problem}" for problem in self.problems[told:]]
                self._compare(before, found, alone, "from begin() and finish() than from analyze()")
            last = None if batch is None else (batch, begun)

    def _compare(
        self, names: Sequence[str], found: Sequence[Outcome], alone: Mapping[str, Outcome], how: str
    ) -> None:
        for name, outcome in zip(names, found, strict=False):
            if differs := difference(alone[name], outcome):
                self.tell(f"{name}: another finding {how}: {differs}")

    def _check_facts(self, outcomes: Mapping[str, Outcome]) -> None:
        findings = [outcome for outcome in outcomes.values() if isinstance(outcome, StoredFinding)]
        if not findings:
            return
        given = {key for finding in findings for key, _number, _text in finding.filterable}
        families = {family_name(key): key for key in self._declared.facts if is_family(key)}
        given |= {families[name] for key in given if (name := family_of(key, self._declared.facts)) is not None}
        missing = [key for key in self._declared.facts if key not in given and key not in self._rare_facts]
        if missing:
            self.tell(
                f"no photo has these facts, which are declared: {', '.join(missing)}; "
                "give `photos` that have, or name them in `rare_facts`"
            )
        known = {*self._declared.facts, *families, *self._shown_facts}
        undeclared = sorted(
            key
            for key in {key for finding in findings for key in finding.facts} - known
            if any(isinstance(finding.facts.get(key), bool | int | float) for finding in findings)
        )
        if undeclared:
            self.tell(
                f"no search can filter by these numbers: {', '.join(undeclared)}; "
                "declare them in `facts`, or name them in `shown_facts`"
            )

    # ------------------------------------------------------------------ its manners

    def _check_kept(self, instance: Any) -> None:
        """In a lane, pixels are those of other photos once the batch is over."""
        photo = self._photos[FULL_SIZE]
        if photo.pixels is None:
            return
        pixels = photo.pixels.copy()
        pixels.flags.writeable = False
        seen = weakref.ref(pixels)
        self._ask(instance, [FULL_SIZE], [replace(photo, pixels=pixels)])
        # The call after it may take the place of what was kept of this one; keeping one photo is too many, too.
        del pixels
        gc.collect()
        if seen() is not None:
            self.tell("it keeps a photo's pixels after the call: copy what is needed longer")

    def _check_memory(self, instance: Any) -> None:
        if not self._measures:
            return
        in_lane = self._declared.device is Device.MODEL
        declared_mb = max(self._declared.memory_mb, instance.memory_mb)
        if in_lane or declared_mb:
            self.tell(memory.load_problem(declared_mb, self._took_mb))
        name = FULL_SIZE
        photo = self._photos[name]
        count = min(memory.MOST_AT_ONCE, self._declared.batch_size, instance.batch_size)
        if count > 1:
            one_mb = memory.peak_mb(partial(self._ask, instance, [name], [photo]))
            many_mb = memory.peak_mb(partial(self._ask, instance, [name] * count, [photo] * count))
            photo_mb = max(self._declared.photo_mb, instance.photo_mb)
            self.tell(memory.batch_problem(photo_mb, one_mb, many_mb, count))

        def ask(number: int) -> object:
            # Each photo is another one, for a table of them grows, too.
            return self._ask(instance, [name], [_another(photo, 1_000_000 + number)])

        self.tell(memory.growth_problem(ask))

    def _check_pixels(self) -> None:
        for name, photo in self._photos.items():
            if _digest(photo) != self._pixels[name]:
                self.tell(f"{name}: it writes into the photo's pixels, which other analyzers share")


def _another(photo: PhotoInput, photo_id: int) -> PhotoInput:
    """The same photo with pixels of its own, as each photo has."""
    if photo.pixels is None:
        return replace(photo, photo_id=photo_id)
    pixels = photo.pixels.copy()
    pixels.flags.writeable = False
    return replace(photo, photo_id=photo_id, pixels=pixels)


def _digest(photo: PhotoInput) -> str:
    return "" if photo.pixels is None else hashlib.sha256(photo.pixels.tobytes()).hexdigest()


def _finish(instance: Any, begun: Any, _photos: Sequence[PhotoInput]) -> Any:
    return instance.finish(begun)
