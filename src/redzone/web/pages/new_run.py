"""`/new`: a run in two steps: what it would take, then the start of a process of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from secrets import token_urlsafe

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from redzone.errors import UsageError
from redzone.web.services.launcher import EstimateResult, NotStarted
from redzone.web.services.state import AppState, app_state
from redzone.web.services.uploads import MAX_BYTES, Uploads, too_large
from redzone.web.templates import render
from redzone.web.views.new_run_choices import form_choices, own_zones
from redzone.web.views.new_run_form import PlannedRun, RunForm, RunFormFaults, plan_run

WAIT_S = 8.0
_TICKET = re.compile(r"[A-Za-z0-9_-]{22}")
_FORM_BYTES = 64 * 1024
# What is larger than a list may be is read and thrown away: a browser that still sends hears no answer.
_READ_BYTES = 2**40
# where the page shows a fault, and what it calls the field
_PLACES = {
    "": ("posters", ""),
    "list": ("list", "Posters"),
    "preset": ("posters", "How many"),
    "zones": ("other_zones", "Zones"),
    "provider": ("judge", "Provider"),
    "model": ("model", "Model"),
    "workers": ("workers", "Workers"),
    "max_cost": ("max_cost", "Most cost"),
    "rpm": ("rpm", "Requests a minute"),
    "tpm": ("tpm", "Tokens a minute"),
}
_CHANGED = "The form has changed since it was checked: this is what the run takes now."
# the fields that a complaint of redzone is about, by the name that it begins with
_FIELDS = {
    "workers": "workers",
    "model": "model",
    "provider": "provider",
    "zones": "zones",
    "requests_per_min": "rpm",
    "tokens_per_min": "tpm",
    "max_cost_usd": "max_cost",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check: the figures, or faults by field; "" is for what belongs to none."""

    foreseen: EstimateResult | None = None
    plan: PlannedRun | None = None
    faults: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A form that has arrived: `checked` is the digest of the one that the page before was made of."""

    form: RunForm
    checked: str = ""
    ticket: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)


async def show_form(request: Request) -> Response:
    """The form, filled in by the address if that says something. Nothing is read or counted yet."""
    pairs = request.query_params.multi_items()
    return await _page(request, RunForm.of(pairs) if pairs else RunForm(), Checked())


async def check(request: Request) -> Response:
    """Keep what was uploaded, and show what the run would take."""
    sent = await _sent(request)
    return await _page(request, sent.form, await _checked(app_state(request), sent))


async def start(request: Request) -> Response:
    """Begin the run that was checked; a form that says something else by now is checked again instead. The
    ticket of a page starts one run, however often it is sent."""
    state, sent = app_state(request), await _sent(request)
    checked = Checked(faults=sent.faults)
    if not sent.faults and (sent.checked != sent.form.digest or not _TICKET.fullmatch(sent.ticket)):
        checked = replace(await _checked(state, sent), notice=_CHANGED)
    elif not sent.faults:
        try:
            plan = await asyncio.to_thread(_plan, state, sent.form)
            await asyncio.to_thread(state.launcher.begin, plan.arguments, sent.ticket, sent.form.pairs)
            return RedirectResponse(f"/new/started/{sent.ticket}", 303)
        except RunFormFaults as faults:
            checked = Checked(faults=faults.reasons)
    return await _page(request, sent.form, checked)


async def show_started(request: Request) -> Response:
    """On to the run as soon as it has read its list; until then a page that asks again."""
    begun = app_state(request).launcher.begun(request.path_params["ticket"])
    if begun is None:
        return RedirectResponse("/", 303)
    try:
        run_id = await begun.run_id(WAIT_S)
    except NotStarted as error:
        return await _page(request, RunForm.of(begun.asked), Checked(faults=_by_field(error)))
    if run_id is not None:
        return RedirectResponse(f"/runs/{run_id}", 303)
    page = render(request, "new_run/starting.html")
    page.headers["Refresh"] = "1"
    return page


async def _page(request: Request, form: RunForm, checked: Checked) -> Response:
    choices = await asyncio.to_thread(form_choices, app_state(request).store)
    faults = checked.faults or ({"": choices.fault} if choices.fault else {})
    return render(
        request,
        "new_run.html",
        form=form,
        choices=choices,
        faults=faults,
        checked=checked,
        places=_PLACES,
        ticket=token_urlsafe(16),
    )


async def _sent(request: Request) -> Sent:
    """The form of a request, with its list kept."""
    if int(request.headers.get("content-length", "0")) > MAX_BYTES + _FORM_BYTES:
        async for _ in request.stream():
            pass
        return Sent(RunForm(), faults={"list": too_large()})
    async with request.form(max_files=1, max_fields=100) as fields:
        pairs = [(name, text) for name, text in fields.multi_items() if isinstance(text, str)]
        form, file = RunForm.of(pairs), fields.get("file")
        if isinstance(file, UploadFile) and file.filename:
            try:
                form = form.replaced(list="", uploaded=await asyncio.to_thread(_keep, request, file))
            except UsageError as error:
                return Sent(form, faults={"list": str(error)})
    return Sent(form, dict(pairs).get("checked", ""), dict(pairs).get("ticket", ""))


async def _checked(state: AppState, sent: Sent) -> Checked:
    if sent.faults:
        return Checked(faults=sent.faults)
    try:
        plan = await asyncio.to_thread(_plan, state, sent.form)
        return Checked(await state.launcher.estimate_run(plan.arguments), plan)
    except RunFormFaults as faults:
        return Checked(faults=faults.reasons)
    except UsageError as error:
        return Checked(faults=_by_field(error))


def _plan(state: AppState, form: RunForm) -> PlannedRun:
    return plan_run(form, Uploads(state.home), own_zones())


def _keep(request: Request, file: UploadFile) -> str:
    state = app_state(request)
    uploads = Uploads(state.home)
    uploads.forget_unused(path for record in state.store.newest_first() for path in record.inputs.paths)
    return uploads.keep(file.filename or "", file.file)


def _by_field(error: UsageError) -> dict[str, str]:
    name, colon, _ = str(error).partition(":")
    return {_FIELDS.get(name, "") if colon else "": str(error)}


routes: list[BaseRoute] = [
    Route("/new", show_form),
    Route("/new", check, methods=["POST"], max_body_size=_READ_BYTES),
    Route("/new/start", start, methods=["POST"], max_body_size=_READ_BYTES),
    Route("/new/started/{ticket}", show_started),
]
