from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import pytest
from PIL import Image

from redzone.models import ElementKind, Question, Source, Tokens, View, ViewKind, Wording, Zone, ZoneVerdict
from redzone.vision.local import weights
from redzone.vision.local.model import VERSION, LocalModel, probe
from redzone.zones import PRESETS

EXAMPLES = Path(__file__).parents[3] / "examples"
RED = PRESETS["red"]

# what a person sees in the red zone of each example
TEXT, FACE = ElementKind.TEXT, ElementKind.FACE
EXPECTED: dict[str, ElementKind | None] = {
    "0012": None,
    "0013": TEXT,
    "0027": FACE,
    "0031": None,
    "0044": TEXT,
    "0058": None,
    "0103": None,
    "0119": TEXT,
    "0120": None,
    "0204": FACE,
    "0377": None,
    "1024": TEXT,
}


@pytest.fixture
async def model() -> AsyncIterator[LocalModel]:
    model = LocalModel()
    yield model
    await model.aclose()


def question(image: Image.Image, *zones: Zone) -> Question:
    pixels = image.convert("RGB")
    view = View(ViewKind.PIXELS, pixels.tobytes(), pixels.width, pixels.height)
    return Question(view, zones, Wording.FULL, "local")


def example(name: str) -> Image.Image:
    return Image.open(EXAMPLES / "posters" / name)


async def verdicts(model: LocalModel, asked: Question) -> tuple[ZoneVerdict, ...]:
    reply = await model.ask(asked)
    assert isinstance(reply.result, tuple)
    return reply.result


async def test_every_example_poster_is_judged_as_a_person_would(model: LocalModel) -> None:
    """examples/posters.csv works out of the box: the right verdict and the right kind of element."""
    with (EXAMPLES / "posters.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    images = [Image.open(EXAMPLES / row["poster_img_url"]) for row in rows]
    answers = await asyncio.gather(*(verdicts(model, question(image, RED)) for image in images))
    seen = {row["content_id"]: answer[0] for row, answer in zip(rows, answers, strict=True)}
    kinds = {key: {element.kind for element in verdict.elements} for key, verdict in seen.items()}
    assert kinds == {key: {kind} if kind else set() for key, kind in EXPECTED.items()}
    assert {key: verdict.contains_key_elements for key, verdict in seen.items()} == {
        key: kind is not None for key, kind in EXPECTED.items()
    }
    assert all(50 <= verdict.confidence_pct <= 100 and verdict.justification for verdict in seen.values())


def test_the_examples_are_small_and_of_every_format() -> None:
    """A dozen posters of at most 25 KB: baseline and progressive JPEG, PNG, WebP."""
    files = sorted((EXAMPLES / "posters").iterdir())
    assert len(files) == len(EXPECTED)
    assert all(file.stat().st_size <= 25_000 for file in files)
    formats = set()
    for file in files:
        with Image.open(file) as image:
            formats.add((image.format, bool(image.info.get("progressive"))))
    assert formats == {("JPEG", False), ("JPEG", True), ("PNG", False), ("WEBP", False)}


async def test_each_zone_gets_its_own_verdict_in_the_order_asked(model: LocalModel) -> None:
    """Any zone can be asked about, several at once, and one poster is looked at once."""
    title = Zone(name="title", x=0.0, y=0.8, w=1.0, h=0.15)
    face = Zone(name="face", x=0.2, y=0.3, w=0.3, h=0.25)
    reply = await model.ask(question(example("two-winters.webp"), title, RED, face))
    assert isinstance(reply.result, tuple)
    assert [verdict.name for verdict in reply.result] == ["title", "red", "face"]
    assert [verdict.contains_key_elements for verdict in reply.result] == [True, False, True]
    assert {element.kind for element in reply.result[2].elements} == {FACE}


async def test_boxes_lie_in_their_zone_or_are_faces_that_reach_into_it(model: LocalModel) -> None:
    """A text's box is inside the zone, a face's box is the whole face; both in poster fractions."""
    (verdict,) = await verdicts(model, question(example("night-harbour.jpg"), RED))
    boxes = [element.box for element in verdict.elements if element.box]
    assert boxes
    assert all(box.x + box.w <= 0.6 + 0.01 and box.y + box.h <= 0.1 + 0.01 for box in boxes)
    (verdict,) = await verdicts(model, question(example("marguerite.jpg"), RED))
    (box,) = [element.box for element in verdict.elements if element.box]
    assert box.h > 0.2


@pytest.mark.parametrize("size", [(1, 1), (640, 1), (1, 1280), (33, 47), (640, 320)])
async def test_a_picture_of_any_shape_gets_a_verdict(model: LocalModel, size: tuple[int, int]) -> None:
    """A plain picture is free whatever its shape; nothing is divided by zero on the way."""
    (verdict,) = await verdicts(model, question(Image.new("RGB", size, (90, 40, 200)), RED))
    assert not verdict.contains_key_elements
    assert verdict.elements == ()


async def test_a_reply_names_the_model_and_costs_nothing(model: LocalModel) -> None:
    """No tokens, no money, and a version that changes with the fit."""
    asked = question(example("low-tide.png"), RED)
    reply = await model.ask(asked)
    assert (reply.model, reply.tokens, model.cost_usd(reply)) == (VERSION, Tokens(), 0.0)
    assert model.estimate(asked).tokens == 0
    assert model.prompt_version == VERSION
    assert (model.name, model.source, model.paid) == ("local", Source.LOCAL, False)
    record = json.loads(resources.files("redzone.vision.local").joinpath("fit.json").read_text())
    assert record["version"] == VERSION
    assert record["weights_sha256"] == {file.file: file.sha256 for file in (weights.TEXT, weights.FACE)}


async def test_a_view_that_is_not_pixels_is_refused(model: LocalModel) -> None:
    """The model takes raw pixels only; a JPEG would be read as noise."""
    view = View(ViewKind.CROP, b"\xff\xd8", 10, 10)
    with pytest.raises(ValueError, match="pixels"):
        await model.ask(Question(view, (RED,), Wording.FULL, "local"))


async def test_cancelled_questions_leave_the_model_usable() -> None:
    """A cancelled question frees its waiter at once; the next one is answered, and closing waits."""
    model = LocalModel()
    asked = question(example("night-harbour.jpg"), RED)
    tasks = [asyncio.create_task(model.ask(asked)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)
    (verdict,) = await verdicts(model, asked)
    assert verdict.contains_key_elements
    await model.aclose()


def test_importing_the_provider_loads_neither_numpy_nor_the_runtime() -> None:
    """Whoever judges with another provider pays nothing for this one."""
    code = (
        "import sys, redzone.vision.local.model; "
        "print([m for m in ('numpy', 'onnxruntime') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_probe_says_what_answered() -> None:
    """`redzone doctor` learns in one line that the networks load and run."""
    assert probe().startswith(f"{VERSION} on ")
