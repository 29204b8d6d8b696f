"""Three ways to enforce a limit per minute, behind one interface.

Pure: every call gets the time, in seconds of one clock. Amounts are integers: requests or tokens.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

MINUTE_S = 60.0


@dataclass(slots=True)
class Charge:
    """An amount charged at an instant. Mutable, because the amount is corrected later."""

    at_s: float
    amount: int
    penalty: bool = False


class RateCounter(Protocol):
    """A limit and its current use."""

    limit: int

    def room(self, now_s: float) -> int:
        """Return the amount that would be admitted now."""

    def wait_s(self, amount: int, now_s: float) -> float:
        """Return seconds until the amount, or the limit if that is less, would be admitted."""

    def full_in_s(self, now_s: float) -> float:
        """Return seconds until the whole limit is available."""

    def charge(self, amount: int, now_s: float) -> Charge:
        """Charge an admitted amount."""

    def correct(self, charge: Charge, amount: int, now_s: float) -> None:
        """Replace the charged amount with the real one."""

    def punish(self, now_s: float) -> None:
        """Count a rejected request."""


class QuantisedCounter:
    """Fixed windows; amounts are 1 and final.

    A window grants at most its share of the minute, rounded up. The excess of rounding is taken from later
    windows, so that 60 windows grant at most one more than the limit, and a client at exactly the limit's
    rate is never rejected, whatever its phase.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._window_s = max(1.0, MINUTE_S / limit)
        # credit is an integer number of sixtieths of a request: sums of floats would drift
        self._refill = max(limit, 60)
        self._most = -(-self._refill // 60)
        self._capacity = self._refill + 60
        self._credit = self._capacity
        self._index = -1
        self._used = 0
        self._owed = 0

    def room(self, now_s: float) -> int:
        """Return what is left of the current window."""
        self._enter(now_s)
        return min(self._most - self._used, self._credit // 60)

    def wait_s(self, amount: int, now_s: float) -> float:
        """Return seconds until the next window with credit left."""
        if self.room(now_s) >= amount:
            return 0.0
        ahead = 1 if self._owed < self._next_room() else 2
        return self._start_s(ahead) - now_s

    def full_in_s(self, now_s: float) -> float:
        """Return seconds until the next window with its full share."""
        self._enter(now_s)
        missing = 60 * (self._most + self._owed) - self._credit
        ahead = max(-(-missing // self._refill), 2 if self._owed else 1 if self._used else 0)
        return self._start_s(ahead) - now_s if ahead else 0.0

    def charge(self, amount: int, now_s: float) -> Charge:
        """Charge the current window."""
        self._enter(now_s)
        self._used += amount
        self._credit -= 60 * amount
        return Charge(now_s, amount)

    def correct(self, charge: Charge, amount: int, now_s: float) -> None:
        """Do nothing: requests are counted exactly."""

    def punish(self, now_s: float) -> None:
        """Charge one to the next window, if it has any left."""
        self._enter(now_s)
        self._owed = min(self._owed + 1, self._next_room())

    def _next_room(self) -> int:
        return min(self._most, (self._credit + self._refill) // 60)

    def _start_s(self, ahead: int) -> float:
        return (self._index + ahead) * self._window_s

    def _enter(self, now_s: float) -> None:
        index = int(now_s // self._window_s)
        if index <= self._index:
            return
        passed = index - self._index
        # the next window pays for rejections, even without requests in it
        paid = min(self._credit + self._refill, self._capacity) - 60 * self._owed
        self._credit = min(paid + (passed - 1) * self._refill, self._capacity)
        self._used = self._owed if passed == 1 else 0
        self._owed = 0
        self._index = index


class RollingCounter:
    """A log of the charges of the last 60 seconds."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._log: deque[Charge] = deque()
        self._used = 0
        self._penalties = 0

    def room(self, now_s: float) -> int:
        """Return the limit less the charges of the last 60 seconds."""
        self._forget(now_s)
        return max(0, self.limit - self._used)

    def wait_s(self, amount: int, now_s: float) -> float:
        """Return seconds until enough charges are older than 60 s."""
        self._forget(now_s)
        missing = self._used + min(amount, self.limit) - self.limit
        for charge in self._log:
            if missing <= 0:
                break
            missing -= charge.amount
            if missing <= 0:
                return charge.at_s + MINUTE_S - now_s
        return 0.0

    def full_in_s(self, now_s: float) -> float:
        """Return seconds until the newest charge is older than 60 s."""
        self._forget(now_s)
        return self._log[-1].at_s + MINUTE_S - now_s if self._log else 0.0

    def charge(self, amount: int, now_s: float) -> Charge:
        """Add the amount to the log."""
        self._forget(now_s)
        return self._write(Charge(now_s, amount))

    def correct(self, charge: Charge, amount: int, now_s: float) -> None:
        """Change the charge if it is still in the log."""
        self._forget(now_s)
        if charge.at_s > now_s - MINUTE_S:
            self._used += amount - charge.amount
            charge.amount = amount

    def punish(self, now_s: float) -> None:
        """Charge one, as long as penalties are fewer than the limit."""
        self._forget(now_s)
        if self._penalties < self.limit:
            self._penalties += 1
            self._write(Charge(now_s, 1, penalty=True))

    def _write(self, charge: Charge) -> Charge:
        self._log.append(charge)
        self._used += charge.amount
        return charge

    def _forget(self, now_s: float) -> None:
        while self._log and self._log[0].at_s <= now_s - MINUTE_S:
            gone = self._log.popleft()
            self._used -= gone.amount
            self._penalties -= gone.penalty


class BucketCounter:
    """A bucket of one minute's limit that refills evenly."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._per_s = limit / MINUTE_S
        self._spent = 0.0
        self._at_s = 0.0

    def room(self, now_s: float) -> int:
        """Return the whole units in the bucket."""
        self._refill(now_s)
        # 1e-6: twenty refills of a twentieth are one unit, despite float errors
        return max(0, math.floor(self.limit - self._spent + 1e-6))

    def wait_s(self, amount: int, now_s: float) -> float:
        """Return seconds until the missing part is refilled."""
        self._refill(now_s)
        return max(0.0, self._spent + min(amount, self.limit) - self.limit) / self._per_s

    def full_in_s(self, now_s: float) -> float:
        """Return seconds until the bucket is full."""
        self._refill(now_s)
        return self._spent / self._per_s

    def charge(self, amount: int, now_s: float) -> Charge:
        """Charge the bucket."""
        self._refill(now_s)
        self._spent += amount
        return Charge(now_s, amount)

    def correct(self, charge: Charge, amount: int, now_s: float) -> None:
        """Refund or charge the difference."""
        self._refill(now_s)
        self._spent = max(0.0, self._spent + amount - charge.amount)
        charge.amount = amount

    def punish(self, now_s: float) -> None:
        """Add to a debt of at most one minute's limit."""
        self._refill(now_s)
        self._spent = min(self._spent + 1, max(self._spent, 2.0 * self.limit))

    def _refill(self, now_s: float) -> None:
        self._spent = max(0.0, self._spent - max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = max(self._at_s, now_s)
