"""How far a run's recorded settings are followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from redzone.config.settings import Settings
from redzone.runs import RunFolder, RunRecord, RunStore
from redzone.thumbnails import FetchPolicy, fetch_policy
from tests.runs.test_store import record

ASKED = {
    "allow_private_hosts": True,
    "max_image_bytes": 1000,
    "max_image_pixels": 2000,
    "images_per_s": 3.0,
    "workers": 5,
}


def run(home: Path, **settings: Any) -> tuple[RunFolder, RunRecord]:
    asked = record().model_copy(update={"settings": settings})
    folder = RunStore(home).create(asked)
    return folder, folder.read()


def test_a_run_of_our_own_is_shown_under_its_own_settings(tmp_path: Path) -> None:
    """Its posters lie where they lay when it was begun."""
    assert fetch_policy(*run(tmp_path, **ASKED)) == FetchPolicy(True, 1000, 2000, 3.0)


def test_what_a_run_does_not_say_has_the_defaults_of_the_settings(tmp_path: Path) -> None:
    """Public addresses only."""
    policy = fetch_policy(*run(tmp_path))
    assert policy == FetchPolicy()
    assert not policy.allow_private_hosts
    assert policy.max_image_bytes == Settings().max_image_bytes


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_run_that_others_can_change_decides_nothing(tmp_path: Path, mode: int) -> None:
    """Neither by its folder nor by its run.json."""
    folder, asked = run(tmp_path, **ASKED)
    folder.path.chmod(mode)
    assert fetch_policy(folder, asked) == FetchPolicy()
    folder.path.chmod(0o700)
    folder.record_path.chmod(mode)
    assert fetch_policy(folder, asked) == FetchPolicy()


def test_a_run_of_another_user_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder unpacked by somebody else is not what this user asked for."""
    folder, asked = run(tmp_path, **ASKED)
    monkeypatch.setattr("os.geteuid", lambda: folder.path.stat().st_uid + 1)
    assert fetch_policy(folder, asked) == FetchPolicy()


def test_a_run_that_was_removed_meanwhile_decides_nothing(tmp_path: Path) -> None:
    """Its folder is gone between the page and its pictures."""
    folder, asked = run(tmp_path, **ASKED)
    RunStore(tmp_path).remove(folder.id)
    assert fetch_policy(folder, asked) == FetchPolicy()


def test_a_link_decides_nothing(tmp_path: Path) -> None:
    """It may lead to a run.json of anybody."""
    folder, asked = run(tmp_path, **ASKED)
    moved = folder.record_path.rename(tmp_path / "elsewhere.json")
    folder.record_path.symlink_to(moved)
    assert fetch_policy(folder, asked) == FetchPolicy()


@pytest.mark.parametrize(
    "settings", [{"allow_private_hosts": "perhaps"}, {"max_image_bytes": -1}, {"images_per_s": []}]
)
def test_settings_that_cannot_be_are_not_followed_at_all(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Not in part either."""
    assert fetch_policy(*run(tmp_path, **{**ASKED, **settings})) == FetchPolicy()
