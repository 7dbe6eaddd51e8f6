"""The technical measures against scipy's and scikit-image's own."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter
from scipy import fft, ndimage

from imgd.analyzers.technical import Technical, colour, detail, exposure, measures, phash, sharpness
from imgd.domain import Finding, PhotoInput

skimage = pytest.importorskip("skimage")
PHOTOS = Path(skimage.__file__).parent / "data"
NAMES = ["chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg"]


def photo(name: str) -> Image.Image:
    with Image.open(PHOTOS / name) as image:
        return image.convert("RGB")


def luma_of(image: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(image.convert("L"))


def sharpness_of(image: Image.Image) -> float:
    return sharpness.sharpness(detail.measure(luma_of(image)).variances, image)


def noise_of(values: npt.NDArray[np.floating]) -> float:
    return detail.measure(np.clip(np.rint(values), 0, 255).astype(np.uint8)).noise


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (300, 451)])
@pytest.mark.parametrize("band", [1, 2, 128, 1000])
def test_both_second_differences_make_scipys_laplacian(shape: tuple[int, int], band: int) -> None:
    luma = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    expected = ndimage.laplace(luma.astype(np.int64), mode="nearest")
    bands = [detail.second_differences(luma, top, min(top + band, shape[0])) for top in range(0, shape[0], band)]
    assert np.array_equal(np.concatenate([down + across for down, across in bands]), expected)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (63, 200), (64, 64), (128, 65), (129, 64), (300, 451)])
def test_the_walk_by_bands_is_the_whole_image_at_once(shape: tuple[int, int]) -> None:
    luma = np.random.default_rng(6).integers(90, 110, shape, dtype=np.uint8)
    laplacian = ndimage.laplace(luma.astype(np.int64), mode="nearest").astype(np.int16)
    found = detail.measure(luma)
    assert found.variances == pytest.approx(sharpness.patch_variances(laplacian), rel=1e-5)
    mask = np.outer((1, -2, 1), (1, -2, 1))
    magnitudes = np.abs(ndimage.convolve(luma.astype(np.int64), mask)[1:-1:2, 1:-1])
    # The median is told within its integer, half a level of the mask's 6 x 0.6745.
    expected = np.median(magnitudes) / 0.6744897501960817 / 6 if magnitudes.size else 0
    assert found.noise == pytest.approx(expected, abs=0.5 / 0.67 / 6 + 1e-6)


def test_patch_variances_are_numpys_of_each_patch() -> None:
    values = np.random.default_rng(4).integers(-1020, 1021, (200, 300)).astype(np.int16)
    variances = sharpness.patch_variances(values)
    assert variances.shape == (3, 4)
    for row in range(3):
        for column in range(4):
            patch = values[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64].astype(float)
            assert variances[row, column] == pytest.approx(patch.var(), rel=1e-5)


def test_blur_lowers_sharpness_step_by_step() -> None:
    for name in NAMES:
        image = photo(name)
        blurred = [image.filter(ImageFilter.GaussianBlur(radius)) for radius in (0, 1, 2, 4)]
        values = [sharpness_of(each) for each in blurred]
        assert values == sorted(values, reverse=True)
        assert values[0] > 5 * values[2]


def test_a_sharp_subject_before_a_soft_background_counts_as_sharper_than_the_reverse() -> None:
    image = photo("astronaut.png")
    soft = image.filter(ImageFilter.GaussianBlur(6))
    middle = (128, 128, 384, 384)
    subject, surroundings = soft.copy(), image.copy()
    subject.paste(image.crop(middle), middle)
    surroundings.paste(soft.crop(middle), middle)
    assert sharpness_of(subject) > sharpness_of(surroundings)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0, 20.0])
def test_noise_that_was_added_is_found_again(sigma: float) -> None:
    ramp = np.linspace(60, 190, 800)[None, :] + np.linspace(0, 20, 600)[:, None]
    noisy = ramp + np.random.default_rng(5).normal(0, sigma, ramp.shape)
    assert noise_of(noisy) == pytest.approx(sigma, rel=0.05)


def test_noise_agrees_with_scikit_images_wavelet_estimate() -> None:
    restoration = pytest.importorskip("skimage.restoration")
    noisy = np.rint(128 + np.random.default_rng(6).normal(0, 8, (512, 512)))
    assert noise_of(noisy) == pytest.approx(restoration.estimate_sigma(noisy), rel=0.05)


def test_noise_agrees_with_the_diagonal_haar_estimate_of_donoho_and_johnstone() -> None:
    for sigma in (3.0, 8.0):
        noisy = 128 + np.random.default_rng(7).normal(0, sigma, (512, 512))
        diagonal = (noisy[::2, ::2] - noisy[::2, 1::2] - noisy[1::2, ::2] + noisy[1::2, 1::2]) / 2
        reference = np.median(np.abs(diagonal)) / 0.6745
        assert noise_of(noisy) == pytest.approx(reference, rel=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_exposure_is_that_of_the_pixels_themselves(name: str) -> None:
    luma = luma_of(photo(name)).astype(float)
    measured = exposure.measure(photo(name).convert("L"))
    assert measured.brightness == pytest.approx(luma.mean() / 255)
    assert measured.contrast == pytest.approx(luma.std() / 255)
    assert measured.clipped_shadows == pytest.approx((luma <= 2).mean())
    assert measured.clipped_highlights == pytest.approx((luma >= 253).mean())
    low, high = np.percentile(luma, [1, 99], method="inverted_cdf")
    assert measured.tonal_range == pytest.approx((high - low) / 255)


def test_luma_is_close_to_scikit_images() -> None:
    rec601 = np.array([0.299, 0.587, 0.114])
    image = photo("coffee.png")
    assert np.abs(np.asarray(image) @ rec601 - luma_of(image)).max() <= 1
    # scikit-image weighs by Rec. 709: near, not the same.
    assert np.abs(skimage.color.rgb2gray(np.asarray(image)) * 255 - luma_of(image)).mean() < 8


@pytest.mark.parametrize("name", NAMES)
def test_colourfulness_follows_its_paper(name: str) -> None:
    pixels = np.asarray(photo(name))
    red, green, blue = (pixels[..., channel].astype(float) for channel in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    expected = spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean())
    assert colour.colourfulness(*colour.planes(pixels)) == pytest.approx(expected, rel=1e-4)


def test_every_fourth_pixel_tells_the_colourfulness() -> None:
    for name in NAMES:
        pixels = np.asarray(photo(name).resize((1200, 800)))
        few, every = (colour.colourfulness(*colour.planes(each)) for each in (pixels[::2, ::2], pixels))
        assert few == pytest.approx(every, rel=0.02)


def test_grey_has_no_colour_and_pure_colours_have_much() -> None:
    assert colour.colourfulness(*colour.planes(np.full((50, 50, 3), 90, np.uint8))) == 0
    rainbow = np.zeros((40, 60, 3), np.uint8)
    for channel in range(3):
        rainbow[:, channel * 20 : channel * 20 + 20, channel] = 255
    assert colour.colourfulness(*colour.planes(rainbow)) > 82


def test_dominant_colours_come_by_frequency() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[:, :60] = (200, 30, 40)
    pixels[:, 60:90] = (20, 40, 220)
    pixels[:, 90:] = (250, 250, 250)
    assert colour.dominant_colours(*colour.planes(pixels)) == ["#c81e28", "#1428dc", "#fafafa"]


def test_the_dct_is_scipys() -> None:
    values = np.random.default_rng(8).normal(size=32)
    assert phash.dct_basis(32, 32) @ values == pytest.approx(fft.dct(values))


def test_the_hash_is_that_of_its_definition() -> None:
    luma = photo("chelsea.png").convert("L").resize((32, 32), Image.Resampling.BOX)
    low = fft.dctn(np.asarray(luma).astype(float))[:8, :8]
    bits = "".join("1" if value > np.median(low) else "0" for value in low.ravel())
    assert phash.phash(luma) == f"{int(bits, 2):016x}"


def test_alike_photos_have_near_hashes_and_others_do_not() -> None:
    def distance(one: Image.Image, other: Image.Image) -> int:
        hashes = (phash.phash(each.convert("L")) for each in (one, other))
        return (int(next(hashes), 16) ^ int(next(hashes), 16)).bit_count()

    for name in NAMES:
        image = photo(name)
        brighter = image.point([min(255, value + 15) for value in range(256)] * 3)
        assert distance(image, image.resize((300, 200))) <= 6
        assert distance(image, brighter) <= 6
    assert distance(photo("chelsea.png"), photo("rocket.jpg")) > 16


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3), (700, 3), (3, 700), (64, 64), (63, 1200), (800, 1200)])
@pytest.mark.parametrize("fill", [0, 255, None])
def test_any_size_and_content_gives_whole_facts(shape: tuple[int, int], fill: int | None) -> None:
    pixels = np.random.default_rng(9).integers(0, 256, (*shape, 3), dtype=np.uint8)
    if fill is not None:
        pixels[:] = fill
    facts = measures.measure(pixels)
    for key, kind in Technical.facts.items():
        value = facts[key]
        assert isinstance(value, kind)
        if isinstance(value, float):
            assert np.isfinite(value)
            assert value >= 0
    assert re.fullmatch(r"[0-9a-f]{16}", str(facts["phash"]))


def test_the_analyzer_measures_each_photo_of_a_batch() -> None:
    analyzer = Technical(None, {})
    analyzer.load("cpu")
    batch = [PhotoInput(n, f"{n}.jpg", "jpeg", 1, 1, np.asarray(photo(name))) for n, name in enumerate(NAMES)]
    findings = analyzer.analyze(batch)
    assert len(findings) == len(NAMES)
    for finding in findings:
        assert isinstance(finding, Finding)
        assert set(Technical.facts) <= set(finding.facts)
