"""Reads the escape codes of pictures as the documents of their protocols say."""

from __future__ import annotations

import base64
import io
import re

from PIL import Image


def read_kitty(data: bytes) -> tuple[dict[str, str], Image.Image]:
    """The control keys of the first code, and the picture that all codes are together."""
    codes = re.fullmatch(rb"(?:\x1b_G[^\x1b]*\x1b\\)+", data)
    assert codes, "there is more than escape codes"
    parts = [code.partition(b";") for code in re.findall(rb"\x1b_G([^\x1b]*)\x1b\\", data)]
    keys = [dict(pair.split("=") for pair in head.decode().split(",")) for head, _, _ in parts]
    assert [key["m"] for key in keys] == ["1"] * (len(keys) - 1) + ["0"]
    assert all(len(payload) <= 4096 for _, _, payload in parts)
    assert all(len(payload) % 4 == 0 for _, _, payload in parts[:-1])
    assert all(key.keys() == {"m"} for key in keys[1:])
    content = base64.b64decode(b"".join(payload for _, _, payload in parts), validate=True)
    return keys[0], Image.open(io.BytesIO(content))


def read_sixel(data: bytes) -> Image.Image:
    """The picture, transparent where no sixel is."""
    found = re.fullmatch(rb'\x1bP(\d+);(\d+);(\d+)q"1;1;(\d+);(\d+)(.*)\x1b\\', data, re.DOTALL)
    assert found
    assert found[2] == b"1", "what is not painted has to stay"
    width, height = int(found[4]), int(found[5])
    picture = Image.new("RGBA", (width, height))
    palette: dict[int, tuple[int, ...]] = {}
    colour, left, top = -1, 0, 0
    for code in re.finditer(rb"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|(?:!(\d+))?([?-~])|([$-])", found[6]):
        number, red, green, blue, times, sixel, motion = code.groups()
        if number is not None:
            colour = int(number)
            if red is not None:
                assert colour not in palette
                palette[colour] = tuple(round(int(each) * 255 / 100) for each in (red, green, blue))
        elif motion == b"$":
            left = 0
        elif motion == b"-":
            left, top = 0, top + 6
        else:
            for column in range(left, left + int(times or 1)):
                for bit in range(6):
                    if (ord(sixel) - 63) >> bit & 1:
                        picture.putpixel((column, top + bit), (*palette[colour], 255))
            left += int(times or 1)
    read = sum(len(code[0]) for code in re.finditer(rb"#\d+(?:;2;\d+;\d+;\d+)?|(?:!\d+)?[?-~]|[$-]", found[6]))
    assert read == len(found[6]), "there is something that is no sixel"
    return picture
