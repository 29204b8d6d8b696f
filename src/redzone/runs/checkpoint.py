"""The lines of a checkpoint, and reading them. Nothing here writes; `journal.py` does.

A line has the form of `jsonl.py` and begins with the keys `kind` and `schema`. Whatever a later schema puts
between them and `sum`, these three keys stay, so that this version can tell a newer line from a damaged one.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from pydantic import BaseModel, Field, JsonValue, ValidationError

from redzone.errors import CheckpointUnusable
from redzone.models import Frozen, Outcome, Status, Tokens
from redzone.runs.jsonl import TORN, WRONG_CHECKSUM, RawLine, has_seal, is_sealed, read_lines, seal, unseal

SCHEMA = 1

_INTENT = b'{"kind":"intent","schema":1,'
_OUTCOME = b'{"kind":"outcome","schema":1,'
_SPENT = b'{"kind":"spent","schema":1,'
_SURROGATE = re.compile("[\ud800-\udfff]")

_F = TypeVar("_F", bound=Frozen)
_log = logging.getLogger(__name__)


class Intent(Frozen):
    """Written before a paid request, which costs at most `most_usd`. Without a later outcome of the row, that
    request is in doubt. A request about several rows has an intent for each, all with one `started_at`."""

    row: int = Field(ge=1)
    model: str
    most_usd: float = Field(default=0.0, ge=0.0)
    started_at: datetime


class Spent(Frozen):
    """What requests cost that belong to no outcome of the file.

    With a `row`: the row is pending, and its `attempts` were answered before the run stopped, so they are not
    in doubt. Without: the outcomes of a former input that were not taken over. `lost_usd` is the upper bound
    for requests whose cost is not known.
    """

    row: int | None = Field(default=None, ge=1)
    attempts: int = Field(default=0, ge=0)
    cost_usd: float = Field(default=0.0, ge=0.0)
    lost_usd: float = Field(default=0.0, ge=0.0)
    tokens: Tokens = Tokens()


class OtherSchema(ValueError):
    """The line is whole, but this version cannot read it."""


class IntentHead(BaseModel):
    """The fields of an intent that counting needs."""

    row: int = Field(ge=1)
    most_usd: float = 0.0


class OutcomeHead(BaseModel):
    """The fields of an outcome that counting needs: 3.5 us a line, where all of them take 13 us."""

    row: int = Field(ge=1)
    status: Status
    attempts: int
    cost_usd: float
    tokens: Tokens


class _AnySchema(BaseModel):
    schema_version: int = Field(alias="schema")


def render_intent(row: int, model: str, started_at: datetime, most_usd: float = 0.0) -> bytes:
    """The line that `parse_line` reads back as an equal Intent; lone surrogates become U+FFFD."""
    intent = Intent(row=row, model=model, most_usd=most_usd, started_at=started_at)
    return seal(_INTENT + _json(intent)[1:])


def is_intent(line: bytes) -> bool:
    """Whether a line precedes a paid request."""
    return line.startswith(_INTENT)


def render_outcome(outcome: Outcome) -> bytes:
    """The line that `parse_line` reads back as an equal Outcome; lone surrogates become U+FFFD."""
    return seal(_OUTCOME + _json(outcome)[1:])


def render_spent(spent: Spent) -> bytes:
    """The line that `parse_line` reads back as an equal Spent."""
    return seal(_SPENT + _json(spent)[1:])


def parse_line(raw: bytes) -> Intent | Outcome | Spent:
    """The value of one line with its newline. Raises OtherSchema, or ValueError for a damaged line."""
    _verify(raw)
    if raw.startswith(_OUTCOME):
        return _body(raw, _OUTCOME, Outcome)
    if raw.startswith(_SPENT):
        return _body(raw, _SPENT, Spent)
    return _body(raw, _INTENT, Intent)


def _body(raw: bytes, prefix: bytes, kind: type[_F]) -> _F:
    try:
        return kind.model_validate_json(unseal(raw, prefix))
    except ValidationError as error:
        raise OtherSchema(f"it does not match schema {SCHEMA} ({error.errors()[0]['msg']})") from error


def _json(value: Frozen) -> bytes:
    try:
        return value.model_dump_json(ensure_ascii=True).encode("ascii")
    except ValueError:
        # a lone surrogate, cut from UTF-16 by somebody: UTF-8 cannot hold it, and the answer is paid for
        text = json.dumps(value.model_dump(mode="json"), ensure_ascii=False)
        clean = type(value).model_validate_json(_SURROGATE.sub("\ufffd", text))
        return clean.model_dump_json(ensure_ascii=True).encode("ascii")


def _verify(raw: bytes) -> None:
    if is_sealed(raw):
        if not raw.startswith((_OUTCOME, _INTENT, _SPENT)):
            raise OtherSchema(f"its schema is not {SCHEMA}")
    elif has_seal(raw):
        raise ValueError(WRONG_CHECKSUM)
    else:
        try:
            found = _AnySchema.model_validate_json(raw).schema_version
        except ValidationError:
            found = SCHEMA
        if found != SCHEMA:
            raise OtherSchema(f"its schema is {found}, not {SCHEMA}")
        raise ValueError("it has no checksum")


class BadLine(NamedTuple):
    """A damaged line: its number from 1 and what is wrong with it."""

    number: int
    reason: str


class CheckpointLine(NamedTuple):
    """One line of the file: its parsed `head`, or in `fault` why it cannot be used."""

    number: int
    offset: int
    raw: bytes
    head: IntentHead | OutcomeHead | Spent | None
    fault: str = ""


def scan(path: Path) -> Iterator[CheckpointLine]:
    """Every line in order, damaged ones and a torn last one too; nothing if there is no file.
    Raises CheckpointUnusable at a line of another schema and if the file cannot be read."""
    try:
        for line in read_lines(path):
            yield _parsed_head(path, line)
    except OSError as error:
        raise CheckpointUnusable(f"{path} cannot be read: {error.strerror}") from error


def tail(file: BinaryIO, path: Path, start: int) -> Iterator[tuple[int, int, Outcome | None]]:
    """Every whole line from the offset `start` on: where it begins and ends, and the outcome if it is one.
    Intents are not parsed; a damaged line is skipped with a warning. Raises CheckpointUnusable at a line of
    another schema."""
    offset = file.seek(start)
    for raw in file:
        if not raw.endswith(b"\n"):
            return
        end = offset + len(raw)
        yield offset, end, _outcome(path, offset, raw)
        offset = end


def _outcome(path: Path, offset: int, raw: bytes) -> Outcome | None:
    if raw.startswith((_INTENT, _SPENT)):
        return None
    try:
        found = parse_line(raw)
    except OtherSchema as error:
        raise _unusable(path, f"the line at byte {offset}", error) from error
    except ValueError as error:
        _log.warning("%s: the line at byte %d is skipped: %s", path, offset, error)
        return None
    return found if isinstance(found, Outcome) else None


def _parsed_head(path: Path, line: RawLine) -> CheckpointLine:
    number, offset, raw = line
    if not raw.endswith(b"\n"):
        return CheckpointLine(number, offset, raw, None, TORN)
    try:
        _verify(raw)
        if raw.startswith(_SPENT):
            return CheckpointLine(number, offset, raw, _body(raw, _SPENT, Spent))
        head = OutcomeHead if raw.startswith(_OUTCOME) else IntentHead
        return CheckpointLine(number, offset, raw, head.model_validate_json(raw))
    except (OtherSchema, ValidationError) as error:
        raise _unusable(path, f"line {number}", error) from error
    except ValueError as error:
        return CheckpointLine(number, offset, raw, None, str(error))


def _unusable(path: Path, place: str, error: ValueError) -> CheckpointUnusable:
    reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
    return CheckpointUnusable(
        f"{path}: {place} cannot be read: {reason}; use the redzone version named in run.json"
    )


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """Every outcome in the order of writing, replaced ones too; a damaged line is skipped with a warning.
    Raises CheckpointUnusable at a line of another schema."""
    for line in scan(path):
        if isinstance(line.head, OutcomeHead):
            yield _whole(path, line)
        elif line.fault:
            _log.warning("%s: line %d is skipped: %s", path, line.number, line.fault)


def _whole(path: Path, line: CheckpointLine) -> Outcome:
    try:
        return whole_outcome(line.raw)
    except OtherSchema as error:
        raise _unusable(path, f"line {line.number}", error) from error


def whole_outcome(raw: bytes) -> Outcome:
    """The whole outcome of a line that `scan` accepted. Raises OtherSchema for an unexpected field."""
    return _body(raw, _OUTCOME, Outcome)


def line_schema() -> dict[str, JsonValue]:
    """The JSON Schema of an outcome line: the outcome's fields, and the three of every line."""
    schema = Outcome.model_json_schema(mode="serialization")
    checksum: dict[str, JsonValue] = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
    schema["properties"] = {
        "kind": {"const": "outcome"},
        "schema": {"const": SCHEMA},
        **schema["properties"],
        "sum": checksum,
    }
    schema["required"] = ["kind", "schema", *schema["required"], "sum"]
    schema["title"] = "redzone checkpoint outcome line"
    return schema
