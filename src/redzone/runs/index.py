"""A checkpoint's content by row and in total, without its outcomes in memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from redzone.errors import CheckpointUnusable
from redzone.models import Outcome, Status, Tokens
from redzone.runs.checkpoint import (
    BadLine,
    CheckpointLine,
    OtherSchema,
    OutcomeHead,
    Spent,
    parse_line,
    scan,
    whole_outcome,
)
from redzone.runs.files import open_regular
from redzone.runs.jsonl import TORN

_STATUSES = tuple(Status)
_PAGE_ROWS = 1024


class CheckpointIndex:
    """The latest outcome of each row, and what the run has cost.

    8 bytes a row: 1,000,000 rows take about 9 MB. Later lines of a row replace earlier ones; `cost_usd` and
    `tokens` include replaced ones, which were paid for as well.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.intents = 0
        self.outcomes = 0
        self.spent_lines = 0
        self.cost_usd = 0.0
        self.torn_bytes = 0
        self.bad_lines: tuple[BadLine, ...] = ()
        self._input_tokens = 0
        self._output_tokens = 0
        self._lost_usd = 0.0
        # per row: requests since its last outcome, and what they cost at most
        self._in_doubt: dict[int, tuple[int, float]] = {}
        self._counts = dict.fromkeys(Status, 0)
        # per row: offset * 8 + number of the status, 0 for no outcome; in pages, because the rows of a sample
        # are far apart
        self._pages: dict[int, array[int]] = {}

    @classmethod
    def read(cls, path: Path) -> CheckpointIndex:
        """Index the file in one pass, about 1.1 s per 100,000 rows. Raises CheckpointUnusable."""
        index = cls(path)
        for line in scan(path):
            index.add(line)
        return index

    def add(self, line: CheckpointLine) -> None:
        """Count one more line, later in the file than those before."""
        if line.head is None:
            self._add_fault(line)
        elif isinstance(line.head, OutcomeHead):
            self._add_outcome(line.offset, line.head)
        elif isinstance(line.head, Spent):
            self._add_spent(line.head)
        else:
            self.intents += 1
            requests, most_usd = self._in_doubt.get(line.head.row, (0, 0.0))
            self._in_doubt[line.head.row] = requests + 1, most_usd + line.head.most_usd

    def _add_fault(self, line: CheckpointLine) -> None:
        if line.fault is TORN:
            self.torn_bytes = len(line.raw)
        else:
            self.bad_lines += (BadLine(line.number, line.fault),)

    def _add_outcome(self, offset: int, head: OutcomeHead) -> None:
        number, slot = divmod(head.row, _PAGE_ROWS)
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = array("q", bytes(8 * _PAGE_ROWS))
        if page[slot]:
            self._counts[_status(page[slot])] -= 1
        page[slot] = offset * 8 + _STATUSES.index(head.status) + 1
        self._counts[head.status] += 1
        self.outcomes += 1
        self._settle(head.row, head.attempts)
        self._add_cost(head.cost_usd, head.tokens)

    def _add_spent(self, head: Spent) -> None:
        self.spent_lines += 1
        if head.row is not None:
            self._settle(head.row, head.attempts)
        self._lost_usd += head.lost_usd
        self._add_cost(head.cost_usd, head.tokens)

    def _settle(self, row: int, attempts: int) -> None:
        """The row's requests are known, except those of a process that was killed before it recorded them."""
        requests, most_usd = self._in_doubt.pop(row, (0, 0.0))
        if requests > attempts:
            self._lost_usd += most_usd * (requests - attempts) / requests

    def _add_cost(self, cost_usd: float, tokens: Tokens) -> None:
        self.cost_usd += cost_usd
        self._input_tokens += tokens.input
        self._output_tokens += tokens.output

    @property
    def tokens(self) -> Tokens:
        """All tokens, those of replaced outcomes too."""
        return Tokens(input=self._input_tokens, output=self._output_tokens)

    @property
    def counts(self) -> Mapping[Status, int]:
        """Rows by the status of their latest outcome."""
        return self._counts

    @property
    def answered(self) -> int:
        """Rows that have an outcome."""
        return sum(self._counts.values())

    @property
    def most_spent_usd(self) -> float:
        """The recorded cost, and the upper bound of requests whose answers were not recorded."""
        return self.cost_usd + self._lost_usd + sum(most_usd for _, most_usd in self._in_doubt.values())

    @property
    def in_doubt(self) -> tuple[int, ...]:
        """Rows whose last request may have been paid for without an outcome, ascending."""
        return tuple(sorted(self._in_doubt))

    def status(self, row: int) -> Status | None:
        """The row's latest status; None if it has no outcome."""
        entry = self._entry(row)
        return _status(entry) if entry else None

    def load(self, row: int) -> Outcome | None:
        """The row's latest outcome, from the file; None if it has none. Raises CheckpointUnusable."""
        entry = self._entry(row)
        if not entry:
            return None
        with open_regular(self.path) as file:
            return self._at(file, row, entry)

    def latest(self) -> Iterator[Outcome]:
        """The latest outcome of every row that has one, by ascending row. Raises CheckpointUnusable."""
        if not self._pages:
            return
        with open_regular(self.path) as file:
            for number in sorted(self._pages):
                for slot, entry in enumerate(self._pages[number]):
                    if entry:
                        yield self._at(file, number * _PAGE_ROWS + slot, entry)

    def _entry(self, row: int) -> int:
        number, slot = divmod(row, _PAGE_ROWS)
        page = self._pages.get(number)
        return page[slot] if page is not None else 0

    def _at(self, file: BinaryIO, row: int, entry: int) -> Outcome:
        file.seek(entry // 8)
        try:
            return whole_outcome(file.readline())
        except OtherSchema as error:
            raise CheckpointUnusable(
                f"{self.path}: the outcome of row {row} cannot be read: {error}"
            ) from error


def _status(entry: int) -> Status:
    return _STATUSES[entry % 8 - 1]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The result of `check_checkpoint`. `unexpected` counts rows with an outcome that the input lacks."""

    rows: int
    intents: int
    outcomes: int
    counts: Mapping[Status, int]
    pending: int
    unexpected: int
    in_doubt: tuple[int, ...]
    bad_lines: tuple[BadLine, ...]
    torn_bytes: int
    cost_usd: float
    tokens: Tokens
    spent_lines: int = 0

    @property
    def lines(self) -> int:
        """Whole lines in the file, damaged ones too."""
        return self.intents + self.outcomes + self.spent_lines + len(self.bad_lines)

    @property
    def balanced(self) -> bool:
        """Rows of the input = pass + fail + unsure + error + pending."""
        return self.rows == sum(self.counts.values()) + self.pending

    @property
    def ok(self) -> bool:
        """Balanced and no line damaged. A torn last line is not an error: a run may be writing it now."""
        return self.balanced and not self.bad_lines


def check_checkpoint(path: Path, rows: Iterable[int] | int) -> CheckReport:
    """Read every field of every line and compare with the input; changes nothing.

    `rows` are the distinct rows of the input, or their number if they count from 1. Raises
    CheckpointUnusable at a line of another schema.
    """
    index = CheckpointIndex(path)
    for line in scan(path):
        index.add(_fully_parsed(line))
    expected = pending = 0
    for row in range(1, rows + 1) if isinstance(rows, int) else rows:
        expected += 1
        pending += index.status(row) is None
    return CheckReport(
        rows=expected,
        intents=index.intents,
        outcomes=index.outcomes,
        counts=index.counts,
        pending=pending,
        unexpected=index.answered - (expected - pending),
        in_doubt=index.in_doubt,
        bad_lines=index.bad_lines,
        torn_bytes=index.torn_bytes,
        cost_usd=index.cost_usd,
        tokens=index.tokens,
        spent_lines=index.spent_lines,
    )


def _fully_parsed(line: CheckpointLine) -> CheckpointLine:
    if line.head is not None:
        try:
            parse_line(line.raw)
        except ValueError as error:
            return line._replace(head=None, fault=str(error))
    return line
