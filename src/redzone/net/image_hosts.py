"""What downloads have shown about image servers: which asked us to wait, and whether all of them fail."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from redzone.clock import Clock
from redzone.errors import DownloadsFailing, FetchFault, Retry

FEWEST_HOSTS = 3  # fewer failing hosts among more that were used are the hosts' trouble, not the network's
MOST_HOSTS = 10_000

Paused = Callable[[], AbstractContextManager[None]]


def not_paused() -> AbstractContextManager[None]:
    """For callers without a deadline."""
    return nullcontext()


@dataclass(slots=True)
class _Host:
    held_until_s: float = 0.0
    most: float | None = None  # downloads at once; None: no bound
    active: int = 0


@dataclass(slots=True)
class HostHolds:
    """Makes all downloads from a host wait where it said so with `Retry-After`, and start again gently.

    After each such response half as many downloads as before run at once; each success allows more.
    """

    clock: Clock
    poll_s: float = 0.05
    _hosts: OrderedDict[str, _Host] = field(default_factory=OrderedDict)

    def hold(self, host: str, seconds: float) -> None:
        """Nobody asks this host for so long."""
        found, now_s = self._get(host), self.clock.monotonic()
        if now_s >= found.held_until_s:  # the first of those that were refused together
            found.most = max(1.0, (found.active + 1) / 2)
        found.held_until_s = max(found.held_until_s, now_s + seconds)

    def may_start(self, host: str) -> bool:
        """Whether a download may start now."""
        found = self._hosts.get(host)
        if found is None:
            return True
        free = found.most is None or found.active < max(1, int(found.most))
        return free and self.clock.monotonic() >= found.held_until_s

    async def wait(self, host: str) -> None:
        """Wait until a download may start. `began` must follow without an await between."""
        while not self.may_start(host):
            left_s = self._get(host).held_until_s - self.clock.monotonic()
            await self.clock.sleep(max(self.poll_s, left_s))

    def began(self, host: str) -> None:
        """A download has started."""
        self._get(host).active += 1

    def ended(self, host: str, *, succeeded: bool) -> None:
        """A download has ended, in whatever way."""
        found = self._get(host)
        found.active -= 1
        if succeeded and found.most is not None:
            found.most += 1 / max(1.0, found.most)

    def _get(self, host: str) -> _Host:
        found = self._hosts.setdefault(host, _Host())
        self._hosts.move_to_end(host)
        while len(self._hosts) > MOST_HOSTS:
            oldest = next(iter(self._hosts))
            if self._hosts[oldest].active:
                break
            del self._hosts[oldest]
        return found


@dataclass(slots=True)
class DownloadBreaker:
    """Ends the run where every download fails: at least `failures` in a row over at least `seconds`, from
    several hosts or from the only one that was ever used."""

    failures: int
    seconds: float
    clock: Clock
    _in_a_row: deque[tuple[float, str]] = field(default_factory=deque)
    _failing: set[str] = field(default_factory=set)
    _used: set[str] = field(default_factory=set)

    def succeeded(self, host: str) -> None:
        """A server answered: an image, or that it has none."""
        self._in_a_row.clear()
        self._failing.clear()
        self._note(host)

    def failed(self, host: str, fault: FetchFault) -> None:
        """A download failed for good. Raises DownloadsFailing with the host and the reason."""
        if fault.retry is Retry.NO:
            return
        now_s = self.clock.monotonic()
        self._note(host)
        self._failing.add(host)
        self._in_a_row.append((now_s, host))
        lasted_s = now_s - self._in_a_row[0][0]
        only_or_several = len(self._used) == 1 or len(self._failing) >= FEWEST_HOSTS
        if len(self._in_a_row) >= self.failures and lasted_s >= self.seconds and only_or_several:
            which = f"from {host}" if len(self._failing) == 1 else f"from {len(self._failing)} hosts"
            raise DownloadsFailing(
                f"{len(self._in_a_row)} downloads in a row {which} have failed over {lasted_s:.0f} s; "
                f"the last one, from {host}: {fault.message}; "
                "check the network, then continue with `redzone resume`"
            )

    def _note(self, host: str) -> None:
        if len(self._used) < MOST_HOSTS:
            self._used.add(host)
