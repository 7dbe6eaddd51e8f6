"""The photos of the demo, and searches that fit them."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

PHOTOS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "moon.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "rocket.jpg",
)
"""The photographs among the data files of scikit-image's wheel."""

SEARCHES = (
    "cat",
    "kitten",
    "a cup of coffee",
    "rocket launch",
    "motorbike",
    "tripod",
    "(cat OR cup) orientation:landscape",
    "like:motorcycle_left.png",
    "submarine",
)
"""By tag, by meaning, by both and by file name; the last one is of nothing that these photos show."""

_NOWHERE = "submarine"


def copy_samples(folder: Path) -> None:
    """Put the sample photos that are not there yet into `folder`."""
    import skimage

    folder.mkdir(parents=True, exist_ok=True)
    data = Path(skimage.__file__).parent / "data"
    for name in PHOTOS:
        if (data / name).is_file() and not (folder / name).exists():
            shutil.copyfile(data / name, folder / name)


def choose_searches(library: Path, most: int = 4) -> list[str]:
    """What to search for in somebody's own photos: the surest tags, else words of files' names."""
    with closing(sqlite3.connect(f"file:{library}?mode=ro", uri=True)) as connection:
        tags = connection.execute(
            "SELECT label FROM tags JOIN labels ON labels.id = label_id GROUP BY label_id"
            " ORDER BY sum(score) DESC, label LIMIT ?",
            (most,),
        ).fetchall()
        names = connection.execute("SELECT display_name FROM photos ORDER BY id LIMIT 500").fetchall()
    chosen = [label for (label,) in tags]
    if not chosen:
        stems = (Path(name).stem.replace("-", " ").replace("_", " ") for (name,) in names)
        words = Counter(
            word.lower() for stem in stems for word in stem.split() if word.isalpha() and len(word) > 3
        )
        chosen = [word for word, _count in words.most_common(most)]
    return [*chosen, _NOWHERE]
