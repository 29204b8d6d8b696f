"""Posters on a loopback server, and a home to keep their thumbnails in."""

from __future__ import annotations

import hashlib
from io import BytesIO

from PIL import Image

from redzone.models import Zone
from redzone.thumbnails import FetchPolicy
from tests.pictures import encoded, gradient

RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)
LOOPBACK = FetchPolicy(allow_private_hosts=True)
POSTER = encoded(gradient(600, 900), "JPEG", quality=90)
OTHER = encoded(Image.new("RGB", (600, 900), "navy"), "JPEG")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    assert picture.format == "JPEG"
    return picture
