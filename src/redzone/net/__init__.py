"""Brings the bytes of one poster and trusts nothing on the way."""

from redzone.net.byte_ranges import Fetched, NotModified, PartialFile, Validators
from redzone.net.fetcher import Fetcher, FetchOptions

__all__ = ["FetchOptions", "Fetched", "Fetcher", "NotModified", "PartialFile", "Validators"]
