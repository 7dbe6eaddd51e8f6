"""The one tree of errors that imgd raises.

The first line of a class's docstring is its message, the detail says what was met, and the hint
says what to do about it. Whoever shows an error to a person shows all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class ImgdError(Exception):
    """imgd cannot do what was asked."""

    hint: ClassVar[str] = ""

    def __init__(self, detail: str = "", *, hint: str | None = None) -> None:
        self.detail = detail
        self.advice = self.hint if hint is None else hint
        super().__init__(detail)

    @property
    def message(self) -> str:
        """The class's own message, without a full stop."""
        first_line = (type(self).__doc__ or ImgdError.__doc__ or "").strip().splitlines()[0]
        return first_line.rstrip(".")

    def __str__(self) -> str:
        return f"{self.message}: {self.detail}" if self.detail else self.message


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong in a configuration file."""

    key: str  # dotted, as `watch.settle_s`
    problem: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.key}: {self.problem}"


class ConfigError(ImgdError):
    """The configuration cannot be used."""

    hint = "Correct the lines named above; `imgd.toml.example` shows every setting with its default."

    def __init__(self, source: str, problems: Sequence[ConfigProblem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        listed = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"{source}{listed}")


class RootError(ImgdError):
    """A photo root cannot be watched."""

    hint = "Mount or create the folder, or change `roots` in imgd.toml; then restart imgd."


class StoreError(ImgdError):
    """The library database cannot be used."""


class StoreNewerError(StoreError):
    """The library database was written by a newer imgd."""

    hint = "Install that newer version, or set `paths.state_dir` to another directory."


class StoreBusyError(StoreError):
    """Another program holds the library database locked."""

    hint = "End that program (a backup, a database browser), and try again."


class IndexBuildingError(StoreError):
    """Words cannot be searched yet."""

    hint = "Try again in a moment."


class StoreDamagedError(StoreError):
    """The library database is damaged."""

    hint = "Stop imgd, move library.db away (keep it), and start again: photos are analyzed anew."


class IndexDamagedError(StoreDamagedError):
    """The text index is damaged."""

    hint = "It is being built anew: try again in a moment."


class StateLockedError(ImgdError):
    """Another imgd already runs on this state directory."""

    hint = "Use that one (`imgctl status`), stop it first, or set `paths.state_dir` to another directory."


class DiskFullError(ImgdError):
    """The disk is full."""

    hint = "Free some space; imgd goes on by itself, and nothing that was committed is lost."


class CacheUnwritableError(ImgdError):
    """Previews cannot be written."""

    hint = "Make `paths.cache_dir` writable; imgd goes on by itself."


class SheetError(ImgdError):
    """The contact sheet cannot be written."""

    hint = "Name a place that you can write to."


class SocketPathError(ImgdError):
    """The control socket cannot be made."""

    hint = "Set `paths.socket` in imgd.toml (or --socket) to a short path in a directory of your own."


class DaemonUnreachableError(ImgdError):
    """No imgd answers."""

    hint = "Start it with `systemctl --user start imgd` or `imgd run`."


class RequestError(ImgdError):
    """imgd cannot do what was asked."""


class CursorError(RequestError):
    """The page cannot be given."""

    hint = "Use `after` of the page before."


class AnalyzerUnknownError(RequestError):
    """imgd cannot do what was asked."""


class PhotoUnknownError(RequestError):
    """imgd knows no such photo."""

    hint = "Name it by id or path as `imgctl search` prints them; a new file is known once its folder was scanned."


class PreviewMissingError(RequestError):
    """There is no preview of this photo."""

    hint = "The analyzer `preview` makes it when it analyzes the photo: `imgctl status` shows how far that is."


class PluginError(ImgdError):
    """A plugin does not keep the plugin contract."""

    hint = "`imgctl analyzers` shows every plugin and its state; docs/writing-plugins.md has the contract."


class PluginInstallError(ImgdError):
    """The plugin is not installed or removed."""

    hint = "`imgctl plugins install NAME --dry-run` shows what would be installed."


class PluginBrokenError(ImgdError):
    """The plugin is installed, and does not work."""

    hint = "`imgctl plugins uninstall NAME` removes it."


class ModelError(ImgdError):
    """A model cannot be used."""


class ModelMissingError(ModelError):
    """A model is not in the model store."""

    hint = "Fetch it with `imgctl models pull NAME`; `imgctl models list` shows what there is."


class ModelPullError(ModelError):
    """A model could not be fetched."""

    hint = "Try again: what was fetched so far is kept. `imgctl models add DIR` takes a copy fetched elsewhere."


class DeviceUnusableError(ImgdError):
    """The device cannot be used."""

    def __str__(self) -> str:  # a lane tells of what does not load in one string
        return f"{self.detail}. {self.advice}"


class LicenceError(ModelError):
    """A model's licence has to be accepted first."""

    hint = "Read it, then pull with `--accept-licence NAME` or add the name to `models.accept_licences`."


class DecodeError(ImgdError):
    """The image cannot be decoded."""


class UnsupportedFormatError(DecodeError):
    """The file is not an image of a format that imgd reads."""


class BrokenImageError(DecodeError):
    """The image file is broken."""


class LimitError(DecodeError):
    """The image exceeds a limit."""

    hint = "Raise the limit named in the `decode` section of imgd.toml, then `imgctl retry`."


class SearchError(ImgdError):
    """The search cannot be answered."""

    hint = "Try again; `imgctl status` shows what does not work."


class QueryError(ImgdError):
    """The query cannot be understood."""

    def __init__(self, detail: str = "", *, column: int | None = None, hint: str | None = None) -> None:
        self.column = column
        super().__init__(detail, hint=hint)
