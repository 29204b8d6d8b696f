"""Run folders that are half there, rotten, made of links, or that change while a page shows them: a sentence
on every page, and never a traceback or a page that hangs."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from redzone.runs import RunFolder
from tests.web.conftest import Serve
from tests.web.homes import one_of_each, write_run
from tests.web.serving import Served

PAGES = ("", "/posters/1", "/performance", "/pictures/1?size=160")


def fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def link_out(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def rotten(path: Path) -> None:
    path.write_bytes(b"\x00\xff{]" * 1000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def gone(path: Path) -> None:
    path.unlink(missing_ok=True)


def pages_of(site: Served, run: RunFolder) -> list[int]:
    """The status of every page of a run and of the pages over all runs; none of them is a 500."""
    replies = [site.get(f"/runs/{run.id}{page}") for page in PAGES]
    replies += [site.get(path) for path in ("/", "/performance", "/analytics", "/new", "/metrics")]
    assert [reply.text for reply in replies if reply.status_code == 500] == []
    return [reply.status_code for reply in replies]


@pytest.mark.parametrize(
    "harm", [fifo, link_out, folder, rotten, empty, gone], ids=lambda harm: str(harm.__name__)
)
@pytest.mark.parametrize("name", ["run.json", "checkpoint.jsonl", "reviews.jsonl", "metrics.jsonl", "lock"])
def test_no_file_of_a_run_breaks_a_page(
    home: Path, serve: Serve, name: str, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Other runs stay in the list, and what cannot be read is a sentence."""
    sound, broken = write_run(home, 1, one_of_each()), write_run(home, 2, one_of_each())
    harm(broken.path / name)
    site = serve(home)
    with caplog.at_level(logging.ERROR):
        pages_of(site, broken)
    assert caplog.records == []
    assert site.get(f"/runs/{sound.id}").status_code == 200
    assert sound.id in site.get("/").text


def test_a_link_says_what_is_wrong(home: Path, serve: Serve) -> None:
    """The page names the file."""
    run = write_run(home, 1, one_of_each())
    fifo(run.record_path)
    reply = serve(home).get(f"/runs/{run.id}")
    assert reply.status_code == 400
    assert "run.json is not a regular file; the run cannot be shown" in reply.text


@pytest.mark.parametrize("harm", [empty, gone, rotten], ids=lambda harm: str(harm.__name__))
def test_a_checkpoint_changed_under_an_open_page(
    home: Path, serve: Serve, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Pages that were read before are served again, or say what is missing."""
    run = write_run(home, 1, one_of_each())
    site = serve(home)
    assert site.get(f"/runs/{run.id}").status_code == 200
    harm(run.checkpoint_path)
    with caplog.at_level(logging.ERROR):
        pages_of(site, run)
    assert caplog.records == []


def test_a_run_removed_under_an_open_page(home: Path, serve: Serve) -> None:
    """404 in a sentence, and the list goes on without it."""
    run = write_run(home, 1, one_of_each())
    site = serve(home)
    assert site.get(f"/runs/{run.id}").status_code == 200
    shutil.rmtree(run.path)
    assert pages_of(site, run)[:3] == [404, 404, 404]
    assert run.id not in site.get("/").text


def test_two_dashboards_on_one_home_show_each_others_reviews(home: Path, serve: Serve) -> None:
    """What one has written the other shows with its next page, and both reviews stand."""
    run = write_run(home, 1, one_of_each())
    first, second = serve(home), serve(home)
    for site, status, by in ((first, "pass", "ann"), (second, "fail", "ben")):
        reply = site.post(f"/runs/{run.id}/posters/1/review", {"wish": status, "by": by})
        assert reply.status_code == 303
    for site in (first, second):
        page = site.get(f"/runs/{run.id}/posters/1").text
        assert "ann" in page
        assert "ben" in page
        assert "reviewers disagree" in page
