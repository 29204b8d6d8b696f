"""How much of one quantity (requests or tokens) may start now: arithmetic only, time is handed in.

A `WindowCounter` keeps two accounts. The window is exact: every start of the last minute, never more than the
limit. The level is an estimate of what the server would accept right now; it grows at 98 % of the limit
and follows what the server says is left. An attempt starts when both have room for it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from math import inf

# 0.25 s more than the minute of the law: two requests may reach the server that much closer together
# than they were started. It costs nothing at 98 % of the limit.
WINDOW_S = 60.25
# The part of a limit that is paced; the rest is for clocks and networks that do not keep step.
SHARE = 0.98
# A timer that fires this late is made up for. Not more: 1 + 1/60 s + 98 % of any second still fits into a
# second's worth of the limit, which is what some servers count by.
LATENESS_S = 1 / 60
# Requests started within this time of each other may arrive in any order.
DISORDER_S = 0.25
# Younger starts than this are in the server's window of a minute, too.
SURE_S = 60.0 - DISORDER_S
# A burst starts with 50 a second more than twice the pace and grows by a quarter of what was accepted: a
# server whose headers are wrong then refuses a handful before the first refusal arrives, not one per worker.
BURST_PER_S = 50.0
# After a refusal the pace is near the refused one again in 40 s. The cut is deep if refusals are frequent,
# and slight if they come once in a hundred starts: that was a matter of milliseconds.
RECOVERY_S = 40.0
DEEP_CUT = 0.7
SLIGHT_CUT = 0.95
RARE = 100
# The lowest share of the pace after refusals in a row with nothing accepted between them.
LEAST_CUT = 0.05


class Style(Enum):
    """How the server counts, as far as its `remaining` header has shown it."""

    SMOOTH = auto()
    """It never offered more than a second's worth, or its header proved wrong: no bursts."""
    WINDOW = auto()
    """It offers a burst, and what is used comes back a minute later."""
    BUCKET = auto()
    """It offers a burst, and the bucket refills while it is used."""


@dataclass(slots=True, eq=False)
class Grant:
    """One start in the log of a counter. Mutable, because its real use and its successors are known later."""

    started_s: float
    amount: int
    charged: int
    in_window: int
    """Everything started in the window up to and including this one."""
    leaving: int
    """The part of it that may have left the server's window."""
    total: int
    """Everything started up to and including this one."""
    total_before: int
    """What certainly arrived before this one: started DISORDER_S earlier."""
    total_after: int | None = None
    """What may have arrived before this one: started up to DISORDER_S later. None: not known yet."""
    refused: bool = False


class Backoff:
    """A ceiling after a refusal: a part of the refused pace, then a cubic curve, as TCP CUBIC has it: fast
    back to near that pace, flat around it, then ever faster beyond it. A straight line (AIMD) spends most
    of its time well below a limit that has not moved, or takes an hour to leave one that has."""

    __slots__ = ("_cut_to", "_from_s", "_refused_per_min")

    def __init__(self) -> None:
        self._refused_per_min = inf
        self._from_s = 0.0
        self._cut_to = 1.0

    def per_min(self, now_s: float) -> float:
        """The ceiling; infinite before the first cut."""
        if self._refused_per_min == inf:
            return inf
        phase = max(0.0, now_s - self._from_s) / RECOVERY_S - 1.0
        return self._refused_per_min * (1.0 + (1.0 - self._cut_to) * phase**3)

    def cut(self, refused_per_min: float, cut_to: float, from_s: float) -> None:
        """Continue at `cut_to` of the refused pace; the climb begins at `from_s`."""
        self._refused_per_min = refused_per_min
        self._cut_to = cut_to
        self._from_s = from_s

    def cut_again(self, accepted_per_min: float, from_s: float) -> None:
        """Nothing was accepted since the last cut: deeper, then back to the same pace or to half of it."""
        refused_per_min = min(self._refused_per_min, max(accepted_per_min, self._refused_per_min / 2))
        self.cut(refused_per_min, max(LEAST_CUT, self._cut_to * DEEP_CUT), from_s)


class WindowCounter:
    """Counts one quantity. Amounts are whole units, instants seconds of one monotonic clock."""

    def __init__(self, configured: int | None) -> None:
        self.configured = configured
        self.announced: int | None = None
        self._bound_per_min = inf if configured is None else configured * SHARE
        self.in_window = 0
        self.charged = 0
        self.backoff = Backoff()
        self._refused = 0
        # the log: first what surely counts at the server too, then what is about to leave, both by age
        self._log: deque[Grant] = deque()
        self._leaving: deque[Grant] = deque()
        self._leaving_amount = 0
        self._recent: deque[Grant] = deque()
        self._total = 0
        self._level = 0.0
        self._level_at_s = -inf
        self._heard_total = -1
        self._style = Style.SMOOTH
        self._distrusted = False
        self._ceiling = 0

    def pace_per_min(self, now_s: float) -> float:
        """The steady pace; infinite while no limit is known."""
        ceiling = self.backoff.per_min(now_s)
        return min(ceiling, self._bound_per_min)

    def burst_distance_s(self, now_s: float) -> float:
        """The least distance of two starts in a burst; 0 where it is less than a timer's grain."""
        pace_per_min = self.pace_per_min(now_s)
        steady_per_s = 0.0 if pace_per_min == inf else 2.0 * pace_per_min / 60.0
        burst_per_s = BURST_PER_S + steady_per_s + (self.in_window - self._refused) / 4.0
        return 1.0 / burst_per_s if burst_per_s < 1000.0 else 0.0

    def wait_s(self, now_s: float, amount: int) -> float:
        """0 if `amount` may start now, else the seconds after which to ask again."""
        self.forget(now_s)
        oldest = self._oldest()
        next_out_s = inf if oldest is None else oldest.started_s + WINDOW_S - now_s
        if not self._fits(amount):
            return next_out_s
        pace_per_min = self.pace_per_min(now_s)
        if pace_per_min == inf:
            return 0.0
        # an amount beyond a minute's worth counts as a minute's: neither it nor the next waits for ever
        missing = min(amount, pace_per_min) - self._level_now(now_s, amount, pace_per_min)
        if missing <= 1e-9:
            return 0.0
        wait_s = missing * 60.0 / pace_per_min
        return min(wait_s, next_out_s) if self._style is Style.WINDOW else wait_s

    def start(self, now_s: float, amount: int) -> Grant:
        """Record a start. The caller has checked that `wait_s(now_s, amount) == 0`."""
        pace_per_min = self.pace_per_min(now_s)
        if pace_per_min != inf:
            self._level = self._level_now(now_s, amount, pace_per_min) - min(amount, pace_per_min)
            self._level_at_s = now_s
        self._settle(now_s)
        before = self._recent[0].total - self._recent[0].amount if self._recent else self._total
        self._total += amount
        self.in_window += amount
        self.charged += amount
        grant = Grant(now_s, amount, amount, self.in_window, self._leaving_amount, self._total, before)
        self._log.append(grant)
        self._recent.append(grant)
        return grant

    def reconcile(self, now_s: float, grant: Grant, used: int) -> None:
        """Replace the estimate of a start by its real use, as far as it still counts."""
        self.forget(now_s)
        change = used - grant.charged
        if grant.started_s + WINDOW_S > now_s:
            self.charged += change
        if self.announced is None and self.configured is not None:
            # with headers the server's own count decides: many charge the estimate for good
            self._level -= change
        grant.charged = used

    def learn(self, now_s: float, grant: Grant, limit: int | None, remaining: int | None) -> bool:
        """Learn from the response to `grant`. True if the limit is now lower than was believed."""
        if limit is None or limit <= 0:
            return False
        before = self.pace_per_min(now_s)
        if self.announced is None and self.configured is None:
            self._level_at_s = now_s
        self.announced = limit
        self._bound_per_min = min(limit * SHARE, self.configured or inf)
        # an answer to an older start than the newest one heard of knows less
        if remaining is not None and grant.total > self._heard_total:
            self._heard_total = grant.total
            self._follow(now_s, grant, limit, min(max(remaining, 0), limit))
        return self.pace_per_min(now_s) < before

    def refuse(self, now_s: float, grant: Grant) -> None:
        """The server refused `grant`: nothing is left at this moment."""
        self.forget(now_s)
        if grant.started_s + WINDOW_S > now_s:
            self._refused += grant.amount
            grant.refused = True
        self._ceiling = 0
        pace_per_min = self.pace_per_min(now_s)
        if pace_per_min != inf:
            self._level = min(self._level_now(now_s, grant.amount, pace_per_min), 0.0)
            self._level_at_s = now_s

    def distrust(self) -> None:
        """The server refused what it had offered, or others took it: no bursts from now on."""
        self._style = Style.SMOOTH
        self._distrusted = True

    def accepted_per_min(self, now_s: float) -> float:
        """The pace of the starts in the window that were not refused; at least 1."""
        self.forget(now_s)
        oldest = self._oldest()
        if oldest is None:
            return 1.0
        return max(1.0, (self.in_window - self._refused) * 60.0 / max(1.0, now_s - oldest.started_s))

    def forget(self, now_s: float) -> None:
        """Drop what has left the window. O(1) amortised."""
        log, leaving = self._log, self._leaving
        while log and now_s >= log[0].started_s + SURE_S:
            grant = log.popleft()
            leaving.append(grant)
            self._leaving_amount += grant.amount
        while leaving and now_s >= leaving[0].started_s + WINDOW_S:
            grant = leaving.popleft()
            self._leaving_amount -= grant.amount
            self.in_window -= grant.amount
            self.charged -= grant.charged
            if grant.refused:
                self._refused -= grant.amount

    def _oldest(self) -> Grant | None:
        if self._leaving:
            return self._leaving[0]
        return self._log[0] if self._log else None

    def _fits(self, amount: int) -> bool:
        """Whether the window has room. An amount beyond the whole limit goes alone."""
        if self.configured is not None and 0 < self.charged > self.configured - amount:
            return False
        if self.announced is None or self._style is Style.BUCKET or not self.in_window:
            return True
        # a second's worth below the limit: a full window leaves no room for a network's jitter
        return self.in_window + amount <= self.announced - self.announced // 60

    def _level_now(self, now_s: float, amount: int, pace_per_min: float) -> float:
        pace_per_s = pace_per_min / 60.0
        level = max(self._level, -pace_per_min)  # a minute repays any debt, however the server counts
        cap = min(amount, pace_per_min) + pace_per_s * LATENESS_S
        if level < cap:
            level = min(cap, level + pace_per_s * (now_s - self._level_at_s))
        if self._style is Style.WINDOW:
            # never the last second's worth: a server that counts by the second always has that on offer
            level = max(level, self._ceiling - self.in_window - (self.announced or 0) // 60)
        return level

    def _settle(self, now_s: float) -> None:
        """Fix the order of grants that nothing can overtake any more. O(1) amortised."""
        recent = self._recent
        while recent and now_s >= recent[0].started_s + DISORDER_S:
            recent.popleft().total_after = self._total

    def _follow(self, now_s: float, grant: Grant, limit: int, remaining: int) -> None:
        """Bring the level in line with `remaining`, which was true when `grant` arrived."""
        self._settle(now_s)
        second = limit / 60
        after = self._total if grant.total_after is None else grant.total_after
        # the server's limit less what others use, if it counts by a rolling window: between these two
        ceiling_least = remaining + grant.in_window - grant.leaving - (grant.total - grant.total_before)
        ceiling_most = remaining + grant.in_window + (after - grant.total)
        if not self._distrusted:
            if self._style is Style.SMOOTH and remaining > 2 * second + grant.amount:
                self._style = Style.WINDOW
                self._ceiling = ceiling_least
            if self._style is Style.WINDOW and ceiling_least > limit + second + 2 * grant.amount:
                self._style = Style.BUCKET
        self._ceiling = min(max(self._ceiling, ceiling_least), ceiling_most, limit)
        pace_per_min = self.pace_per_min(now_s)
        refilled = pace_per_min / 60.0 * (now_s - grant.started_s)
        level = self._level_now(now_s, grant.amount, pace_per_min)
        level = min(level, remaining - (self._total - after) + refilled + grant.amount)
        if self._style is Style.BUCKET:
            level = max(level, remaining - (self._total - grant.total_before) - second)
        self._level = level
        self._level_at_s = now_s
