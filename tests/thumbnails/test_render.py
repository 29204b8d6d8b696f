"""What is made of a poster's bytes."""

from __future__ import annotations

import pytest
from PIL import Image

from redzone.errors import ErrorCode, ImageFault
from redzone.imaging.render import frame
from redzone.models import ViewKind
from redzone.thumbnails import RenderSpec, Scaled, Seen, ZoneOnly, shown_view
from redzone.thumbnails.render import SIZES
from tests.outcomes import outcome
from tests.pictures import encoded, gradient
from tests.thumbnails.samples import OTHER, POSTER, RED, opened

PIXELS = 50_000_000


@pytest.mark.parametrize("width_px", SIZES)
def test_a_thumbnail_has_the_width_asked_for_and_the_shape_of_the_poster(width_px: int) -> None:
    """2:3 stays 2:3."""
    poster = encoded(gradient(1200, 1800), "JPEG")
    assert opened(Scaled(width_px).make(poster, PIXELS)).size == (width_px, width_px * 3 // 2)


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (400, 300)])
def test_a_small_poster_is_not_enlarged(size: tuple[int, int]) -> None:
    """What is not there is not made up."""
    poster = encoded(gradient(*size), "PNG")
    assert opened(Scaled(400).make(poster, PIXELS)).size == size


def test_a_banner_on_end_is_bounded_by_its_height() -> None:
    """At most three times the width."""
    poster = encoded(gradient(200, 4000), "PNG")
    assert opened(Scaled(160).make(poster, PIXELS)).size == (24, 480)


def test_other_sizes_are_not_made() -> None:
    """A visitor's number decides neither memory nor the number of files."""
    with pytest.raises(ValueError, match="161 px is not one of the sizes"):
        Scaled(161)


def test_nothing_of_the_file_but_its_pixels_is_kept() -> None:
    """A place, a name or a script in the metadata does not travel with the thumbnail."""
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    poster = encoded(gradient(300, 450), "JPEG", exif=exif.tobytes(), comment=b"<script>")
    made = Scaled(400).make(poster, PIXELS)
    assert b"taken at home" in poster
    assert b"taken at home" not in made
    assert b"<script>" not in made


@pytest.mark.parametrize("kind", [ViewKind.CROP, ViewKind.POSTER])
def test_what_the_model_saw_is_byte_for_byte_the_picture_that_it_was_sent(kind: ViewKind) -> None:
    """No second encoding."""
    assert Seen((RED,), kind).make(POSTER, PIXELS) == frame(POSTER, (RED,), kind).data


def test_the_local_models_pixels_are_shown_as_a_picture_of_the_same_size() -> None:
    """640 px wide at most."""
    poster = encoded(gradient(1280, 1920), "JPEG")
    assert opened(Seen((RED,), ViewKind.PIXELS).make(poster, PIXELS)).size == (640, 960)


def test_the_zone_alone_is_exactly_its_pixels_enlarged() -> None:
    """A zone that is all green comes out all green, without a neighbour's colour; 4 times, up to 800 px."""
    poster = Image.new("RGB", (100, 150), "red")
    poster.paste((0, 200, 0), (0, 0, 60, 15))
    made = opened(ZoneOnly(RED).make(encoded(poster, "PNG"), PIXELS))
    assert made.size == (240, 60)
    low, high = zip(*made.getextrema(), strict=True)
    assert max(high[0], high[2]) < 12
    assert low[1] > 188


@pytest.mark.parametrize("spec", [Scaled(160), Seen((RED,), ViewKind.PIXELS), ZoneOnly(RED)])
def test_every_recipe_fails_with_a_poster_fault_only(spec: RenderSpec) -> None:
    """Hostile bytes are a value's business."""
    with pytest.raises(ImageFault) as caught:
        spec.make(b"<html>", PIXELS)
    assert caught.value.code is ErrorCode.IMAGE_UNREADABLE
    with pytest.raises(ImageFault) as caught:
        spec.make(OTHER, 1000)
    assert caught.value.code is ErrorCode.IMAGE_TOO_LARGE


def test_recipes_with_different_results_have_different_keys() -> None:
    """A key is a file's name."""
    moved = RED.model_copy(update={"x": 0.4})
    recipes: list[RenderSpec] = [Scaled(160), Scaled(400), ZoneOnly(RED), ZoneOnly(moved)]
    recipes += [Seen((RED,), ViewKind.CROP), Seen((RED,), ViewKind.POSTER), Seen((RED, moved), ViewKind.CROP)]
    assert len({spec.key for spec in recipes}) == len(recipes)


def test_the_view_shown_is_the_one_that_led_to_the_outcome() -> None:
    """Its strategy names it; without one it is the run's."""
    assert shown_view(outcome(1, strategy="poster/simple"), ViewKind.CROP) is ViewKind.POSTER
    assert shown_view(outcome(1, strategy="pixels/full"), ViewKind.CROP) is ViewKind.PIXELS
    assert shown_view(outcome(1, strategy=None), ViewKind.CROP) is ViewKind.CROP
    assert shown_view(outcome(1, strategy="of a later version"), ViewKind.POSTER) is ViewKind.POSTER
    assert shown_view(None, ViewKind.CROP) is ViewKind.CROP
