from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from redzone.diagnostics import HINTS
from redzone.errors import ErrorCode
from redzone.telemetry.metrics import GroupCounts, RateFigures, RunFacts, Snapshot, Stage
from redzone.terminal.summary import Ending, SummaryFacts, print_summary, summary
from tests.terminal.snapshots import printed, snapshot, snapshots

FOLDER = "/srv/posters/with a rather long name for a folder/.redzone/runs/20261013-142233-k7qm"
FACTS = SummaryFacts(
    run_id="20261013-142233-k7qm",
    folder=FOLDER,
    ending=Ending.INTERRUPTED,
    reason="Ctrl-C",
    outputs=("/srv/posters/results.csv",),
    next_commands=("redzone resume k7qm", "redzone export k7qm -o results.csv"),
    saved_usd=0.0016,
)


def shown(state: Snapshot, facts: SummaryFacts = FACTS, width: int = 80) -> str:
    """The summary on a console without colours."""
    return printed(summary(state, facts), width, soft_wrap=True)


def test_the_summary_tells_what_came_out_what_it_cost_and_what_to_do() -> None:
    """Counts with shares, speed, requests, tokens, cost, savings, errors, groups, paths, commands."""
    text = shown(snapshot(), width=120)
    for fact in (
        "Run 20261013-142233-k7qm interrupted after 3m12s: Ctrl-C",
        "✓ pass       280  28.0 %",
        "✗ fail        41   4.1 %",
        "pending    660  66.0 %",
        "posters  1,000",
        "106 posters/min, 340 in 3m12s",
        "1,012, 2 rejected (429)",
        "61,200 in, 13,600 out",
        "$0.0123",
        "120 from the cache, 12 duplicates of another poster, saving about $0.0016",
        "fetch-http-404  7  the image does not exist",
        "34.2 %  41 of 120  4 unsure",
        f"  {FOLDER}\n",
        "  /srv/posters/results.csv\n",
        "  redzone resume k7qm\n",
    ):
        assert fact in text


@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_only_paths_and_commands_may_be_wider_than_the_console(width: int) -> None:
    """Those stay whole, to be copied; all else is laid out in the width that there is."""
    groups = tuple(
        GroupCounts(name=f"a group with a long name {number}", passed=9, failed=number, unsure=1, errors=1)
        for number in range(30)
    )
    for line in shown(snapshot(groups=groups), width=width).split("\n")[1:]:
        assert cell_len(line) <= width or "redzone" in line


@settings(max_examples=60, deadline=None)
@given(snapshots, st.integers(1, 200))
def test_no_snapshot_breaks_the_summary(state: Snapshot, width: int) -> None:
    """Whatever the numbers and texts."""
    text = shown(state, width=width)
    assert "\x1b" not in text
    assert FOLDER in text


def test_every_error_code_has_a_hint() -> None:
    """One line that says what to do next."""
    assert set(HINTS) == set(ErrorCode)
    assert all(10 < len(hint) < 90 for hint in HINTS.values())


def test_errors_of_an_earlier_process_are_not_lost() -> None:
    """Their kinds are not known here, their number is."""
    assert "earlier         5  before this process started" in shown(snapshot(errors=15))


def test_the_speed_counts_only_what_this_process_did() -> None:
    """Posters that were done before cost this process no time."""
    text = shown(snapshot(earlier=240, elapsed_s=60.0))
    assert "100 posters/min, 100 in 1m00s" in text
    assert "240 done by earlier processes" in text


def test_at_most_ten_groups_are_listed_worst_first() -> None:
    """The rest is counted."""
    groups = tuple(
        GroupCounts(name=f"g{number:02}", passed=100 - number, failed=number, unsure=0, errors=0)
        for number in range(25)
    )
    text = shown(snapshot(groups=groups))
    assert text.index("g24") < text.index("g15")
    assert "g14" not in text
    assert "and 15 more" in text


def test_an_empty_run_has_a_summary_too() -> None:
    """No rows, no errors, no groups, nothing to divide by."""
    state = snapshot(
        rows=0, done=0, passed=0, failed=0, unsure=0, errors=0, errors_by_code={}, elapsed_s=0.0, groups=()
    )
    text = shown(state, SummaryFacts(run_id="r", folder="f"))
    assert "Run r finished after 0.0s" in text
    assert "Errors" not in text
    assert "Next" not in text


def test_names_with_markup_and_escapes_are_text() -> None:
    """A group or a reason cannot control the terminal."""
    groups = tuple(
        GroupCounts(name=name, passed=1, failed=1, unsure=0, errors=0)
        for name in ("[red]kids", "\x1b[31mx", "")
    )
    text = shown(snapshot(groups=groups), SummaryFacts(run_id="r", folder="[bold]/f", reason="[/x] \x1b[2J!"))
    for fact in ("[red]kids", "[bold]/f", "finished after 3m12s: [/x] !", "(no group)"):
        assert fact in text
    assert "\x1b" not in text


def test_a_pipe_gets_no_colours_and_no_trailing_blanks() -> None:
    """The summary in a log is text."""
    file = StringIO()
    print_summary(Console(file=file, width=80, _environ={}), snapshot(), FACTS)
    text = file.getvalue()
    assert "\x1b" not in text
    assert text.startswith("\nRun ")
    assert not [line for line in text.split("\n") if line.endswith(" ")]
    assert f"  {FOLDER}\n" in text


def test_the_summary_ends_with_advice_of_at_most_three_lines() -> None:
    """What slowed the run or spoiled it, with the setting to change; errors have their hints already."""
    state = snapshot(
        done=400,
        passed=260,
        unsure=90,
        errors=10,
        errors_by_code={"deadline": 200},
        stage_s={Stage.WAIT: 1400.0, Stage.MODEL: 904.0},
        rate=RateFigures(requests_last_min=119, requests_limit_per_min=120.0, rejected=60),
        facts=RunFacts(cache_on=False, budget_usd=0.0124),
    )
    text = shown(state, width=300)
    advice = text[text.index("\nAdvice\n") : text.index("\nGroups")].strip().split("\n")[1:]
    assert len(advice) == 3
    assert advice[1].strip() == (
        "Workers waited for the limit 61 % of the time, with 99 % of 120 requests per minute used: more "
        "workers will not help (5 workers are enough); "
        "raise VISION_REQUESTS_PER_MINUTE or use --pack."
    )
    assert "deadline" not in "".join(advice)


def test_a_run_with_nothing_amiss_gets_no_advice() -> None:
    """Only the counts and the figures."""
    assert "Advice" not in shown(snapshot(stage_s={}, unsure=0, requests=200))
