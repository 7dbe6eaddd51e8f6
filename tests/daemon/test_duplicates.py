"""`imgctl duplicates` of a real daemon: each list holds what belongs into it, and nothing else."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from daemon_process import Daemon, daemon
from PIL import Image, ImageEnhance, ImageOps
from sample_photos import CORPUS, make_photo

Pairs = set[frozenset[str]]

_EXIF_DETAILS, _TAKEN, _MODEL = 0x8769, 0x9003, 0x0110


def lists(library: Daemon, *options: str) -> list[list[str]]:
    """Paths below the root, group by group."""
    answer = library.ctl("duplicates", "--json", *options)
    assert answer.code in (0, 1), answer
    assert (answer.code == 0) == bool(answer.lines)
    return [
        [str(Path(file["path"]).relative_to(library.root)) for file in group["files"]] for group in answer.lines
    ]


def pairs(groups: Iterable[Iterable[str]]) -> Pairs:
    return {frozenset(pair) for group in groups for pair in itertools.combinations(sorted(group), 2)}


def precision_and_recall(found: Pairs, true: Pairs) -> tuple[float, float]:
    return len(found & true) / max(1, len(found)), len(found & true) / len(true)


def test_copies_are_found_while_they_are_there(tmp_path: Path) -> None:
    with daemon() as library:
        original = make_photo(library.root / "IMG_1.jpg", 1)
        copy = library.root / "backup" / "IMG_1 (1).jpg"
        copy.parent.mkdir()
        shutil.copy2(original, copy)
        make_photo(library.root / "IMG_2.jpg", 2)
        library.start()
        library.wait()
        assert lists(library) == [["IMG_1.jpg", "backup/IMG_1 (1).jpg"]]
        assert library.show(copy)["content_hash"] == library.show(original)["content_hash"]
        assert library.show(library.root / "IMG_2.jpg")["content_hash"] is None

        make_photo(copy, 3)
        library.until(lambda: library.show(copy)["revision"] > 1)
        library.wait()
        assert library.show(copy)["content_hash"] is None
        assert lists(library) == []
        assert library.ctl("duplicates").code == 1


# ---------------------------------------------------------------------- precision and recall, on real photos

EDITS: Mapping[str, str] = {
    "smaller.jpg": "60 % of the size",
    "web.jpg": "320 px",
    "q50.jpg": "JPEG of quality 50",
    "webp.webp": "WebP",
    "grey.jpg": "no colour",
    "bright.jpg": "15 % brighter",
    "crop.jpg": "cropped by 2 %",
}


def edit(photo: Image.Image, name: str) -> Image.Image:
    width, height = photo.size
    match name:
        case "smaller.jpg":
            return photo.resize((width * 3 // 5, height * 3 // 5))
        case "web.jpg":
            return ImageOps.contain(photo, (320, 320))
        case "grey.jpg":
            return ImageOps.grayscale(photo)
        case "bright.jpg":
            return ImageEnhance.Brightness(photo).enhance(1.15)
        case "crop.jpg":
            return photo.crop((width // 100, height // 100, width - width // 100, height - height // 100))
    return photo


def shoot(photo: Image.Image, folder: Path, count: int) -> None:
    """A burst: the camera moves a little from frame to frame, one a second."""
    width, height = photo.size
    for number in range(count):
        frame = photo.crop((number, number, width - count + number, height - count + number))
        exif = Image.Exif()
        exif[_MODEL] = "EOS R6"
        exif.get_ifd(_EXIF_DETAILS)[_TAKEN] = f"2024:05:01 10:00:{number:02}"
        frame.save(folder / f"IMG_{number + 1:04}.jpg", quality=90, exif=exif)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, dict[str, Pairs]]]:
    """A daemon over 60 photos with seven edits each, copies, a burst, a RAW+JPEG pair and 290 other photos, and
    the pairs that each list should hold."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real photos is not beside this checkout")
    true: dict[str, Pairs] = {}
    with daemon() as library:
        for folder in ("05_semantic", "06_faces", "08_quality"):
            shutil.copytree(CORPUS / folder, library.root / folder)
        for name in ("test_raw.CR2", "test_raw.JPG"):
            shutil.copy2(CORPUS / "02_raw" / name, library.root)
        true["pairs"] = {frozenset(("test_raw.CR2", "test_raw.JPG"))}

        chosen = sorted((library.root / "05_semantic").glob("*.jpg"))[::3][:60]
        groups = []
        for number, path in enumerate(chosen):
            photo = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
            folder = library.root / "edits" / str(number)
            folder.mkdir(parents=True)
            for name in EDITS:
                quality = 50 if name == "q50.jpg" else 85
                edit(photo, name).save(folder / name, quality=quality)
            groups.append([str(path.relative_to(library.root)), *(f"edits/{number}/{name}" for name in EDITS)])
        groups.append([f"08_quality/dups/ukbench00120{end}.jpg" for end in ("", "_resize")])
        groups.append([f"08_quality/iqa/I03_{end}.bmp" for end in ("ref", "dist")])
        groups.append([f"08_quality/cleanvision/image_{end}.png" for end in (103, 408)])
        true["near"] = pairs(groups)

        copies = []
        (library.root / "copies").mkdir()
        for path in sorted((library.root / "06_faces").iterdir())[:20]:
            shutil.copy2(path, library.root / "copies" / f"Copy of {path.name}")
            copies.append([str(path.relative_to(library.root)), f"copies/Copy of {path.name}"])
        true["identical"] = pairs(copies)

        (library.root / "burst").mkdir()
        scene = library.root / "08_quality" / "sequence" / "100_7103.JPG"
        shoot(Image.open(scene), library.root / "burst", 5)
        scene.unlink()  # it looks like each of the five
        true["bursts"] = pairs([[f"burst/IMG_{number + 1:04}.jpg" for number in range(5)]])
        library.start()
        library.wait(300.0)
        yield library, true


def test_identical_files_are_all_found_and_nothing_else(real: tuple[Daemon, dict[str, Pairs]]) -> None:
    library, true = real
    assert pairs(lists(library)) == true["identical"]


def test_near_duplicates_are_found_and_different_photos_are_not(real: tuple[Daemon, dict[str, Pairs]]) -> None:
    library, true = real
    found = pairs(lists(library, "--near"))
    precision, recall = precision_and_recall(found, true["near"])
    by_edit = {  # the share of the pairs of each edit that were found
        name: len(of_edit & found) / len(of_edit)
        for name in EDITS
        if (of_edit := {pair for pair in true["near"] if any(path.endswith(f"/{name}") for path in pair)})
    }
    print(json.dumps({"precision": precision, "recall": recall, "by_edit": by_edit}))  # shown by -rP
    wrong = sorted(map(sorted, found - true["near"]))
    assert precision >= 0.98, wrong
    assert recall >= 0.93, by_edit
    kept_apart = true["bursts"] | true["pairs"] | true["identical"]
    assert not found & kept_apart


def test_bursts_and_pairs_have_lists_of_their_own(real: tuple[Daemon, dict[str, Pairs]]) -> None:
    library, true = real
    assert pairs(lists(library, "--bursts")) == true["bursts"]
    assert pairs(lists(library, "--pairs")) == true["pairs"]
