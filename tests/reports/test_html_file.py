"""A page that can be mailed: all in one file, exact, and safe whatever the posters are called."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from redzone.models import Box, Element, ElementKind, Poster, Status, Zone
from redzone.reports import Format, Report, Shot, TableLayout, write_results
from redzone.reports import html_file as html_file_module
from redzone.review import ReviewedOutcome
from tests.reports.samples import FACTS, HOSTILE, NOW, failed, judged, picture, pictured, poster, verdict

LAYOUT = TableLayout((), ("red",))
VOID = {"meta", "br", "rect", "image", "line", "circle", "polyline", "polygon", "path", "link", "img"}


def page(folder: Path, *reviewed_outcomes: ReviewedOutcome, report: Report | None = None) -> str:
    path = folder / "report.html"
    count = write_results(path, Format.HTML, reviewed_outcomes, LAYOUT, report or Report(FACTS, pictured))
    assert count == len(reviewed_outcomes)
    return path.read_text(encoding="utf-8")


def shots(page: str) -> list[ET.Element]:
    """The pictures of the cards."""
    return [ET.fromstring(svg) for svg in re.findall(r'<svg class="shot".*?</svg>', page, re.DOTALL)]  # noqa: S314


class Reader(HTMLParser):
    """Checks that every element is closed in its turn, and collects elements and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_a_page_tells_counts_charts_and_every_poster_in_order_of_need(tmp_path: Path) -> None:
    """Failing first, then unsure, errors and passes."""
    statuses = (Status.PASS, Status.ERROR, Status.UNSURE, Status.FAIL, Status.FAIL)
    found = [judged(row, status, group=f"g{row % 2}") for row, status in enumerate(statuses, 1)]
    text = read(page(tmp_path, *found, ReviewedOutcome(poster(6), None))).text
    assert "2 of 3 judged posters (67 %) have a title, logo or face in the red zone." in text
    assert "1 verdict is unsure: a person should look." in text
    assert "1 poster could not be judged." in text
    assert "1 poster is still to be judged." in text
    told = [text.index(f"Poster {row}") for row in (4, 5, 3, 2, 1)]
    assert told == sorted(told)
    for words in ("Share of fails by group", "What is in the zone", "How sure the model was", "reason 4"):
        assert words in text
    assert "the server said 404" in text


def test_a_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    """No script, no style attribute, no address but the pictures in it; its policy forbids the rest."""
    found = page(tmp_path, judged(1), judged(2, Status.PASS))
    reader = read(found)
    assert not {"script", "link", "iframe", "object", "embed", "form", "img"} & set(reader.tags)
    names = {name for name, _ in reader.attributes}
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]
    addresses = [value for name, value in reader.attributes if name in ("href", "src", "srcset", "action")]
    assert {address.split(",")[0].split("#")[0] for address in addresses} == {"", "data:image/jpeg;base64"}
    policy = next(value for _, value in reader.attributes if value.startswith("default-src"))
    assert re.fullmatch(
        "default-src 'none'; img-src data:; style-src 'sha256-[a-zA-Z0-9+/=]+'; base-uri 'none';"
        " form-action 'none'",
        policy,
    )
    assert "http:" not in found
    assert "https:" not in found


@pytest.mark.parametrize("size", [(200, 300), (640, 360), (33, 77)])
def test_the_zone_and_the_elements_lie_exactly_where_they_are(tmp_path: Path, size: tuple[int, int]) -> None:
    """In the picture's own pixels, whatever its shape."""
    face = Element(kind=ElementKind.FACE, box=Box(x=0.125, y=0.25, w=0.5, h=0.125))
    said = verdict().model_copy(update={"elements": (face,)})
    facts = replace(FACTS, zones=(*FACTS.zones, Zone(name="foot", x=0.25, y=0.875, w=0.75, h=0.125)))
    report = Report(
        facts, lambda reviewed_outcomes, _: iter([Shot(picture(size=size))] * len(reviewed_outcomes))
    )
    (shot,) = shots(page(tmp_path, ReviewedOutcome(poster(1), failed(1, said)), report=report))
    width, height = size
    assert shot.attrib["viewBox"] == f"0 0 {width} {height}"
    image = shot.find("image")
    assert image is not None
    assert (image.attrib["width"], image.attrib["height"]) == (str(width), str(height))
    assert base64.b64decode(image.attrib["href"].split(",")[1]) == picture(size=size)
    assert [box(rect) for rect in shot.iter("rect") if rect.attrib["class"] == "zone"] == [
        pytest.approx((0, 0, 0.6 * width, 0.1 * height), abs=0.01),
        pytest.approx((0.25 * width, 0.875 * height, 0.75 * width, 0.125 * height), abs=0.01),
    ]
    assert [box(rect) for rect in shot.iter("rect") if rect.attrib["class"] == "found"] == [
        pytest.approx((0.125 * width, 0.25 * height, 0.5 * width, 0.125 * height), abs=0.01)
    ]


def box(rect: ET.Element) -> tuple[float, ...]:
    return tuple(float(rect.attrib[name]) for name in ("x", "y", "width", "height"))


def test_hostile_words_are_text(tmp_path: Path) -> None:
    """In titles, ids, groups, justifications, labels, notes, names of reviewers, of the run and its input."""
    said = verdict(label=HOSTILE, justification=HOSTILE)
    row = Poster(1, HOSTILE, "x", HOSTILE, HOSTILE)
    reviewed = ReviewedOutcome(row, failed(1, said))
    reviewed = ReviewedOutcome(
        row, reviewed.outcome, (reviewed.annotate("a", NOW, HOSTILE), reviewed.justify(HOSTILE, NOW, HOSTILE))
    )
    facts = replace(FACTS, label=HOSTILE, inputs=(HOSTILE,), judge=HOSTILE, selection=HOSTILE)
    found = page(tmp_path, reviewed, judged(2), report=Report(facts, pictured))
    reader = read(found)
    assert "script" not in reader.tags
    assert "\x1b" not in found
    shown = HOSTILE.removesuffix("\x1b[31m")
    assert reader.text.count(shown) >= 10
    assert unescape(found).count(shown) > reader.text.count(shown)  # text alternatives too


def test_a_review_is_told_beside_what_the_model_said(tmp_path: Path) -> None:
    """Who, when, what they changed, and that others see it otherwise."""
    reviewed = judged(1)
    ann = reviewed.judge("Ann", NOW, Status.PASS, "only sky")
    both = ReviewedOutcome(reviewed.row, reviewed.outcome, (reviewed.judge("Bob", NOW, Status.FAIL), ann))
    text = read(page(tmp_path, both)).text
    assert "None of 1 judged poster has a title, logo or face in the red zone." in text
    assert "People reviewed 1 and changed 1." in text
    assert "Reviewed by Ann on 2026-10-01 12:00 UTC; reviewers disagree (Bob: fail, Ann: pass)" in text
    assert "The model said fail: reason 1" in text
    assert "only sky" in text


def test_where_no_picture_is_one_is_drawn_with_its_zone_and_the_reason(tmp_path: Path) -> None:
    """And a picture that is not the one that was judged says so."""

    def some(reviewed_outcomes: Sequence[ReviewedOutcome], width_px: int) -> Iterator[Shot]:
        assert (len(reviewed_outcomes), width_px) == (2, html_file_module.PICTURE_PX)
        yield Shot(None, "the server said <404>")
        yield Shot(picture(), changed=True)

    found = page(tmp_path, judged(1), judged(2), report=Report(FACTS, some))
    blank, changed = shots(found)
    assert blank.find("image") is None
    assert blank.attrib["aria-label"] == "No picture: the server said <404>"
    assert len([rect for rect in blank.iter("rect") if rect.attrib["class"] == "zone"]) == 1
    assert changed.find("image") is not None
    text = read(found).text
    assert "No picture: the server said <404>" in text
    assert text.count("The picture is no longer the one that was judged.") == 1


def test_a_page_of_many_posters_stays_small_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the first have pictures, and only so many are told at all."""
    monkeypatch.setattr(html_file_module, "MOST_CARDS", 5)
    found = page(tmp_path, *map(judged, range(1, 9)), report=Report(FACTS, pictured, most_pictures=3))
    assert [shot.find("image") is not None for shot in shots(found)] == [True, True, True, False, False]
    text = read(found).text
    assert "The first 3 of 5 posters have their picture; the others have none" in text
    assert "3 more are not shown here:" in text
    assert f"redzone export {FACTS.run_id} --status fail -o fail.csv has all 8." in text
    assert "8 of 8 judged posters (all)" in text


def test_a_report_without_findings_says_that_nothing_is_judged(tmp_path: Path) -> None:
    """A filter may leave nothing."""
    text = read(page(tmp_path)).text
    assert "No poster has been judged for the red zone yet." in text
