"""Both routes on the real models, where they are."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from imgd_faces.analyzer import FaceAnalyzer
from imgd_faces.packs import PACKS
from imgd_faces.settings import FaceSettings, PackName
from PIL import Image

from imgd import Finding, PhotoInput, Region
from imgd.testing import check_analyzer, make_photo

Pixels = npt.NDArray[np.uint8]
Look = Callable[[Pixels], Finding]
CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus" / "06_faces"
ROUTES: tuple[PackName, ...] = ("scrfd-500m-mbf", "dlib-faces")
# What the astronaut of scikit-image shows, in fractions: the face, its eyes, the nose, the mouth's corners.
FACE_BOX = (0.35, 0.14, 0.18, 0.20)
LANDMARKS = ((0.398, 0.197), (0.482, 0.203), (0.437, 0.255), (0.395, 0.275), (0.479, 0.28))


@pytest.fixture(scope="session", params=ROUTES)
def look(request: pytest.FixtureRequest, pack_dirs: Callable[[str], Mapping[str, Path]]) -> Iterator[Look]:
    settings = FaceSettings(model=request.param, threads=2)
    declaration = FaceAnalyzer.configured(settings)
    analyzer = declaration(settings, pack_dirs(request.param))
    analyzer.load("cpu")

    def finding(pixels: Pixels) -> Finding:
        (found,) = analyzer.analyze([make_photo(declaration, pixels)])
        assert isinstance(found, Finding)
        assert found.facts == {"faces": len(found.regions)}
        assert [vector.region for vector in found.vectors] == list(range(len(found.regions)))
        assert {vector.space for vector in found.vectors} <= {PACKS[request.param].space}
        return found

    yield finding
    analyzer.close()


@pytest.mark.parametrize("threads", [2, 8])
@pytest.mark.parametrize("name", ROUTES)
def test_it_keeps_the_contract(
    name: PackName, threads: int, pack_dirs: Callable[[str], Mapping[str, Path]], astronaut: Pixels
) -> None:
    settings = FaceSettings(model=name, threads=threads)
    declaration = FaceAnalyzer.configured(settings)
    photos: dict[str, PhotoInput] = {
        "a portrait": make_photo(declaration, astronaut),
        "a portrait in a mirror": make_photo(declaration, np.ascontiguousarray(astronaut[:, ::-1])),
    }
    outcomes = check_analyzer(FaceAnalyzer, settings=settings, model_dirs=pack_dirs(name), photos=photos)
    assert outcomes["a portrait"].facts == {"faces": 1}  # type: ignore[union-attr]


def test_a_face_is_found_where_it_is_with_its_landmarks(look: Look, astronaut: Pixels) -> None:
    (region,) = look(astronaut).regions
    assert region.kind == "face"
    assert overlap(region.box, FACE_BOX) > 0.5
    np.testing.assert_allclose(region.landmarks, LANDMARKS, atol=0.02)
    assert region.quality is not None
    assert region.quality > 0.7


def test_the_same_face_upright_small_or_in_a_panorama_has_nearly_the_same_vector(
    look: Look, astronaut: Pixels
) -> None:
    (vector,) = look(astronaut).vectors
    tall = np.zeros((900, 600, 3), np.uint8)
    tall[200:712, 40:552] = astronaut
    wide = np.full((512, 1400, 3), 90, np.uint8)
    wide[:, 700:1212] = astronaut
    small = np.asarray(Image.fromarray(astronaut).resize((300, 300), Image.Resampling.BICUBIC))
    for pixels in (tall, wide, small):
        surest = look(pixels).vectors[0]
        assert float(vector.values @ surest.values) > 0.8


def test_a_blurred_face_has_less_quality(look: Look, astronaut: Pixels) -> None:
    tiny = Image.fromarray(astronaut).resize((170, 170), Image.Resampling.BICUBIC)
    blurred = np.asarray(tiny.resize((512, 512), Image.Resampling.BICUBIC))
    (sharp,), (soft,) = look(astronaut).regions, look(blurred).regions
    assert quality_of(soft) < quality_of(sharp) - 0.1


def test_people_are_told_apart_and_photos_without_people_have_no_face(look: Look) -> None:
    if not CORPUS.is_dir():
        pytest.skip("the photo corpus is not beside the checkout")
    names = {
        "obama": ("fr_0930e3aa8c.jpg", "fr_a2840cf4fd.jpg"),
        "biden": ("fr_593ae76f7f.jpg", "fr_3c17508bb9.jpg"),
        "nobody": ("pf_7d9fe927b1.jpg", "pf_0354975954.jpg"),
    }
    found = {who: [look(read(CORPUS / name)) for name in each] for who, each in names.items()}
    assert [len(finding.regions) for finding in found["nobody"]] == [0, 0]
    vectors = {who: [finding.vectors[0].values for finding in found[who]] for who in ("obama", "biden")}
    same = min(float(one @ other) for one, other in vectors.values())
    different = max(float(one @ other) for one in vectors["obama"] for other in vectors["biden"])
    assert same > different + 0.05


def read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def quality_of(region: Region) -> float:
    assert region.quality is not None
    return region.quality


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes (left, top, width, height)."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
