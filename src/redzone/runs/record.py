"""`run.json`: the request and the state of a run, and its id."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from redzone.models import ViewKind, Zone

SCHEMA = 1

# Crockford's base32: no i, l, o, u
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
RUN_ID = re.compile(rf"\d{{8}}-\d{{6}}-[{_LETTERS}]{{4}}")


def new_run_id(now: datetime, chance: random.Random) -> str:
    """`YYYYMMDD-HHMMSS-xxxx`, UTC: sorts by time; four random letters distinguish runs of one second."""
    letters = "".join(chance.choices(_LETTERS, k=4))
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{letters}"


class RecordedState(StrEnum):
    """The state in run.json. A killed process leaves `running`: only the lock shows whether one works."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


class _StoredModel(BaseModel):
    # keys of a newer version are kept when this version rewrites the file
    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class RunInputs(_StoredModel):
    """The sources of the rows and which rows were selected. Relative paths are relative to `base_dir`."""

    paths: tuple[str, ...]
    mapping: Mapping[str, str] = {}
    limit: int | None = None
    sample: int | None = None
    seed: int | None = None
    base_dir: str = ""


class RunRecord(_StoredModel):
    """`run.json`: the request, complete enough to resume without any option, and how the run ended.

    `rows` is the number of selected rows, `settings` has no secrets, `seconds` covers all resumes.
    """

    schema_version: int = Field(default=SCHEMA, alias="schema")
    id: str = Field(pattern=rf"^{RUN_ID.pattern}$")
    label: str = ""
    created_at: AwareDatetime
    version: str
    inputs: RunInputs
    input_sha256: str
    rows: int = Field(ge=0)
    columns: tuple[str, ...] = ()
    zones: tuple[Zone, ...]
    provider: str
    model: str
    view: ViewKind
    settings: Mapping[str, JsonValue] = {}
    state: RecordedState = RecordedState.RUNNING
    reason: str = ""
    finished_at: AwareDatetime | None = None
    counts: Mapping[str, int] = {}
    seconds: float = 0.0

    @property
    def zero_cost_is_known(self) -> bool:
        """Whether a cost of 0 means that nothing was paid, not that the price is unknown."""
        return self.provider == "local" or self.settings.get("input_usd_per_mtok") is not None

    def known_cost_usd(self, cost_usd: float, tokens: int) -> float | None:
        """A cost of this run; None if tokens were used at an unknown price."""
        return None if tokens and not cost_usd and not self.zero_cost_is_known else cost_usd


def render_record(record: RunRecord) -> bytes:
    """Indented JSON that `parse_record` reads back as an equal record."""
    # not pydantic's own JSON: it rejects the lone surrogates of a file name that is not UTF-8
    return json.dumps(record.model_dump(mode="json", by_alias=True), indent=2).encode("ascii") + b"\n"


def parse_record(data: bytes) -> RunRecord:
    """Raises ValueError with the reason for another schema or an invalid field."""
    found = json.loads(data)
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise ValueError(f"its schema is {schema}, not {SCHEMA}; use the version of redzone that wrote it")
    try:
        return RunRecord.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}") from error
