"""`/new`: starts a run in two steps: an estimate, then a process."""

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
from starlette.types import Message, Receive

from redzone.errors import UsageError
from redzone.web.services.launcher import EstimateResult, NotStarted
from redzone.web.services.state import AppState, app_state
from redzone.web.services.uploads import MAX_BYTES, Uploads, too_large
from redzone.web.templates import render
from redzone.web.views.new_run_choices import FormChoices, form_choices, own_zones
from redzone.web.views.new_run_form import PlannedRun, RunForm, RunFormFaults, plan_run

WAIT_S = 8.0
_TICKET = re.compile(r"[A-Za-z0-9_-]{22}")
_FORM_BYTES = 64 * 1024
# A larger upload is read and discarded: a browser that is still sending does not read the response.
_READ_BYTES = 2**40
# the id of the element that shows an error, and the label of the field
_PLACES = {
    "": ("posters", ""),
    "list": ("list", "Posters"),
    "preset": ("posters", "How many"),
    "zones": ("other_zones", "Zones"),
    "provider": ("judge", "Provider"),
    "model": ("model", "Model"),
    "workers": ("workers", "Workers"),
    "max_cost": ("max_cost", "Maximum cost"),
    "rpm": ("rpm", "Requests per minute"),
    "tpm": ("tpm", "Tokens per minute"),
}
_CHANGED = "The form has changed since it was checked. This is the new estimate."
# the form field of an error message, by the setting that it begins with
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
    """The result of a check: an estimate, or errors by field; "" is for errors of no field."""

    foreseen: EstimateResult | None = None
    plan: PlannedRun | None = None
    faults: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A submitted form. `checked` is the digest of the form that the last estimate was for."""

    form: RunForm
    checked: str = ""
    ticket: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)


async def show_form(request: Request) -> Response:
    """Shows the form, filled in from the query string. Nothing is read or counted yet."""
    pairs = request.query_params.multi_items()
    return await _page(request, RunForm.of(pairs) if pairs else RunForm(), Checked())


async def check(request: Request) -> Response:
    """Saves the uploaded list and shows the estimate."""
    sent = await _sent(request)
    return await _page(request, sent.form, await _checked(app_state(request), sent))


async def start(request: Request) -> Response:
    """Starts the run that was checked; a form that has changed since is checked again instead. The ticket of
    a page starts one run, however often it is submitted."""
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
    """Redirects to the run once it has read its list; until then, a page that reloads itself."""
    begun = app_state(request).launcher.begun(request.path_params["ticket"])
    if begun is None:
        return RedirectResponse("/", 303)
    try:
        run_id = await begun.run_id(WAIT_S)
    except NotStarted as error:
        return await _page(request, RunForm.of(begun.form_fields), Checked(faults=_by_field(error)))
    if run_id is not None:
        return RedirectResponse(f"/runs/{run_id}", 303)
    page = render(request, "new_run/starting.html")
    page.headers["Refresh"] = "1"
    return page


async def _page(request: Request, form: RunForm, checked: Checked) -> Response:
    choices = await asyncio.to_thread(_choices, app_state(request))
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
    """Reads the form of a request and saves its list."""
    bounded = _BoundedBody(request.receive, MAX_BYTES + _FORM_BYTES)
    if int(request.headers.get("content-length", "0")) > bounded.limit:
        await bounded.discard()
        return Sent(RunForm(), faults={"list": too_large()})
    request = Request(request.scope, bounded.receive)
    try:
        return await _read_form(request)
    except _BodyTooLarge:
        await bounded.discard()
        return Sent(RunForm(), faults={"list": too_large()})


class _BodyTooLarge(Exception):
    """The body of a request is larger than its limit."""


class _BoundedBody:
    """The body of a request, whose length may not be announced, up to `limit` bytes."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self.limit = limit
        self._receive = receive
        self._size = 0
        self._more = True

    async def receive(self) -> Message:
        """The next part. Raises _BodyTooLarge beyond the limit."""
        message = await self._receive()
        self._size += len(message.get("body", b""))
        self._more = bool(message.get("more_body", False))
        if self._size > self.limit:
            raise _BodyTooLarge
        return message

    async def discard(self) -> None:
        """Reads the rest and drops it: a browser that is still sending does not read the response."""
        while self._more:
            message = await self._receive()
            self._more = bool(message.get("more_body", False))


async def _read_form(request: Request) -> Sent:
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


def _choices(state: AppState) -> FormChoices:
    return form_choices([run.record for run in state.overview.newest_first()], state.home)


def _plan(state: AppState, form: RunForm) -> PlannedRun:
    return plan_run(form, Uploads(state.home), own_zones())


def _keep(request: Request, file: UploadFile) -> str:
    state = app_state(request)
    uploads = Uploads(state.home)
    uploads.forget_unused(path for run in state.overview.newest_first() for path in run.record.inputs.paths)
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
