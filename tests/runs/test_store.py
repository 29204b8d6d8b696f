"""The run store: homes, ids, folders, run.json and the lock."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random

import pytest

from redzone.errors import CheckpointUnusable, JournalFailed, RunLocked, RunNotFound, UsageError
from redzone.models import ViewKind, Zone
from redzone.runs import (
    RecordedState,
    RunFolder,
    RunInputs,
    RunRecord,
    RunStore,
    find_home,
    make_home,
    new_run_id,
)
from redzone.runs.index import CheckpointIndex
from redzone.runs.journal import Journal
from redzone.runs.reviews import read_reviews
from redzone.telemetry.metrics_log import newest
from tests.unprivileged import unprivileged

PROJECT = Path(__file__).parents[2]
NOON = datetime(2026, 10, 3, 12, 0, 0, tzinfo=UTC)
HOLD_LOCK = """
import sys
from pathlib import Path
from redzone.runs import RunFolder
with RunFolder(Path(sys.argv[1])).lock():
    print("locked", flush=True)
    sys.stdin.read()
"""


def record(run_id: str = "20261003-120000-abcd", state: RecordedState = RecordedState.RUNNING) -> RunRecord:
    return RunRecord(
        id=run_id,
        label="autumn awards",
        created_at=NOON,
        version="0.1.0",
        inputs=RunInputs(paths=("posters.csv",), mapping={"id": "content_id"}, sample=50, seed=7),
        input_sha256="a" * 64,
        rows=50,
        columns=("content_id", "poster_img_url"),
        zones=(Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1),),
        provider="openai",
        model="gpt-6-luna",
        view=ViewKind.CROP,
        settings={"min_confidence_pct": 60.0, "strategies": ["crop", "poster"], "max_cost_usd": None},
        state=state,
    )


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / ".redzone")


@contextmanager
def another_process(folder: RunFolder) -> Iterator[subprocess.Popen[str]]:
    """A process that works on the run until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, folder.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_the_home_is_the_first_that_is_named_or_found(tmp_path: Path) -> None:
    """--home > REDZONE_HOME > nearest .redzone upward > a new one here, and looking creates nothing."""
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    assert find_home(None, None, here) == here / ".redzone"
    make_home(tmp_path / "a" / ".redzone")
    assert find_home(None, None, here) == tmp_path / "a" / ".redzone"
    assert find_home(None, Path("/srv/env"), here) == Path("/srv/env")
    assert find_home(Path("cli"), Path("/srv/env"), here) == here / "cli"
    assert not (here / ".redzone").exists()


def test_a_home_of_somebody_else_is_passed_over() -> None:
    """A .redzone that another user put into a shared folder above us is not ours."""
    if os.geteuid() != 0:
        pytest.skip("needs two users")
    with tempfile.TemporaryDirectory() as shared:
        Path(shared).chmod(0o777)
        here = Path(shared) / "here"
        (Path(shared) / ".redzone").mkdir()
        here.mkdir()
        with unprivileged():
            assert find_home(None, None, here) == here / ".redzone"


def test_a_new_home_is_private_and_hidden_from_git(tmp_path: Path) -> None:
    """0700, and a .gitignore that covers everything; a home that is there stays as it is."""
    home = tmp_path / "deep" / ".redzone"
    make_home(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (home / ".gitignore").read_text() == "*\n"
    (home / ".gitignore").write_text("mine\n")
    make_home(home)
    assert (home / ".gitignore").read_text() == "mine\n"


def test_a_home_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    """A file in its place, or a folder where nothing may be written."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a folder; choose another one with --home"):
        make_home(tmp_path / "file")
    with tempfile.TemporaryDirectory() as shared:
        Path(shared).chmod(0o555)
        with unprivileged(), pytest.raises(UsageError, match="Permission denied; choose another folder"):
            RunStore(Path(shared) / ".redzone").create(record())


def test_a_run_id_is_its_second_in_utc_and_four_letters() -> None:
    """The same instant and seed give the same id, whatever the zone the instant is told in."""
    tokyo = timezone(timedelta(hours=9))
    one, same, other = (Random(seed) for seed in (1, 1, 2))  # noqa: S311  chance that can be replayed
    found = new_run_id(NOON.astimezone(tokyo), one)
    assert re.fullmatch(r"20261003-120000-[0-9a-hjkmnp-tv-z]{4}", found)
    assert found == new_run_id(NOON, same)
    assert found != new_run_id(NOON, other)


def test_what_was_asked_comes_back(store: RunStore) -> None:
    """read(write(record)) == record, settings and file names that are not UTF-8 included."""
    asked = record().model_copy(update={"inputs": RunInputs(paths=(os.fsdecode(b"poster\xff.csv"),))})
    folder = store.create(asked)
    assert folder.read() == asked
    ended = asked.model_copy(
        update={
            "state": RecordedState.STOPPED,
            "reason": "budget",
            "finished_at": NOON,
            "counts": {"pass": 3},
        }
    )
    folder.write(ended)
    assert folder.read() == ended
    assert json.loads(folder.record_path.read_bytes())["schema"] == 1


def test_everything_in_a_run_is_private_whatever_the_umask(store: RunStore) -> None:
    """Folders 0700, files 0600, also under a umask that takes nothing away or too much."""
    for umask, run_id in ((0o000, "20261003-120000-aaaa"), (0o377, "20261003-120000-bbbb")):
        before = os.umask(umask)
        try:
            folder = store.create(record(run_id))
            with folder.lock():
                Journal(folder.checkpoint_path).close()
        finally:
            os.umask(before)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.path.iterdir()}
        names = ("run.json", "checkpoint.jsonl", "metrics.jsonl", "log.jsonl", "lock")
        assert modes == dict.fromkeys(names, 0o600)
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_keys_of_a_newer_version_survive_a_rewrite(store: RunStore) -> None:
    """Only another schema is refused."""
    folder = store.create(record())
    data = json.loads(folder.record_path.read_bytes())
    folder.record_path.write_text(json.dumps(data | {"mood": "bright"}))
    folder.write(folder.read())
    assert json.loads(folder.record_path.read_bytes())["mood"] == "bright"
    folder.record_path.write_text(json.dumps(data | {"schema": 2}))
    with pytest.raises(CheckpointUnusable, match="its schema is 2, not 1"):
        folder.read()


@pytest.mark.parametrize("rubbish", [b"", b"\xff", b"[]", b"[" * 100_000, b'{"schema":1}'])
def test_a_run_json_that_is_rubbish_is_refused(store: RunStore, rubbish: bytes) -> None:
    """With one kind of error and the file's name."""
    folder = store.create(record())
    folder.record_path.write_bytes(rubbish)
    with pytest.raises(CheckpointUnusable, match=r"run\.json cannot be read"):
        folder.read()


def test_any_unique_prefix_finds_a_run(store: RunStore) -> None:
    """None and several are refused, with the candidates named, newest first."""
    with pytest.raises(RunNotFound, match="there are no runs yet"):
        store.get("2026")
    for run_id in ("20261003-120000-abcd", "20261003-120000-abzz", "20261004-120000-abcd"):
        store.create(record(run_id))
    assert store.get("20261004").id == "20261004-120000-abcd"
    assert store.get("20261003-120000-ABC").id == "20261003-120000-abcd"
    with pytest.raises(RunNotFound, match="2 runs: 20261003-120000-abzz, 20261003-120000-abcd"):
        store.get("20261003")
    for wrong in ("2025", "", "../runs", "*"):
        with pytest.raises(RunNotFound, match="the newest are 20261004-120000-abcd, "):
            store.get(wrong)


def test_an_id_is_given_once(store: RunStore) -> None:
    """A second run of the same id never writes into the first one's folder."""
    store.create(record())
    with pytest.raises(UsageError, match="File exists; try again"):
        store.create(record())


def test_runs_are_listed_newest_first_beside_any_rubbish(
    store: RunStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Strange names are passed over, a run whose run.json cannot be read is skipped with a warning."""
    assert store.newest_first() == ()
    assert store.newest_unfinished() is None
    older, newest = "20261003-120000-abcd", "20261004-120000-abcd"
    store.create(record(older, RecordedState.INTERRUPTED))
    store.create(record(newest, RecordedState.FINISHED))
    (store.folder / "20261005-120000-abcd").mkdir()
    (store.folder / "20261006-120000-abcd").write_text("a file")
    (store.folder / "notes").mkdir()
    with caplog.at_level(logging.WARNING):
        assert [one.id for one in store.newest_first()] == [newest, older]
    assert "20261005-120000-abcd has no run.json: the run was killed before it began" in caplog.text
    unfinished = store.newest_unfinished()
    assert unfinished is not None
    assert unfinished.id == older


def test_a_second_process_is_refused_with_the_pid_of_the_first(store: RunStore) -> None:
    """At once, and only while the first one lives: kill -9 frees the run."""
    folder = store.create(record())
    assert folder.worker_pid() is None
    with another_process(folder) as process:
        assert folder.worker_pid() == process.pid
        with pytest.raises(RunLocked, match=rf"process {process.pid} is working on it"), folder.lock():
            pass
        with pytest.raises(RunLocked):
            store.remove(folder.id)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert folder.worker_pid() is None
        with folder.lock():
            assert folder.worker_pid() == os.getpid()
    assert folder.worker_pid() is None
    assert folder.read() == record()


def test_the_lock_is_free_after_its_block(store: RunStore) -> None:
    """Whether the block ended well or not; within it, this process is refused as well."""
    folder = store.create(record())
    with folder.lock(), pytest.raises(RunLocked, match=str(os.getpid())), folder.lock():
        pass
    with pytest.raises(ZeroDivisionError), folder.lock():
        raise ZeroDivisionError
    with folder.lock():
        pass


@pytest.mark.parametrize("content", ["", "0", "-1", "99999999999999", "many", "\x00"])
def test_a_lock_file_without_a_pid_names_nobody(store: RunStore, content: str) -> None:
    """Nothing is asked about a process that the file does not name."""
    folder = store.create(record())
    folder.lock_path.write_text(content)
    assert folder.worker_pid() is None


def test_a_home_that_is_not_readable_says_what_to_do(tmp_path: Path) -> None:
    """A file where the runs should be."""
    (tmp_path / "runs").touch()
    with pytest.raises(UsageError, match="cannot be read: Not a directory; choose another --home"):
        RunStore(tmp_path).newest_first()


def test_remove_deletes_the_run_and_nothing_behind_a_link(store: RunStore, tmp_path: Path) -> None:
    """A link in a run is deleted, not what it leads to, and a linked folder is no run."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").touch()
    folder = store.create(record())
    (folder.path / "link").symlink_to(outside)
    (store.folder / "20261009-120000-abcd").symlink_to(outside)
    assert store.remove("20261003") == folder.id
    assert [path.name for path in store.folder.iterdir()] == ["20261009-120000-abcd"]
    with pytest.raises(RunNotFound):
        store.remove("20261009")
    assert (outside / "keep").exists()


def test_a_run_is_invisible_until_it_is_complete(store: RunStore) -> None:
    """Killed while it is created, it leaves nothing that any command sees, and the next run cleans up."""
    code = """
import os, signal, sys
from pathlib import Path
from redzone.runs import RunStore
from tests.runs.test_store import record
def die(draft):
    print(sorted(p.name for p in draft.path.iterdir()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
RunStore(Path(sys.argv[1])).create(record(), die)
"""
    killed = subprocess.run(
        [sys.executable, "-c", code, store.home], cwd=PROJECT, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert b"checkpoint.jsonl" in killed.stdout
    assert (store.folders(), store.newest_first(), store.newest_unfinished()) == ((), (), None)
    (left,) = store.folder.iterdir()
    os.utime(left, (0, 0))
    assert store.create(record()).read() == record()
    assert [path.name for path in store.folder.iterdir()] == ["20261003-120000-abcd"]


def test_a_run_that_fails_while_it_is_created_leaves_nothing(store: RunStore) -> None:
    """Not even its draft."""

    def fail(_: RunFolder) -> RunRecord:
        raise UsageError("no input")

    with pytest.raises(UsageError, match="no input"):
        store.create(record(), fail)
    assert list(store.folder.iterdir()) == []


def test_half_a_run_of_an_older_version_is_passed_over_with_a_word(store: RunStore) -> None:
    """It has no run.json: a prefix that a whole run shares means that run, its own id says what it is."""
    skipped: list[str] = []
    telling = RunStore(store.home, skipped.append)
    whole = store.create(record("20261003-120000-abcd", RecordedState.INTERRUPTED))
    half = store.folder / "20261003-130000-abcd"
    half.mkdir()
    assert telling.newest_unfinished() == whole
    assert "has no run.json: the run was killed before it began" in skipped[0]
    assert store.get("20261003") == whole
    with pytest.raises(RunNotFound, match=r"`redzone runs rm 20261003-130000-abcd` removes what is left"):
        store.get(half.name).read()
    assert store.remove(half.name) == half.name


def test_a_copied_folder_is_a_run_of_its_own(store: RunStore) -> None:
    """Its id is its folder's name."""
    folder = store.create(record())
    copy = store.folder / "20261004-000000-c0py"
    shutil.copytree(folder.path, copy)
    assert RunFolder(copy).read() == record().model_copy(update={"id": copy.name})


def test_without_an_id_resume_passes_over_runs_in_other_hands(store: RunStore) -> None:
    """And says so where there is no other one."""
    older = store.create(record("20261003-120000-abcd", RecordedState.INTERRUPTED))
    newer = store.create(record("20261004-120000-abcd"))
    assert store.newest_unfinished() == newer
    with another_process(newer) as process:
        assert store.newest_unfinished() == older
        with older.lock(), pytest.raises(RunLocked, match=f"process {process.pid} is working on it"):
            store.newest_unfinished()


@pytest.mark.parametrize("name", ["checkpoint.jsonl", "metrics.jsonl", "log.jsonl", "lock", "cache.sqlite"])
def test_a_prepared_folder_has_nothing_outside_written(store: RunStore, tmp_path: Path, name: str) -> None:
    """A link in it is refused before any file is opened for writing, and no reader follows it."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"precious, without a newline")
    folder = store.create(record())
    (folder.path / name).unlink(missing_ok=True)
    (folder.path / name).symlink_to(secret)
    with pytest.raises(UsageError, match=f"{name} is not a regular file"), folder.lock():
        pass
    with pytest.raises(JournalFailed, match="symbolic link, which is not followed"):
        Journal(_linked(folder.path / "linked.jsonl", secret))
    assert folder.is_locked() is False
    assert secret.read_bytes() == b"precious, without a newline"


def _linked(path: Path, target: Path) -> Path:
    path.symlink_to(target)
    return path


def test_a_pipe_or_a_link_for_a_file_is_an_error_and_never_waited_for(store: RunStore) -> None:
    """As run.json, checkpoint, reviews and metrics."""
    folder = store.create(record())
    for path in (folder.record_path, folder.checkpoint_path, folder.reviews_path, folder.metrics_path):
        path.unlink(missing_ok=True)
        os.mkfifo(path)
    with pytest.raises(RunNotFound, match="it is not a regular file"):
        folder.read()
    with pytest.raises(CheckpointUnusable, match="it is not a regular file"):
        CheckpointIndex.read(folder.checkpoint_path)
    with pytest.raises(UsageError, match="it is not a regular file"):
        read_reviews(folder.reviews_path)
    with pytest.raises(OSError, match="it is not a regular file"):
        newest(folder.metrics_path)
