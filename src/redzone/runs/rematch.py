"""An input that changed: the outcomes and reviews of a poster go to the row where the poster is now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from redzone.models import Outcome, Poster, Row, Tokens
from redzone.review import Review
from redzone.runs.checkpoint import Spent, render_outcome, render_spent
from redzone.runs.folder import RunFolder
from redzone.runs.index import CheckpointIndex
from redzone.runs.journal import Journal
from redzone.runs.reviews import read_reviews, renumber_reviews

_BATCH = 500


@dataclass(frozen=True, slots=True)
class _Poster:
    """What identifies a poster: its id and image, or the image alone where its id is only its row number."""

    id: str
    image: str


@dataclass(slots=True)
class _Identities:
    """How rows are compared. In a list without an id column every id is the row's number, which changes with
    each inserted line, so only the image identifies a poster."""

    has_ids: bool

    def poster(self, item: Row | Outcome | Review) -> _Poster:
        image = getattr(item, "image", "")
        return _Poster(item.id, image) if self.has_ids else _Poster("", image)


@dataclass(slots=True)
class _Remainder:
    """What outcomes have cost that has not been written to the new file yet."""

    cost_usd: float
    lost_usd: float
    tokens: Tokens
    taken: set[int] = field(default_factory=set)

    def take(self, outcome: Outcome) -> Outcome:
        """The outcome with its cost the first time, and as one that cost nothing from then on."""
        if outcome.row in self.taken:
            return outcome.model_copy(update={"cost_usd": 0.0, "tokens": Tokens(), "attempts": 0})
        self.taken.add(outcome.row)
        self.cost_usd -= outcome.cost_usd
        self.tokens = Tokens(
            input=self.tokens.input - outcome.tokens.input, output=self.tokens.output - outcome.tokens.output
        )
        return outcome

    def line(self) -> bytes:
        """The line for what is left."""
        cost_usd, lost_usd = max(0.0, round(self.cost_usd, 12)), max(0.0, round(self.lost_usd, 12))
        return render_spent(Spent(cost_usd=cost_usd, lost_usd=lost_usd, tokens=self.tokens))


def rematch(folder: RunFolder, rows: Callable[[], Iterable[Row]]) -> None:
    """Rewrite checkpoint and reviews with the row numbers of the changed input; the old files are kept beside
    them. What the run has spent stays the same, whatever is gone or appears several times.

    Posters are the same by id and image; in a list without an id column by the image, the n-th appearance
    then being the n-th now. The caller holds the run's lock. Repeated after a crash, the result is the same.
    """
    old = CheckpointIndex.read(folder.checkpoint_path)
    identities = _Identities(_has_ids(old, rows()))
    by_poster: dict[_Poster, list[int]] = defaultdict(list)
    for outcome in old.latest():
        by_poster[identities.poster(outcome)].append(outcome.row)
    for row, reviews in read_reviews(folder.reviews_path).items():
        for review in reviews:  # of outcomes that a crash has moved already
            by_poster.setdefault(identities.poster(review), [row])
    _match_outcomes(folder.checkpoint_path, old, _Matching(rows(), by_poster, identities))
    if folder.reviews_path.exists():
        renumber_reviews(folder.reviews_path, _review_places(by_poster, rows(), identities))


def _has_ids(old: CheckpointIndex, rows: Iterable[Row]) -> bool:
    """Whether any id is more than the number of its row."""
    return any(row.id != str(row.row) for row in rows) or any(
        outcome.id != str(outcome.row) for outcome in old.latest()
    )


@dataclass(frozen=True, slots=True)
class _Matching:
    """The rows of the new input, and the old rows of each poster in order."""

    rows: Iterable[Row]
    by_poster: Mapping[_Poster, Sequence[int]]
    identities: _Identities

    def pairs(self) -> Iterator[tuple[Row, int]]:
        """Each new row that has an outcome, with its old number."""
        seen: dict[_Poster, int] = defaultdict(int)
        for row in self.rows:
            poster = self.identities.poster(row)
            numbers = self.by_poster.get(poster)
            if numbers and isinstance(row, Poster):
                # a further appearance has the outcome of the last one: it is the same picture
                yield row, numbers[min(seen[poster], len(numbers) - 1)]
                seen[poster] += 1


def _match_outcomes(path: Path, old: CheckpointIndex, matching: _Matching) -> None:
    matched = path.with_name("checkpoint.matched.jsonl")
    matched.unlink(missing_ok=True)
    remainder = _Remainder(old.cost_usd, old.most_spent_usd - old.cost_usd, old.tokens)
    with Journal(matched, reserve_bytes=0) as journal:
        lines = _renumbered(old, matching, remainder)
        while batch := list(islice(lines, _BATCH)):
            journal.append(batch)
        journal.append([remainder.line()])
    # a second name first: the run is never without a checkpoint
    path.with_name(f"checkpoint.{path.stat().st_mtime_ns}.jsonl").hardlink_to(path)
    matched.replace(path)


def _renumbered(old: CheckpointIndex, matching: _Matching, remainder: _Remainder) -> Iterator[bytes]:
    for row, number in matching.pairs():
        outcome = old.load(number)
        if outcome is not None:
            moved = {"row": row.row, "id": row.id, "title": row.title, "group": row.group}
            yield render_outcome(remainder.take(outcome).model_copy(update=moved))


def _review_places(
    by_poster: Mapping[_Poster, Sequence[int]], rows: Iterable[Row], identities: _Identities
) -> Callable[[Review], Review | None]:
    """A function that returns a review with the row and the id of its poster now; None if it is gone."""
    places: dict[_Poster, list[Row]] = defaultdict(list)
    for row in rows:
        poster = identities.poster(row)
        if poster in by_poster:
            places[poster].append(row)

    def find(review: Review) -> Review | None:
        poster = identities.poster(review)
        found, before = places.get(poster, []), by_poster.get(poster, ())
        if not found:
            return None
        if review.row in before:
            place = found[min(before.index(review.row), len(found) - 1)]
        else:  # moved already, before a crash
            place = next((row for row in found if row.row == review.row), found[0])
        return review.model_copy(update={"row": place.row, "id": place.id})

    return find
