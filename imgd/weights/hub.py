"""Fetching a file of a model hub."""

from __future__ import annotations

from pathlib import Path

from imgd.errors import ModelPullError
from imgd.weights.files import disk_full_named, private_directory
from imgd.weights.sources import HubSource


def download(source: HubSource, directory: Path) -> Path:
    """The file, below `directory`; what an interrupted download left there is continued.

    Raises:
        ModelPullError: the hub cannot be reached or does not have the file.
        DiskFullError: there is no room for it.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    target = private_directory(directory) / source.repository.replace("/", "--")
    try:
        with disk_full_named(target):
            return Path(
                hf_hub_download(source.repository, source.path, revision=source.revision, local_dir=str(target))
            )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelPullError(f"{source.repository}@{source.revision}: {source.path}: {reason}") from error
