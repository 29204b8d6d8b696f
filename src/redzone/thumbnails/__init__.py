"""Pictures of posters for people: small, re-encoded, kept on disk, or the reason why there is none."""

from redzone.thumbnails.fetch_policy import Terms, terms_of
from redzone.thumbnails.render import Recipe, Scaled, Seen, ZoneOnly, first_view, shown_view
from redzone.thumbnails.service import Missing, Picture, Thumbnail, Thumbnails, collected, picture_of

__all__ = [
    "Missing",
    "Picture",
    "Recipe",
    "Scaled",
    "Seen",
    "Terms",
    "Thumbnail",
    "Thumbnails",
    "ZoneOnly",
    "collected",
    "first_view",
    "picture_of",
    "shown_view",
    "terms_of",
]
