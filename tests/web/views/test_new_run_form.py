"""From the fields of the form to a command line, or to what is wrong with them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.models import Zone
from redzone.runs import RunInputs
from redzone.web.services.uploads import Uploads
from redzone.web.views.new_run_form import FIELDS, RunForm, RunFormFaults, again, plan_run
from tests.web.homes import record_at

OWN = {"corner": (0.7, 0.8, 0.3, 0.2)}


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A list on this machine."""
    path = tmp_path / "posters.csv"
    path.write_text("url\nx.jpg\n")
    return path


def form(listed: Path | str = "", *zones: str, **fields: str) -> RunForm:
    return RunForm({"list": str(listed), **fields}, zones or ("red",))


def arguments(filled: RunForm, home: Path) -> tuple[str, ...]:
    return plan_run(filled, Uploads(home), OWN).arguments


def faults(filled: RunForm, home: Path) -> dict[str, str]:
    with pytest.raises(RunFormFaults) as caught:
        plan_run(filled, Uploads(home), OWN)
    return caught.value.reasons


def test_an_untouched_form_hands_on_nothing_but_list_and_zone(listed: Path, tmp_path: Path) -> None:
    """Everything else is as the settings have it."""
    assert arguments(form(listed), tmp_path) == ("analyze", "--zone=red", "--", str(listed))


def test_every_field_becomes_its_option(listed: Path, tmp_path: Path) -> None:
    """Each as one word, so that no text is taken for another option."""
    filled = form(
        listed,
        "icon",
        "corner",
        preset="small",
        provider="openai",
        model="--home=/etc",
        workers="auto",
        rpm="600",
        tpm="90000",
        max_cost="2.50",
        label="--dry-run",
        other_zones="logo=0,0.9,1,0.1  foot=0,0.8,1,0.1",
        partial="yes",
    )
    assert arguments(filled, tmp_path) == (
        "analyze",
        "--preset=small",
        "--provider=openai",
        "--model=--home=/etc",
        "--workers=auto",
        "--rpm=600",
        "--tpm=90000",
        "--max-cost=2.50",
        "--name=--dry-run",
        "--zone=icon",
        "--zone=corner",
        "--zone=logo=0,0.9,1,0.1",
        "--zone=foot=0,0.8,1,0.1",
        "--partial-download",
        "--",
        str(listed),
    )


def test_an_uploaded_list_is_found_and_a_named_one_goes_before_it(listed: Path, tmp_path: Path) -> None:
    """Naming one is the later choice."""
    uploads = Uploads(tmp_path / "home")
    uploaded = uploads.keep("other.csv", BytesIO(b"url\n"))
    assert plan_run(form(uploaded=uploaded), uploads, OWN).source == uploads.path(uploaded)
    assert plan_run(form(listed, uploaded=uploaded), uploads, OWN).source == listed


def test_a_relative_path_and_a_home_are_made_whole(
    listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` is a file's name here: nobody types into a dashboard's standard input."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for named in ("posters.csv", "~/posters.csv"):
        assert plan_run(form(named), Uploads(tmp_path), OWN).source == listed
    assert "cannot be read" in faults(form("-"), tmp_path)["list"]


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        ("list", "/nowhere/posters.csv", "cannot be read on this machine: No such file"),
        ("list", "~nobody-of-this-name/x.csv", "no such user"),
        ("list", "", "upload a list, or enter a path"),
        ("uploaded", "../../etc/passwd", "upload it again"),
        ("preset", "huge", "choose one of medium, small"),
        ("provider", "oracle", "choose one of auto, openai, local"),
        ("workers", "0", "must be a whole number from 1, or auto"),
        ("workers", "many", "must be a whole number from 1, or auto"),
        ("rpm", "-3", "must be a whole number from 1"),
        ("rpm", "1.5", "must be a whole number from 1"),
        ("tpm", "٣", "must be a whole number from 1"),
        ("max_cost", "-1", "an amount in dollars"),
        ("max_cost", "nan", "an amount in dollars"),
        ("max_cost", "$2", "an amount in dollars"),
    ],
)
def test_a_fault_is_told_at_its_field(
    listed: Path, tmp_path: Path, field: str, text: str, reason: str
) -> None:
    """In words that say what to write instead."""
    filled = form(**{field: text}) if field in ("list", "uploaded") else form(listed, **{field: text})
    found = faults(filled, tmp_path)
    place = "list" if field == "uploaded" else field
    assert list(found) == [place]
    assert reason in found[place]


@pytest.mark.parametrize(
    ("zones", "others", "reason"),
    [
        ((), "", "choose at least one zone"),
        (("nowhere",), "", "presets: red"),
        (("red",), "logo=0,0.9,2,0.1", "give fractions"),
        (("red",), "logo", "is not known"),
        (("red",), "red=0,0,1,1", "zone red is given twice"),
    ],
)
def test_zones_are_known_or_well_formed(
    listed: Path, tmp_path: Path, zones: tuple[str, ...], others: str, reason: str
) -> None:
    """Those of redzone.toml are known as well."""
    filled = RunForm({"list": str(listed), "other_zones": others}, zones)
    assert reason in faults(filled, tmp_path)["zones"]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Nobody mends a form one field a time."""
    filled = RunForm({"rpm": "x", "tpm": "y", "workers": "z", "max_cost": "w"}, ())
    assert set(faults(filled, tmp_path)) == {"list", "zones", "rpm", "tpm", "workers", "max_cost"}


pairs = st.lists(st.tuples(st.sampled_from([*FIELDS, "zone", "ticket", "evil"]), st.text(max_size=30)))


@given(pairs)
def test_a_form_is_what_its_own_fields_make_of_it(sent: list[tuple[str, str]]) -> None:
    """Shown and sent again it says the same, with the same digest; unknown fields are gone."""
    filled = RunForm.of(sent)
    again = RunForm.of(filled.pairs)
    assert (again.pairs, again.digest) == (filled.pairs, filled.digest)
    assert {name for name, _ in filled.pairs} <= {*FIELDS, "zone"}


@given(pairs)
def test_no_text_becomes_an_option(sent: list[tuple[str, str]]) -> None:
    """Every argument of a plan begins with an option of ours, or is the path behind `--`."""
    filled = RunForm.of([pair for pair in sent if pair[0] != "list"]).replaced(list="/")
    try:
        words: tuple[Any, ...] = plan_run(filled, Uploads(Path("/nowhere")), OWN).arguments
    except RunFormFaults:
        return
    assert words[0] == "analyze"
    assert words[-2:] == ("--", "/")
    ours = ("--preset=", "--provider=", "--model=", "--workers=", "--rpm=", "--tpm=", "--max-cost=")
    assert all(word.startswith((*ours, "--name=", "--zone=", "--partial-download")) for word in words[1:-2])
    assert not any("\0" in word or "\n" in word for word in words)


def test_run_again_fills_the_form_in_as_for_the_run(tmp_path: Path) -> None:
    """List, zones with and without a preset's name, judge and label come back out of the address."""
    zones = (
        Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1),
        Zone(name="icon", x=0.5, y=0.0, w=0.5, h=0.125),
    )
    paths = RunInputs(paths=("/lists/a & b.csv",))
    path, _, query = again(record_at(1, zones=zones, inputs=paths, label="A+B")).partition("?")
    filled = RunForm.of(parse_qsl(query))
    assert path == "/new"
    assert filled.zones == ("red",)
    assert filled.get("other_zones") == "icon=0.5,0,0.5,0.125"
    assert [filled.get(name) for name in ("list", "provider", "model", "label")] == [
        "/lists/a & b.csv",
        "openai",
        "gpt-6-luna",
        "A+B",
    ]


def test_an_uploaded_list_is_run_again_as_that(tmp_path: Path) -> None:
    """By its reference, not by a path that means nothing to who uploaded it."""
    uploads = Uploads(tmp_path)
    uploaded = uploads.keep("spring.csv", BytesIO(b"url\n"))
    run = record_at(1, inputs=RunInputs(paths=(str(uploads.path(uploaded)),)))
    filled = RunForm.of(parse_qsl(again(run).partition("?")[2]))
    assert (filled.get("uploaded"), filled.get("list")) == (uploaded, "")
    assert plan_run(filled, uploads, OWN).source == uploads.path(uploaded)


@pytest.mark.parametrize("paths", [("-",), ("/a.csv", "/b.csv")])
def test_a_run_of_standard_input_or_of_several_lists_has_no_form(paths: tuple[str, ...]) -> None:
    """The form takes one list; the empty one is offered."""
    assert again(record_at(1, inputs=RunInputs(paths=paths))) == "/new"
