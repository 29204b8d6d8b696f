"""An image or a part of it: what is asked for, what has come, and whether the two fit. Pure.

RFC 9110: 13.1.5 (If-Range), 14 (Range), 15.3.7 (206), and 15.3.7.3 about joining parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

# Enough for the corner of nearly every baseline JPEG of 1000x1500, and one flight of a warm connection.
START_BYTES = 65_536

Headers = list[tuple[bytes, bytes]]

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server names a version of an image by; sent back, it may answer "not modified"."""

    etag: str | None = None
    last_modified: str | None = None

    @property
    def strong_etag(self) -> str | None:
        """The etag if it stands for the very bytes: parts of the same may be joined."""
        return self.etag if self.etag and re.fullmatch(r'"[^"]*"', self.etag) else None


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bytes as they came, their sha256 in hex, and the server's validators if it gave any."""

    data: bytes
    sha256: str
    validators: Validators | None = None


@dataclass(frozen=True, slots=True)
class NotModified:
    """The server says that the image is still the one with the known validators."""


@dataclass(frozen=True, slots=True)
class PartialFile:
    """The beginning of an image, and how many bytes it has altogether if the server said so.

    `address` is where it came from after all redirects; if there were any, `moved_etag` is its strong etag.
    """

    data: bytes
    total_bytes: int | None = None
    validators: Validators | None = None
    address: str | None = field(default=None, compare=False)
    moved_etag: str | None = field(default=None, compare=False)

    @property
    def etag(self) -> str | None:
        """What the rest must have, too; None where nothing is sure to tell another version of the image."""
        return self.validators.strong_etag if self.validators else self.moved_etag


@dataclass(frozen=True, slots=True)
class Ask:
    """What one download asks for: all of an image, only its start, or what comes after `begun`."""

    known: Validators | None = None
    start: bool = False
    begun: PartialFile | None = None

    @property
    def ranged(self) -> bool:
        """Whether a part is asked for; the server may send all of it nevertheless."""
        return self.start or self.begun is not None

    def elsewhere(self) -> Ask:
        """The same for the target of a redirect, which did not issue the validators."""
        return replace(self, known=None)

    def issued_by(self, address: str) -> bool:
        """Whether the part that is known came from this address."""
        return self.begun is not None and self.begun.address in (None, address)

    def headers(self, address: str) -> Headers:
        """The request's conditions and its range."""
        asked: list[tuple[bytes, str | None]] = []
        if self.known is not None:
            asked += [(b"If-None-Match", self.known.etag), (b"If-Modified-Since", self.known.last_modified)]
        if self.start:
            asked.append((b"Range", f"bytes=0-{START_BYTES - 1}"))
        if self.begun is not None:
            asked.append((b"Range", f"bytes={len(self.begun.data)}-"))
            if self.issued_by(address):
                asked.append((b"If-Range", self.begun.etag))
        return [(name, value.encode("latin-1", errors="replace")) for name, value in asked if value]


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Which bytes of an image an answer holds, the last one included, of how many if that is known."""

    first: int
    last: int
    total: int | None

    @classmethod
    def parse(cls, text: str | None) -> ContentRange | None:
        """The header's meaning; None where it is missing, of another unit, or nonsense."""
        match = _CONTENT_RANGE.fullmatch(text.strip()) if text else None
        if match is None:
            return None
        first, last = int(match[1]), int(match[2])
        total = None if match[3] == "*" else int(match[3])
        return cls(first, last, total) if first <= last and (total is None or last < total) else None


def fit(ask: Ask, sent: ContentRange, got: Fetched) -> Fetched | PartialFile | None:
    """What an answer of status 206 amounts to; None where it is not what was asked for.

    `got` holds all bytes so far, those of the part that had begun included.
    """
    size = len(got.data)
    if sent.last + 1 != size:
        return None
    if ask.begun is None:
        if sent.first != 0:
            return None
        return got if sent.total == size else PartialFile(got.data, sent.total, got.validators)
    begun = ask.begun
    same_version = got.validators is None or got.validators.etag in (None, begun.etag)
    whole = sent.first == len(begun.data) and sent.total == size and begun.total_bytes in (None, size)
    return replace(got, validators=begun.validators) if same_version and whole else None
