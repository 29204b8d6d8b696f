"""Thumbnails of posters: small, re-encoded and cached on disk, or the reason why there is none."""

from redzone.thumbnails.fetch_policy import FetchPolicy, fetch_policy
from redzone.thumbnails.render import RenderSpec, Scaled, Seen, ZoneOnly, first_view, shown_view
from redzone.thumbnails.service import Missing, Picture, Thumbnail, Thumbnails, collected, poster_picture

__all__ = [
    "FetchPolicy",
    "Missing",
    "Picture",
    "RenderSpec",
    "Scaled",
    "Seen",
    "Thumbnail",
    "Thumbnails",
    "ZoneOnly",
    "collected",
    "fetch_policy",
    "first_view",
    "poster_picture",
    "shown_view",
]
