"""Generated posters are pictures, stay the same, and differ."""

from __future__ import annotations

import csv
from io import BytesIO, StringIO

import pytest
from PIL import Image

from redzone.bench.simulator.artwork import (
    FORMATS,
    LIST_COLUMNS,
    PosterCache,
    ZoneContent,
    draw_poster,
    poster_file,
    poster_list,
    zone_content,
)


@pytest.mark.parametrize("extension", FORMATS)
def test_a_poster_decodes_in_the_format_its_name_says(extension: str) -> None:
    """The file is what its extension promises, in the size asked for."""
    with Image.open(BytesIO(poster_file(3, (120, 180), extension))) as image:
        image.load()
        assert (image.format, image.size) == (FORMATS[extension], (120, 180))


def test_a_poster_is_the_same_every_time() -> None:
    """Equal number, equal bytes."""
    assert poster_file(7, (60, 90), ".jpg") == poster_file(7, (60, 90), ".jpg")


def test_no_two_posters_are_alike_even_tiny_ones() -> None:
    """A hundred posters, and 1,000 tiny ones spread up to a million, have different pixels; a tiny one
    is a few hundred bytes."""
    assert len({draw_poster(number, (60, 90)).tobytes() for number in range(100)}) == 100
    tiny = [poster_file(number * 997, None, ".jpg") for number in range(1000)]
    assert max(map(len, tiny)) < 500
    pixels = set()
    for file in tiny:
        with Image.open(BytesIO(file)) as image:
            pixels.add(image.convert("RGB").tobytes())
    assert len(pixels) == len(tiny)


def test_the_corner_holds_something_in_two_of_five_posters() -> None:
    """Where the corner is free, nothing is drawn on it: its rows have one colour each."""
    contents = [zone_content(number) for number in range(1000)]
    assert set(contents) == set(ZoneContent)
    assert 0.5 < contents.count(ZoneContent.FREE) / 1000 < 0.7
    for number in range(40):
        corner = draw_poster(number, (300, 450)).crop((0, 0, 180, 45))
        rows = [corner.crop((0, y, 180, y + 1)).getcolors(180) for y in range(45)]
        assert all(row is not None and len(row) == 1 for row in rows) == (contents[number] == "free")


def test_the_list_names_every_poster_once() -> None:
    """The columns of an input, ids as text with their zeros, addresses under the origin given."""
    rows = list(csv.DictReader(StringIO(poster_list("http://127.0.0.1:1", 12, "tiny"))))
    assert tuple(rows[0]) == LIST_COLUMNS
    assert rows[4]["content_id"] == "0000005"
    assert rows[4]["poster_img_url"] == "http://127.0.0.1:1/posters/5.jpg?size=tiny"
    assert len({row["content_name"] for row in rows}) == 12


def test_the_cache_keeps_its_bound() -> None:
    """Beyond the bound the least recently used poster goes; what it hands out stays right."""
    one = len(poster_file(0, (60, 90), ".jpg"))
    cache = PosterCache((60, 90), max_bytes=3 * one)
    for number in (0, 1, 0, 2, 3, 0, 1):
        assert cache.file(number, ".jpg") == poster_file(number, (60, 90), ".jpg")
    assert cache._bytes == sum(map(len, cache._files.values())) <= 3 * one
