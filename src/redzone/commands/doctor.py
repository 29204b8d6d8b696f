"""`redzone doctor`: checks the installation, the settings and the home folder."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from redzone.commands.terminal import HomeOption, JsonOption, load_settings, print_json, resolve_home
from redzone.errors import ExitCode, RedzoneError

if TYPE_CHECKING:
    from redzone.config.loader import Loaded
    from redzone.config.settings import Settings
    from redzone.plan import Provider, RunPlan

MIN_FREE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. `ok` is None for a note."""

    name: str
    ok: bool | None
    detail: str


def doctor(
    online: Annotated[bool, typer.Option("--online", help="Make one cheap call to the model.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that this machine is ready for a run."""
    results = list(_examine(home, online=online))
    if as_json:
        print_json([asdict(check) for check in results])
    else:
        for check in results:
            sign = {True: "ok   ", False: "FAIL ", None: "note "}[check.ok]
            typer.echo(f"{sign} {check.name:<12} {check.detail}")
    if any(check.ok is False for check in results):
        raise typer.Exit(ExitCode.USAGE)


def _examine(home: Path | None, *, online: bool) -> Iterator[CheckResult]:
    yield CheckResult(
        "python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}"
    )
    yield CheckResult("packages", True, _versions())
    try:
        loaded = load_settings({"home": home})
    except RedzoneError as error:
        yield CheckResult("settings", False, str(error))
        return
    given = {name: origin for name, origin in loaded.origins.items() if origin != "default"}
    yield CheckResult("settings", True, ", ".join(f"{n} ({o})" for n, o in given.items()) or "all defaults")
    yield _key(loaded)
    yield _home(resolve_home(loaded))
    yield _files(loaded.settings)
    try:
        from redzone.plan import choose_provider, make_plan

        provider = choose_provider(loaded.settings)
    except RedzoneError as error:
        yield CheckResult("provider", False, str(error))
        return
    yield CheckResult("provider", True, f"{_described(provider)}: {provider.reason}")
    local = _guarded("local model", _local_model)
    # optional unless it is the provider
    yield local if local.ok or provider.name == "local" else replace(local, ok=None)
    if provider.name == "openai":
        yield _model_age(provider.model)
    if online:
        import asyncio  # takes 20 ms, so only where it is needed

        yield _guarded("online", lambda: asyncio.run(_call(make_plan(loaded.settings))))


def _versions() -> str:
    from importlib.metadata import PackageNotFoundError, version

    names = ("redzone", "openai", "httpx2", "pillow", "pydantic", "typer", "rich", "numpy", "onnxruntime")
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def _key(loaded: Loaded) -> CheckResult:
    try:
        key = loaded.settings.api_key()
    except RedzoneError as error:
        return CheckResult("key", False, str(error))
    if key is None:
        return CheckResult("key", None, "OPENAI_API_KEY is not set")
    return CheckResult("key", True, "set")


def _home(home: Path) -> CheckResult:
    from redzone.runs import make_home

    try:
        make_home(home)
        probe = home / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except (OSError, RedzoneError) as error:
        return CheckResult("home", False, f"{home} is not writable: {error}")
    free = shutil.disk_usage(home).free
    return CheckResult("home", free >= MIN_FREE_BYTES, f"{home} is writable, {free / 1e9:.1f} GB free")


def _files(settings: Settings) -> CheckResult:
    from redzone.commands.process_limits import most_workers, open_files_needed, raise_open_files

    needed = open_files_needed(settings)
    allowed = raise_open_files(needed)
    detail = f"{allowed} open files allowed, {needed} needed for {most_workers(settings)} workers"
    if allowed >= needed:
        return CheckResult("open files", True, detail)
    return CheckResult("open files", None, f"{detail}; a run uses fewer workers, or run: ulimit -n {needed}")


def _local_model() -> str:
    from redzone.vision.local.model import probe

    return f"loads: {probe()}"


def _guarded(name: str, look: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(name, True, look())
    except RedzoneError as error:
        return CheckResult(name, False, str(error))


def _described(provider: Provider) -> str:
    return "local" if provider.name == "local" else f"{provider.name} {provider.model}"


def _model_age(model: str) -> CheckResult:
    from redzone.vision.openai.prices import price_of, prices_as_of, shutdown_of

    price, end = price_of(model), shutdown_of(model)
    cost = "unknown price"
    if price:
        cost = f"${price.input_usd_per_mtok:g} in, ${price.output_usd_per_mtok:g} out per 1M tokens"
    cost += f" (as of {prices_as_of()})"
    if end is None:
        return CheckResult("price", True, f"{model}: {cost}")
    gone = end <= datetime.now(UTC).date()
    when = "was" if gone else "will be"
    return CheckResult("price", False if gone else None, f"{model}: {cost}; {when} shut down on {end}")


async def _call(plan: RunPlan) -> str:
    """Asks about one generated image and describes the reply."""
    import io

    from PIL import Image

    from redzone.errors import ModelFault
    from redzone.imaging.render import frame
    from redzone.models import Question, Wording
    from redzone.wiring import vision_model

    blank = io.BytesIO()
    Image.new("RGB", (320, 480), "navy").save(blank, "JPEG")
    model = vision_model(plan, lambda _: None)
    try:
        view = frame(blank.getvalue(), plan.zones, model.views[0])
        question = Question(view, plan.zones, Wording.FULL, plan.provider.model)
        # without a Responses API the first reply only reports that; the second uses Chat Completions
        for _ in range(2):
            reply = await model.ask(question)
            if not isinstance(reply.result, ModelFault):
                break
    finally:
        await model.aclose()
    if isinstance(reply.result, ModelFault):
        raise reply.result
    allowed = reply.allowance
    limits = (
        f"; limits {allowed.limit_requests} requests, {allowed.limit_tokens} tokens per minute"
        if allowed
        else ""
    )
    return f"{reply.model} answered for ${model.cost_usd(reply):.6f}{limits}"
