"""The base classes of the three things a plugin can bring: an analyzer, a query encoder, an image format."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from imgd.domain import Device, Failure, Finding, Needs, PhotoInput, Picture

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SettingsT = TypeVar("SettingsT")


class Declaration(abc.ABC, Generic[SettingsT]):
    """What analyzers and query encoders have in common: their class says what imgd has to know before any
    instance is made, and their settings may have a say in that."""

    packages: ClassVar[Mapping[str, str]] = {}
    """Modules that an extra of the plugin brings: what is imported -> what to install for it, as
    `{"torch": "imgd-caption[torch]"}`. Until all can be found, it is `waiting for package`."""

    @classmethod
    def configured(cls, settings: SettingsT) -> type[Self]:
        """The declaration as `settings` make it: `cls`, or what `cls.declared` returns.

        To override where a setting names the model, and with it what is required, how large photos have to be, or
        which space is filled. Called in the main process and again in every child: quick, nothing heavy, and
        always the same for the same settings. An exception makes the plugin a status that says why.
        """
        del settings
        return cls

    @classmethod
    def declared(cls, **attributes: Any) -> type[Self]:
        """This class with other class attributes, as `cls.declared(requires=("my-model",), needs=Needs(384))`.

        Raises:
            AttributeError: the class knows no attribute of that name.
        """
        known = {name for each in cls.__mro__ for name in (*vars(each), *vars(each).get("__annotations__", ()))}
        if unknown := sorted(set(attributes) - known):
            raise AttributeError(f"{cls.__qualname__} declares nothing called {', '.join(unknown)}")
        # Children find the class under its own name, and then call `configured` themselves.
        names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        metaclass: Any = type(cls)
        made: type[Self] = metaclass(cls.__name__, (cls,), {**names, **attributes})
        return made


class Analyzer(Declaration[SettingsT]):
    """Turns decoded photos into findings.

    The class is a declaration: the main process reads its attributes and never makes an instance.
    Instances are made in a decode worker (`device = Device.CPU`) or in a lane (`Device.MODEL`), where
    `load` runs once before the first `analyze` and `close` once at the end. Heavy imports belong in `load`.
    """

    name: ClassVar[str]
    """Unique, lower case, as in `[analyzers.NAME]` of imgd.toml."""
    version: ClassVar[str]
    """Change it when findings change: every photo is then analyzed again, at low priority."""
    needs: ClassVar[Needs] = Needs()
    device: ClassVar[Device] = Device.CPU
    batch_size: int = 1
    """The most photos one call receives; smaller batches come when no more photos are there."""
    memory_mb: float = 0
    """What the loaded analyzer takes of its device's memory (the GPU's, or the machine's), without photos."""
    photo_mb: float = 0
    """What each photo of a batch adds to that while it is analyzed. With it, batches are as large as the device's
    memory allows, up to `batch_size`; with 0, that is what they are. `load` may set these three anew for an
    instance whose settings decide about them; what stands in the class is what the analyzer is placed by."""
    after: ClassVar[tuple[str, ...]] = ()
    """Analyzers whose findings of the same photo this one reads. One in a lane may declare `Needs(edge=0)` where
    that is all it reads: it then receives no pixels."""
    facts: ClassVar[Mapping[str, type]] = {}
    """Facts that searches can filter by: key -> float, int, str or bool. Other facts are kept and shown.

    `{"objects.*": int}` declares a family: the fact `objects` is a dict such as `{"person": 3}`, and each of its
    members is filtered by, as `objects.person:>=3`. A family of int counts things, from 0: what is not in the dict
    was looked for and not found, and the sum of all is filtered by as `objects`. So a finding has the dict, empty
    where nothing was found, wherever it was counted. Members that are declared one by one beside their family
    (`"objects.person": int`) are known before any photo has them."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Names of catalogue models; the analyzer is `waiting for model` until all are in the model store."""
    reads_sidecars: ClassVar[bool] = False
    """Whether a sidecar that is added or edited makes this analyzer's finding stale."""
    settings_type: ClassVar[type | None] = None
    """A frozen dataclass with defaults: the schema of `[analyzers.NAME]`."""
    code_settings: ClassVar[frozenset[str]] = frozenset()
    """Names of settings that do not change findings (thread counts, say): they do not make them stale."""
    needs_original: ClassVar[bool] = False
    """Whether its pixels must come from the photo's file. Else a photo that is analyzed again, and whose file has
    not changed, may be given as the cached preview has it, where that is large enough: a JPEG, and so lossy."""
    wants_cache_dir: ClassVar[bool] = False
    """Whether instances are given a directory of their own for files that can be made again."""

    runtime: str = ""
    """What really runs the loaded models, for people (`onnxruntime CUDAExecutionProvider`): `load` may set it, and
    `imgctl analyzers` shows it."""

    cache_dir: Path
    """`$XDG_CACHE_HOME/imgd/<name>s`, mode 0700; set before `load` where `wants_cache_dir` is true."""

    def __init__(self, settings: SettingsT, model_dirs: Mapping[str, Path]) -> None:
        self.settings = settings
        self.model_dirs = model_dirs

    def load(self, device: str) -> None:
        """Import what is heavy and load weights. `device` is `cpu`, `cuda:0`, ..."""

    @abc.abstractmethod
    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        """One Finding or Failure a photo, in the same order.

        An exception counts against every photo of the batch; return a Failure for one that cannot be analyzed.
        A batch that does not fit into memory is repeated in halves.
        """

    def begin(self, photos: Sequence[PhotoInput]) -> Any:
        """Start on a batch, and return at once with what `finish` needs.

        To override, together with `finish`, where a device or threads of one's own do the work: a lane begins the
        next batch before it finishes the last one, so that they never wait for it. The photos' pixels stay
        until the batch is finished.
        """
        return photos

    def finish(self, begun: Any) -> Sequence[Finding | Failure]:
        """Wait for what `begin` started, and return what `analyze` would."""
        return self.analyze(begun)

    def close(self) -> None:
        """Free what `load` took."""


class QueryEncoder(Declaration[SettingsT]):
    """Turns a query into a vector of a space; runs in the encoder processes, never in the main one.

    Texts and photos are encoded by two instances, in two processes, so that a search for words never waits for
    models that look at photos. What only one of the two needs is best loaded at its first call.
    """

    name: ClassVar[str]
    space: ClassVar[str]
    """The space of the vectors it makes: one that an analyzer fills."""
    dimensions: ClassVar[int]
    requires: ClassVar[tuple[str, ...]] = ()
    """Names of catalogue models; until all are in the model store, the encoder serves no search."""
    edge: ClassVar[int] = 0
    """The longest edge in pixels of the photos that it encodes, as in `Needs` of the space's analyzer; 0: it
    encodes texts only."""
    photo_requires: ClassVar[tuple[str, ...]] = ()
    """Further models, which only `encode_photos` needs: without them the encoder still serves words."""
    words: ClassVar[bool] = True
    """Whether it encodes words. False for one that has photos alone (a CLIP model's image tower without its text
    tower): `like:` is then all that its space answers, and searches for words pass it over."""
    of_texts: ClassVar[bool] = False
    """Whether the space's vectors are of texts about photos, such as captions, and not of what photos look like.
    Such a space answers words alone, never `like:`. A photo may have several vectors in it, of which the one most
    like the query counts, and one that has none is ranked by everything else as if the space were not there."""
    background_texts: ClassVar[Sequence[str]] = ()
    """Everyday things a photo could show. Their similarities to a library are the background against which
    the space's cut-off is calibrated, so that a query that nothing matches returns nothing."""
    analyzer: ClassVar[str] = ""
    """Whose settings (`[analyzers.NAME]`) the encoder is given, and by whose name `[search] meaning` chooses its
    space; empty for none."""

    @classmethod
    def for_space(cls, space: str, settings: SettingsT) -> type[Self] | None:
        """The encoder of a `space` that earlier settings filled, as `cls.declared(space=space, ...)`; None where
        the space is none of this class's.

        To override where settings decide about the space: after they have changed, the old space serves until the
        new one is complete, and can do so only with its own encoder.
        """
        del space, settings
        return None

    def __init__(self, settings: SettingsT, model_dirs: Mapping[str, Path]) -> None:
        self.settings = settings
        self.model_dirs = model_dirs

    def load(self, device: str) -> None:
        """Import what is heavy and load weights."""

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(len(texts), dimensions), float32, each row L2-normalised. To override where `words` is true."""
        raise NotImplementedError

    def encode_photos(self, photos: Sequence[PhotoInput]) -> npt.NDArray[np.float32]:
        """(len(photos), dimensions), float32, each row L2-normalised: the vectors that the space's analyzer gives
        these photos. Zeros for a photo in which there is nothing to compare by.

        To override where `edge` is not 0. Photos come without findings, sidecars and their file.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Free what `load` took."""


class ImageFormat(abc.ABC):
    """A file format that imgd can decode. Instances live in decode workers; heavy imports belong in `decode`."""

    name: ClassVar[str]
    """Lower case, as `type:NAME` in a query: `jpeg`, `heic`, `raw`."""
    extensions: ClassVar[tuple[str, ...]]
    """Lower case, with the dot. They decide which files of a root count as photos, not how they are decoded."""

    @abc.abstractmethod
    def matches(self, data: bytes, name: str) -> bool:
        """Whether the file with the content `data` is of this format.

        Judge by the content; its `name` may only settle what the content leaves open.
        """

    @abc.abstractmethod
    def decode(self, data: bytes, edge_px: int, max_pixels: int) -> Picture:
        """The upright photo, longest edge at least min(edge_px, original) and close to it, in sRGB.

        With `edge_px` 0 nothing is decoded: `pixels` is None, and width and height come from the header.

        Raises:
            LimitError: the header names more than `max_pixels` pixels. Check it before pixels are decoded.
            BrokenImageError: nothing of it can be decoded; the detail says why in plain words.
        """
