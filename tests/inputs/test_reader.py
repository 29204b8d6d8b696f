"""All inputs together: numbering, selection, survey, standard input."""

from __future__ import annotations

import hashlib
import io
import os
import pty
import stat
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import InputUnusable
from redzone.inputs import Inputs, InputSpec, open_inputs, spool_stdin
from tests.inputs.reading import opened, posters, read, write

URL = "https://img.example.com/a.jpg"


def table(folder: Path, count: int, name: str = "p.csv") -> Path:
    return write(folder, name, "id,url\n" + "".join(f"{n},{URL}\n" for n in range(1, count + 1)))


def select(path: Path, limit: int | None = None, sample: int | None = None, seed: int = 0) -> Inputs:
    return open_inputs(InputSpec((str(path),), limit=limit, sample=sample, seed=seed))


def test_rows_are_numbered_through_all_inputs_whatever_their_kind(tmp_path: Path) -> None:
    """A table, a list and a folder make one stream; the columns are the union in order of appearance."""
    folder = tmp_path / "images"
    folder.mkdir()
    write(folder, "x.jpg", b"x")
    paths = (
        table(tmp_path, 2),
        write(tmp_path, "l.txt", URL),
        folder,
        write(tmp_path, "q.csv", "image,z\n,1\n"),
    )
    assert [(row.row, row.id) for row in read(*paths)] == [(1, "1"), (2, "2"), (3, "3"), (4, "x"), (5, "5")]
    survey = opened(*paths).survey()
    assert (survey.rows, survey.total_rows, survey.bad_rows) == (5, 5, 1)
    assert survey.columns == ("id", "url", "path", "image", "z")


def test_every_input_must_have_rows(tmp_path: Path) -> None:
    """A header without rows is a mistake, also beside an input that has some."""
    with pytest.raises(InputUnusable, match=r"empty-table\.csv has no rows"):
        opened(table(tmp_path, 2), write(tmp_path, "empty-table.csv", "id,url\n")).survey()


def test_rows_can_be_read_again_and_left_early(tmp_path: Path) -> None:
    """Each call begins anew; a reader that stops leaves no file open (a ResourceWarning would fail here)."""
    inputs = opened(table(tmp_path, 5))
    early = iter(inputs.rows())
    assert next(early).row == 1
    del early
    assert [row.row for row in inputs.rows()] == [row.row for row in inputs.rows()] == [1, 2, 3, 4, 5]


def test_limit_takes_the_first_rows(tmp_path: Path) -> None:
    """The survey says how many are selected out of how many."""
    inputs = select(table(tmp_path, 10), limit=3)
    assert [row.row for row in inputs.rows()] == [1, 2, 3]
    assert (inputs.survey().rows, inputs.survey().total_rows) == (3, 10)
    with pytest.raises(InputUnusable, match="--limit 0: at least 1 row"):
        select(table(tmp_path, 1), limit=0)


@given(
    total=st.integers(1, 40),
    sample=st.integers(1, 50),
    limit=st.none() | st.integers(1, 50),
    seed=st.integers(0, 99),
)
def test_a_sample_is_some_of_the_rows_in_order_and_the_same_for_a_seed(
    tmp_path_factory: pytest.TempPathFactory, total: int, sample: int, limit: int | None, seed: int
) -> None:
    """Distinct rows with the numbers of the full input, as many as asked for or as there are."""
    path = tmp_path_factory.getbasetemp() / f"{total}.csv"
    if not path.exists():
        table(path.parent, total, path.name)
    inputs = select(path, limit, sample, seed)
    numbers = [row.row for row in inputs.rows()]
    available = min(total, limit or total)
    assert numbers == sorted(set(numbers)) == [row.row for row in select(path, limit, sample, seed).rows()]
    assert len(numbers) == inputs.survey().rows == min(sample, available)
    assert set(numbers) <= set(range(1, available + 1))


def test_different_seeds_draw_different_rows(tmp_path: Path) -> None:
    """And every row can be drawn."""
    path = table(tmp_path, 20)
    drawn = [tuple(row.row for row in select(path, sample=5, seed=seed).rows()) for seed in range(30)]
    assert len(set(drawn)) > 25
    assert {number for numbers in drawn for number in numbers} == set(range(1, 21))


def test_the_digest_of_one_file_is_its_sha256(tmp_path: Path) -> None:
    """What `sha256sum` prints; of several inputs it depends on each and on their order."""
    one, two = table(tmp_path, 3, "a.csv"), table(tmp_path, 4, "b.csv")
    assert opened(one).survey().sha256 == hashlib.sha256(one.read_bytes()).hexdigest()
    digests = {
        opened(*paths).survey().sha256 for paths in [(one,), (two,), (one, two), (two, one), (one, one)]
    }
    assert len(digests) == 5


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """8,000 rows pass in less than 1 MB, in every kind of text input."""
    rows = "".join(f"{n},{URL}\n" for n in range(8_000))
    objects = [f'{{"id": "{n}", "url": "{URL}"}}' for n in range(8_000)]
    paths = [
        write(tmp_path, "a.csv", "id,url\n" + rows),
        write(tmp_path, "a.jsonl", "\n".join(objects)),
        write(tmp_path, "a.json", "[" + ",".join(objects) + "]"),
    ]
    del rows, objects
    tracemalloc.start()
    try:
        assert sum(1 for path in paths for _ in opened(path).rows()) == 24_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_stdin_is_kept_in_a_private_file_and_read_like_any_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its kind is found by content, its relative paths are relative to where the command was started."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    spooled = spool_stdin(run, io.BytesIO(b"id,image\n1,a.jpg\n"))
    assert stat.S_IMODE(Path(spooled.path).stat().st_mode) == 0o600
    monkeypatch.chdir("/")
    inputs = open_inputs(InputSpec(("-",), stdin=spooled))
    for _ in range(2):
        (poster,) = posters(list(inputs.rows()))
        assert poster.image == str(tmp_path / "a.jpg")
    spooled = spool_stdin(run, io.BytesIO(b"id,scan\n1,a.jpg\n"))
    with pytest.raises(InputUnusable, match="stdin has no image column; columns found: id, scan"):
        open_inputs(InputSpec(("-",), stdin=spooled))


def test_a_real_pipe_is_spooled(tmp_path: Path) -> None:
    """The process's own standard input, not a stand-in."""
    script = "import sys, pathlib, redzone.inputs as s; print(s.spool_stdin(pathlib.Path(sys.argv[1])).path)"
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], input=b"url\nx\n", capture_output=True, check=True
    )
    assert Path(run.stdout.decode().strip()).read_bytes() == b"url\nx\n"


def test_stdin_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A terminal, twice the same, a folder that does not exist, or nobody kept it."""
    leader, follower = pty.openpty()
    with open(follower, "rb") as terminal, pytest.raises(InputUnusable, match="stdin is a terminal"):  # noqa: PTH123
        spool_stdin(tmp_path, terminal)
    os.close(leader)
    with pytest.raises(InputUnusable, match="only once"):
        open_inputs(InputSpec(("-", "-")))
    with pytest.raises(InputUnusable, match="No such file or directory"):
        spool_stdin(tmp_path / "missing", io.BytesIO(b""))
    with pytest.raises(InputUnusable, match="stdin was not kept in a file"):
        open_inputs(InputSpec(("-",)))
