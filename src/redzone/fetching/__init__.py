"""Brings the bytes of one poster and trusts nothing on the way."""

from redzone.fetching.fetcher import Fetcher, FetchOptions
from redzone.fetching.parts import Fetched, NotModified, Part, Validators

__all__ = ["FetchOptions", "Fetched", "Fetcher", "NotModified", "Part", "Validators"]
