"""Runs begun, stopped and resumed from the dashboard: real processes of `redzone` against the simulator."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe

import httpx2
import pytest

from redzone.bench.simulator.server import Simulator, SimulatorOptions
from redzone.runs import RecordedState, RunFolder, RunStore
from redzone.runs.checkpoint import read_outcomes
from redzone.runs.lock import lock_owner_pid
from redzone.web.services import uploads
from redzone.web.views import new_run_form
from tests import command
from tests.simulated import model_requests, poster_list, simulated
from tests.web.beginning import KEY, served_with_its_runs, slow_model
from tests.web.serving import SAME_ORIGIN, Served


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulator]:
    with slow_model(monkeypatch, tmp_path, latency_s=0.4) as running:
        yield running


@pytest.fixture
def dashboard(simulator: Simulator, home: Path) -> Iterator[Served]:
    with served_with_its_runs(home) as found:
        yield found


RunForm = dict[str, str]


def hidden(page: str, name: str) -> str:
    match = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert match is not None, page
    return match[1]


def post(place: str, form: RunForm, file: tuple[str, bytes] | None = None) -> httpx2.Response:
    """Send a form as the page does, with the time that a busy machine takes to start a process."""
    files = None if file is None else {"file": file}
    return httpx2.post(place, data=form, files=files, headers=SAME_ORIGIN, timeout=50, trust_env=False)


def check(dashboard: Served, form: RunForm, file: tuple[str, bytes] = ("", b"")) -> str:
    """The page that says what the run takes."""
    answer = post(dashboard.url("/new"), form, file)
    assert answer.status_code == 200
    return answer.text


def start(origin: str, form: RunForm, page: str | None = None) -> httpx2.Response:
    """Press the button of the page; without one, as if the form had been checked as it is."""
    if page is not None:
        sent = {"checked": hidden(page, "checked"), "ticket": hidden(page, "ticket")}
    else:
        sent = {"checked": new_run_form.RunForm.of(list(form.items())).digest, "ticket": token_urlsafe(16)}
    return post(f"{origin}/new/start", form | sent)


def follow(origin: str, home: Path, answer: httpx2.Response) -> RunFolder:
    """The run that a start leads to."""
    assert answer.status_code == 303, answer.text
    place = answer.headers["location"]
    while not place.startswith("/runs/"):
        page = httpx2.get(origin + place, timeout=50, trust_env=False)
        assert page.status_code in (200, 303)
        place = page.headers.get("location", place)
    return RunFolder(home / "runs" / place.removeprefix("/runs/"))


def begin(dashboard: Served, home: Path, form: RunForm) -> RunFolder:
    return follow(dashboard.origin, home, start(dashboard.origin, form))


def form_for(path: Path, **more: str) -> RunForm:
    return {"list": str(path), "zone": "red", "workers": "3"} | more


def done(folder: RunFolder) -> int:
    return len({outcome.row for outcome in read_outcomes(folder.checkpoint_path)})


def wait_for_state(folder: RunFolder, state: RecordedState) -> None:
    command.wait_until(lambda: lock_owner_pid(folder) is None and folder.read().state is state, 40)


def test_the_form_offers_zones_and_says_what_goes_without_a_choice(dashboard: Served, tmp_path: Path) -> None:
    """Those of redzone.toml, too; the key is nowhere in it."""
    (tmp_path / "redzone.toml").write_text("requests_per_min = 480\n[zone]\ncorner = [0.7, 0.8, 0.3, 0.2]\n")
    page = dashboard.get("/new").text
    for shown in ('value="red" checked', 'value="corner"', 'placeholder="480"', "a base URL is set"):
        assert shown in page
    assert KEY not in page
    (tmp_path / "redzone.toml").write_text("nonsense = 1\n")
    assert "unknown setting &#39;nonsense&#39;" in dashboard.get("/new").text


def test_the_address_fills_the_form_in_and_reads_nothing(dashboard: Served) -> None:
    """Another page may lead here with a list; whether that is there is said when somebody asks."""
    page = dashboard.get("/new?list=/lists/posters.csv&zone=icon&workers=7&evil=1").text
    assert 'value="/lists/posters.csv"' in page
    assert 'value="icon" checked' in page
    assert "evil" not in page
    assert "cannot be read" not in page


def test_a_check_counts_and_sends_nothing(dashboard: Served, simulator: Simulator, home: Path) -> None:
    """Posters, requests and cost; no run, no request, and the command to copy."""
    posters = poster_list(Path("list.csv"), simulator, 30).absolute()
    page = check(dashboard, form_for(posters, preset="small"))
    found = re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page)
    assert {("Posters", "25"), ("Requests", "25")} <= set(found)
    assert dict(found)["Cost"].startswith("$0.00")
    assert f"redzone analyze --preset=small --workers=3 --zone=red {posters}" in page
    assert not RunStore(home).folders()
    assert not simulator.log


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"title,year\nA,1999\n", "no image column"),
        (b"url\n", "no rows"),
        (b"\xff\xfe\x00\xd8url", "list.csv"),
    ],
)
def test_an_input_that_cannot_be_used_is_told_in_plain_words(
    dashboard: Served, content: bytes, reason: str
) -> None:
    """The command's own complaint, and no button to start."""
    page = check(dashboard, {"zone": "red"}, ("list.csv", content))
    assert reason in re.sub(r"\s+", " ", page)
    assert "Traceback" not in page
    assert "Start the run" not in page


def test_what_the_command_refuses_is_told_at_its_field(dashboard: Served, simulator: Simulator) -> None:
    """A budget without a price is known only to the command."""
    posters = poster_list(Path("list.csv"), simulator, 2).absolute()
    page = check(dashboard, form_for(posters, model="house-model", max_cost="1"))
    assert re.search(r'id="max_cost-fault">max_cost_usd: the price of house-model is not known', page)


def test_a_list_that_is_too_large_is_read_to_its_end_and_refused(
    dashboard: Served, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words, for a browser that is still sending; nothing of it is kept."""
    monkeypatch.setattr("redzone.web.pages.new_run.MAX_BYTES", 1000)
    monkeypatch.setattr(uploads, "MAX_BYTES", 1000)
    for size in (2000, 300_000):
        assert "the list is larger than" in check(dashboard, {"zone": "red"}, ("posters.csv", b"x" * size))
    assert not list((home / "uploads").glob("*"))


def test_an_uploaded_list_is_run_under_its_name_and_label(
    dashboard: Served, simulator: Simulator, home: Path
) -> None:
    """Start to finish: the upload, the process, its outcomes. The key is in no file of it."""
    text = poster_list(Path("list.csv"), simulator, 4).read_bytes()
    form = {"zone": "red", "label": "Spring <b>list</b>"}
    page = check(dashboard, form, ("spring.csv", text))
    form |= {"uploaded": hidden(page, "uploaded")}
    folder = follow(dashboard.origin, home, start(dashboard.origin, form, page))
    wait_for_state(folder, RecordedState.FINISHED)
    record = folder.read()
    assert (record.label, record.rows, Path(record.inputs.paths[0]).name) == (
        "Spring <b>list</b>",
        4,
        "spring.csv",
    )
    assert done(folder) == 4
    assert f"run {folder.id}: 4 posters" in (folder.path / "console.log").read_text()
    assert (folder.path / "console.log").stat().st_mode & 0o777 == 0o600
    assert not list(home.glob(".starting-*"))
    for path in home.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()
    assert "Spring &lt;b&gt;list&lt;/b&gt;" in dashboard.get("/").text


def test_one_page_starts_one_run_however_often_its_button_is_pressed(
    dashboard: Served, simulator: Simulator, home: Path
) -> None:
    """The second press leads to the first one's run."""
    form = form_for(poster_list(Path("list.csv"), simulator, 3).absolute())
    page = check(dashboard, form)
    first, second = (start(dashboard.origin, form, page) for _ in range(2))
    assert follow(dashboard.origin, home, first) == follow(dashboard.origin, home, second)
    assert len(RunStore(home).folders()) == 1


def test_a_form_that_was_changed_after_its_check_is_checked_again(
    dashboard: Served, simulator: Simulator, home: Path
) -> None:
    """Nobody starts what the figures beside the button are not about."""
    posters = poster_list(Path("list.csv"), simulator, 30).absolute()
    page = check(dashboard, form_for(posters, preset="small"))
    answer = start(dashboard.origin, form_for(posters), page)
    assert answer.status_code == 200
    assert "The form has changed since it was checked" in answer.text
    assert "<dt>Posters</dt><dd>30</dd>" in answer.text
    assert not RunStore(home).folders()


def test_a_run_that_cannot_begin_leads_back_to_the_form_with_the_reason(
    dashboard: Served, simulator: Simulator, home: Path
) -> None:
    """The list went away between check and start; what was filled in is still there."""
    Path("list.csv").write_text("title\nA\n")
    form = form_for(Path("list.csv").absolute(), label="kept")
    begun = start(dashboard.origin, form)
    answer = httpx2.get(dashboard.url(begun.headers["location"]), timeout=50, trust_env=False)
    assert "no image column" in answer.text
    assert 'value="kept"' in answer.text
    assert not RunStore(home).folders()
    assert not list(home.glob(".starting-*"))


def test_another_site_starts_and_stops_nothing(dashboard: Served, simulator: Simulator) -> None:
    """Only the dashboard's own pages do."""
    form = form_for(poster_list(Path("list.csv"), simulator, 3).absolute())
    run = "20261003-120000-k7wd"
    for path in ("/new", "/new/start", f"/runs/{run}/stop", f"/runs/{run}/resume"):
        assert dashboard.post(path, form, Sec_Fetch_Site="cross-site").status_code == 403
        assert dashboard.post(path, form, Origin="https://evil.example").status_code == 403


def test_what_no_process_works_on_cannot_be_stopped(
    dashboard: Served, simulator: Simulator, home: Path
) -> None:
    """A finished run and one that is not there say so."""
    folder = begin(dashboard, home, form_for(poster_list(Path("list.csv"), simulator, 2).absolute()))
    wait_for_state(folder, RecordedState.FINISHED)
    answer = dashboard.post(f"/runs/{folder.id}/stop", {})
    assert answer.status_code == 400
    assert "no process is working on it" in answer.text
    assert dashboard.post("/runs/20261003-120000-k7wd/stop", {}).status_code == 404
    assert dashboard.post("/runs/..%2f..%2fetc/stop", {}).status_code == 404


def test_stop_drains_and_resume_finishes(
    dashboard: Served, simulator: Simulator, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice pressed it still finishes what is in hand; every row is asked about once and has its outcome."""
    # an unsure answer would want a second look, which a run that stops does not begin
    monkeypatch.setenv("REDZONE_MIN_CONFIDENCE_PCT", "0")
    folder = begin(dashboard, home, form_for(poster_list(Path("list.csv"), simulator, 40).absolute()))
    command.wait_until(lambda: done(folder) >= 3)
    pid = lock_owner_pid(folder)
    for _ in range(2):
        assert dashboard.post(f"/runs/{folder.id}/stop", {}).headers["location"] == f"/runs/{folder.id}"
    wait_for_state(folder, RecordedState.INTERRUPTED)
    assert folder.read().reason == "interrupted by SIGINT"
    stopped_at = done(folder)
    assert 3 <= stopped_at < 40
    answered = sum(record.status == 200 for record in model_requests(simulator))
    assert answered == sum(outcome.attempts for outcome in read_outcomes(folder.checkpoint_path))

    assert post(dashboard.url(f"/runs/{folder.id}/resume"), {}).status_code == 303
    assert lock_owner_pid(folder) not in (None, pid)
    again = post(dashboard.url(f"/runs/{folder.id}/resume"), {})
    assert again.status_code == 400
    assert "is working on it" in again.text
    wait_for_state(folder, RecordedState.FINISHED)
    assert done(folder) == 40


def test_the_stop_that_says_now_gives_up_what_is_in_hand(
    dashboard: Served, simulator: Simulator, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the second Ctrl-C: a model that never answers holds nobody up."""
    posters = poster_list(Path("list.csv"), simulator, 5).absolute()
    with simulated(SimulatorOptions(latency_s=300)) as silent:
        monkeypatch.setenv("OPENAI_BASE_URL", silent.base_url)
        folder = begin(dashboard, home, form_for(posters))
        command.wait_until(lambda: len(model_requests(silent)) > 0)
        dashboard.post(f"/runs/{folder.id}/stop", {})
        assert lock_owner_pid(folder) is not None
        dashboard.post(f"/runs/{folder.id}/stop", {"now": "yes"})
        wait_for_state(folder, RecordedState.INTERRUPTED)


def test_errors_are_tried_again_from_the_page(
    dashboard: Served, simulator: Simulator, home: Path, tmp_path: Path
) -> None:
    """`resume --retry-errors`, for rows whose picture can be had by now."""
    listed = tmp_path / "list.csv"
    listed.write_text(f"url\n{simulator.poster_url(1)}\n{tmp_path / 'late.jpg'}\n")
    folder = begin(dashboard, home, form_for(listed))
    wait_for_state(folder, RecordedState.FINISHED)
    assert folder.read().counts["error"] == 1
    picture = httpx2.get(simulator.poster_url(2), trust_env=False).content
    (tmp_path / "late.jpg").write_bytes(picture)
    assert post(dashboard.url(f"/runs/{folder.id}/resume"), {"retry_errors": "yes"}).status_code == 303
    command.wait_until(lambda: folder.read().counts.get("error") == 0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def up(origin: str) -> bool:
    with suppress(httpx2.TransportError):
        return httpx2.get(f"{origin}/healthz", trust_env=False).status_code == 200
    return False


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_run_survives_the_dashboard_that_began_it(
    simulator: Simulator, home: Path, end: signal.Signals
) -> None:
    """Killed, or ended by Ctrl-C in the whole process group as a terminal does it: the run goes on."""
    posters = poster_list(Path("list.csv"), simulator, 20).absolute()
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    arguments = ("dashboard", "--no-open", "--port", str(port), "--home", str(home))
    process = subprocess.Popen(
        [sys.executable, "-m", "redzone", *arguments], start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        command.wait_until(lambda: up(origin))
        folder = follow(origin, home, start(origin, form_for(posters)))
        command.wait_until(lambda: done(folder) >= 1)
        worker = lock_owner_pid(folder)
        assert (
            KEY
            not in subprocess.run(
                ["ps", "-o", "args=", "-p", str(worker)], capture_output=True, text=True, check=True
            ).stdout
        )
        os.killpg(process.pid, end)
        process.wait(20)
        assert lock_owner_pid(folder) == worker
        wait_for_state(folder, RecordedState.FINISHED)
        assert done(folder) == 20
    finally:
        process.kill()
        process.wait()
