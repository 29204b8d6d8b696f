"""Brings the bytes of one poster and trusts nothing on the way."""

from redzone.fetching.fetcher import Fetched, Fetcher, FetchOptions, NotModified, Validators

__all__ = ["FetchOptions", "Fetched", "Fetcher", "NotModified", "Validators"]
