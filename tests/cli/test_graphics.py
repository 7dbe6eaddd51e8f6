"""The bytes that are sent to terminals, read as the protocols' own documents say."""

from __future__ import annotations

import base64
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from terminal_pictures import read_kitty, read_sixel

from imgd.cli.graphics import encode_iterm2, encode_kitty, encode_sixel


def gradient(width: int, height: int) -> Image.Image:
    picture = Image.linear_gradient("L").resize((width, height))
    return Image.merge(
        "RGBA",
        (
            picture,
            picture.rotate(180),
            Image.new("L", (width, height), 90),
            picture.point(lambda shade: 255 * (shade > 40)),
        ),
    )


def test_kittys_codes_are_a_png_in_chunks_scaled_to_cells():
    picture = gradient(600, 333)
    picture.putalpha(Image.effect_noise((600, 333), 80))
    keys, read = read_kitty(encode_kitty(picture, 60, 6))
    assert keys == {"a": "T", "f": "100", "c": "60", "r": "6", "C": "1", "q": "2", "m": "1"}
    assert read.format == "PNG"
    assert read.convert("RGBA").tobytes() == picture.tobytes()


def test_a_small_picture_is_one_code_of_kittys():
    keys, read = read_kitty(encode_kitty(Image.new("RGBA", (2, 3), "red"), 1, 1))
    assert (keys["m"], read.size) == ("0", (2, 3))


def test_iterm2s_code_is_a_file_of_the_stated_size_scaled_to_cells():
    picture = gradient(300, 100)
    data = encode_iterm2(picture, 40, 6)
    found = re.fullmatch(rb"\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\x07", data)
    assert found
    about = dict(pair.split("=") for pair in found[1].decode().split(";"))
    content = base64.b64decode(found[2], validate=True)
    assert about["size"] == str(len(content))
    assert (about["inline"], about["width"], about["height"]) == ("1", "40", "6")
    assert Image.open(io.BytesIO(content)).convert("RGBA").tobytes() == picture.tobytes()


@pytest.mark.parametrize("colours", [2, 16, 256])
def test_sixels_are_the_picture_in_no_more_colours_than_there_are(colours):
    picture = gradient(130, 47)
    data = encode_sixel(picture, colours)
    assert len(re.findall(rb"#\d+;2;", data)) <= colours
    read = read_sixel(data)
    assert (
        read.getchannel("A").tobytes()
        == picture.getchannel("A").point(lambda alpha: 255 * (alpha > 127)).tobytes()
    )
    if colours == 256:
        pairs = zip(read.convert("RGB").tobytes(), picture.convert("RGB").tobytes(), strict=True)
        shown = [alpha > 127 for alpha in picture.getchannel("A").tobytes() for _ in range(3)]
        assert max(abs(ours - theirs) for (ours, theirs), seen in zip(pairs, shown, strict=True) if seen) <= 16


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_sixels_of_few_colours_are_exact(data):
    width, height = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 20))
    # Of such colours as percents can say.
    known = [(0, 0, 0, 255), (255, 0, 51, 255), (102, 255, 204, 255), (255, 255, 255, 255), (0, 0, 0, 0)]
    chosen = data.draw(st.lists(st.sampled_from(known), min_size=width * height, max_size=width * height))
    picture = Image.new("RGBA", (width, height))
    picture.putdata(chosen)
    read = read_sixel(encode_sixel(picture))
    assert [each if each[3] else None for each in read.get_flattened_data()] == [
        each if each[3] else None for each in chosen
    ]
