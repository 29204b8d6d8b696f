"""Serves style sheets, the script and the icon from memory, versioned by content hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from redzone.charts import STYLE

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file. `version` changes with its content."""

    data: bytes
    media_type: str
    version: str


@cache
def assets() -> dict[str, Asset]:
    """Reads every static file, by name."""
    folder = files("redzone.web") / "static"
    found = {file.name: file.read_bytes() for file in folder.iterdir()}
    found["charts.css"] = STYLE.encode()
    return {
        name: Asset(data, _TYPES[name.rpartition(".")[2]], hashlib.sha256(data).hexdigest()[:12])
        for name, data in found.items()
    }


def asset_path(name: str) -> str:
    """The versioned URL of an asset, which a browser may cache for ever."""
    return f"/static/{name}?v={assets()[name].version}"


async def serve_asset(request: Request) -> Response:
    """`/static/{name}`: names are looked up and never become file system paths."""
    # /favicon.ico has no name: browsers request it where a page links no icon
    name = request.path_params.get("name", "icon.svg")
    asset = assets().get(name)
    if asset is None:
        raise HTTPException(404)
    kept = FOREVER if request.query_params.get("v") == asset.version else "no-cache"
    return Response(asset.data, media_type=asset.media_type, headers={"Cache-Control": kept})


routes: list[BaseRoute] = [Route("/static/{name}", serve_asset), Route("/favicon.ico", serve_asset)]
