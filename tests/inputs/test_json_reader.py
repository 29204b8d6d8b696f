"""JSON Lines and JSON arrays."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import InputUnusable
from redzone.inputs.json_reader import COLUMN_LIMIT
from redzone.models import BadRow
from tests.inputs.reading import opened, posters, read, reasons, write

URL = "https://img.example.com/a.jpg"


def test_values_become_text_and_keep_their_meaning(tmp_path: Path) -> None:
    """Text as it is, null empty, everything else compact JSON."""
    row = {
        "id": 12,
        "url": URL,
        "name": "天",
        "tags": ["a", {"b": None}],
        "new": True,
        "score": 0.5,
        "note": None,
    }
    (poster,) = posters(read(write(tmp_path, "p.jsonl", json.dumps(row))))
    assert (poster.id, poster.title) == ("12", "天")
    assert dict(poster.columns) == {
        "id": "12",
        "url": URL,
        "name": "天",
        "tags": '["a",{"b":null}]',
        "new": "true",
        "score": "0.5",
        "note": "",
    }


def test_bad_lines_are_rows_with_a_reason(tmp_path: Path) -> None:
    """Each costs itself only, the torn last line too."""
    lines = [
        json.dumps({"id": "0012", "url": URL}),
        "{nonsense}",
        "",
        "[1, 2]",
        json.dumps({"id": "c"}),
        json.dumps({"id": "d", "url": ["a"]}),
        "9" * 5000,
        "[" * 100_000,
        '{"id": "z", "ur',
    ]
    path = write(tmp_path, "p.jsonl", "\n".join(lines))
    rows = read(path)
    assert [row.id for row in rows] == ["0012", "2", "3", "c", "d", "6", "7", "8"]
    assert [reason.removeprefix(f"{path} ") for reason in reasons(rows)] == [
        "line 2: invalid JSON at column 2: Expecting property name enclosed in double quotes",
        "line 4: it is no JSON object",
        "line 5: url is empty",
        "line 6: url is no text",
        "line 7: invalid JSON: a number has too many digits",
        "line 8: invalid JSON: nested too deeply",
        "line 9: invalid JSON at column 13: Unterminated string starting at",
    ]


def test_the_columns_are_the_union_and_one_column_means_the_same_in_every_row(tmp_path: Path) -> None:
    """A row without poster_img_url does not fall back to its page's url."""
    lines = [{"id": "a", "url": "https://page.example.com/"}, {"id": "b", "poster_img_url": URL, "url": "x"}]
    path = write(tmp_path, "p.jsonl", "\n".join(map(json.dumps, lines)))
    assert opened(path).columns == ("id", "url", "poster_img_url")
    first, second = read(path)
    assert isinstance(first, BadRow)
    assert "poster_img_url is empty" in first.reason
    assert posters([second])[0].image == URL


def test_no_object_with_an_image_is_an_error_that_lists_the_keys(tmp_path: Path) -> None:
    """As with tables: usage, not a thousand bad rows."""
    with pytest.raises(InputUnusable, match="columns found: id, scan; did you mean --map image=scan"):
        read(write(tmp_path, "p.jsonl", '{"id": 1, "scan": "a.jpg"}\n'))
    with pytest.raises(InputUnusable, match="no image column; columns found: none"):
        read(write(tmp_path, "q.json", "{\n}"))


def test_data_in_the_place_of_keys_does_not_fill_the_memory(tmp_path: Path) -> None:
    """The number of columns is bounded."""
    lines = (json.dumps({f"id{n}": URL}) for n in range(COLUMN_LIMIT + 1))
    with pytest.raises(InputUnusable, match="more than 1,000 different keys"):
        read(write(tmp_path, "p.jsonl", "\n".join(lines)))


def test_half_a_surrogate_pair_becomes_text_that_can_be_written(tmp_path: Path) -> None:
    """Every cell encodes as UTF-8; a whole pair stays the character that it is."""
    (poster,) = posters(
        read(write(tmp_path, "p.jsonl", '{"url": "a.jpg", "title": "\\ud800 \\ud83d\\ude00"}'))
    )
    assert poster.title == "\ufffd 😀"


@pytest.mark.parametrize("name", ["p.json", "p.jsonl", "p"])
def test_an_array_is_read_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    """Pretty-printed or not; lines are those where the objects begin."""
    objects = [{"id": "a", "url": URL}, {"id": "b"}, 7]
    path = write(tmp_path, name, json.dumps(objects, indent=1))
    rows = read(path)
    assert [row.id for row in rows] == ["a", "b", "3"]
    assert reasons(rows) == [f"{path} line 6: url is empty", f"{path} line 9: it is no JSON object"]


def test_an_empty_array_has_no_rows(tmp_path: Path) -> None:
    """It has no image column either."""
    with pytest.raises(InputUnusable, match="no image column; columns found: none"):
        opened(write(tmp_path, "p.json", " [ ] ")).survey()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"url": "a"}\n {"url": "b"}]', "line 2: the JSON array is broken: `,` or `]` is missing"),
        ('[{"url": "a"},\n\n {"url": ]', "line 3: the JSON array is broken: Expecting value"),
        ('[{"url": "a"}', "line 1: the JSON array is broken"),
        ('[{"url": "a"},', "line 1: the JSON array is broken"),
        ('[{"url": "a"}]\n[1]', "line 2: the JSON array is broken: text follows"),
    ],
)
def test_a_broken_array_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """It cannot be picked up behind the bad place, so it stops before anything is paid for."""
    with pytest.raises(InputUnusable, match=message.replace("[", r"\[")):
        opened(write(tmp_path, "p.json", text)).survey()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(values=st.lists(VALUES, max_size=6), indent=st.none() | st.integers(0, 3), size=st.integers(1, 70))
def test_an_array_read_in_pieces_has_the_values_of_the_whole(
    values: list[object], indent: int | None, size: int
) -> None:
    """Wherever the pieces are cut, no value is lost, split or joined."""
    objects = [{"url": URL, "value": value} for value in values]
    text = json.dumps([*objects, {"url": "x" * size, "value": 123}], indent=indent)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("redzone.inputs.text_file.CHUNK_CHARS", size)
        got = posters(read(write(Path(folder), "p.json", text)))
    assert [row.columns["value"] for row in got] == [*map(rendered, values), "123"]


def rendered(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"page": 1, "results": [{"id": 7, "poster_path": "URL"}]}', "results"),
        ('{\n "Items": [\n  {"Id": "7", "Image": "URL"}\n ],\n "TotalRecordCount": 1\n}', "Items"),
        ('{"data": {"films": [{"id": 7, "cover": "URL"}], "tags": []}}', "data.films"),
    ],
)
def test_the_list_inside_a_document_is_found(tmp_path: Path, text: str, place: str) -> None:
    """As APIs give it, on one line or on many; a note says where it was."""
    inputs = opened(write(tmp_path, "p.json", text.replace("URL", URL)))
    (row,) = inputs.rows()
    assert (row.id, getattr(row, "image", None)) == ("7", URL)
    assert f"the rows are the list under `{place}`" in inputs.survey().notes[0]


def test_a_nested_image_is_named_by_its_path(tmp_path: Path) -> None:
    """Suggested where it is the likeliest, and taken when it is mapped."""
    path = write(tmp_path, "p.json", json.dumps([{"id": 7, "images": {"scan": URL}}]))
    with pytest.raises(InputUnusable, match=r"did you mean --map image=images\.scan"):
        read(path)
    (row,) = posters(read(path, image="images.scan"))
    assert row.image == URL
