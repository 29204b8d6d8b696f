"""What all pages share: runs by their id, and their tables, of which few are open at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from redzone.errors import RunNotFound
from redzone.runs import RunStore
from redzone.web.services.state import MOST_OPEN, AppState, WebOptions
from tests.web.homes import one_of_each, write_run


@pytest.mark.parametrize("run_id", ["", ".", "..", "../runs", "20261003", "20261003-120100-4vr8/", "x\0y"])
def test_what_is_no_whole_run_id_reaches_no_folder(home: Path, run_id: str) -> None:
    """Beginnings of ids are for people at a command line."""
    write_run(home, 1, one_of_each())
    with pytest.raises(RunNotFound, match="there is no run"):
        AppState(home, WebOptions()).folder(run_id)


def test_a_link_in_the_place_of_a_run_is_no_run(home: Path, tmp_path: Path) -> None:
    """It may lead out of the home."""
    folder = write_run(home, 1, one_of_each())
    outside = tmp_path / "outside"
    folder.path.rename(outside)
    folder.path.symlink_to(outside)
    with pytest.raises(RunNotFound, match="there is no run"):
        AppState(home, WebOptions()).folder(folder.id)
    assert RunStore(home).folders() == ()


async def test_the_tables_of_few_runs_are_open_and_each_is_had_again(home: Path) -> None:
    """Somebody who looks at every run of years does not run out of files."""
    state = AppState(home, WebOptions())
    folders = [write_run(home, number, one_of_each()) for number in range(MOST_OPEN + 3)]
    for folder in [*folders, folders[0]]:
        assert state.browser(folder).page().total == 4
    assert state.browser(folders[0]) is state.browser(folders[0])
    assert len(open_files("browse.sqlite")) == MOST_OPEN
    await state.aclose()
    assert open_files("browse.sqlite") == set()


def open_files(name: str) -> set[str]:
    """The files of that name that this process has open."""
    links = Path("/proc/self/fd").iterdir()
    return {str(path) for link in links if (path := link.resolve()).name == name}
