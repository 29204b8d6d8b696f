"""Settings: where each value comes from, and what never comes out."""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from redzone.config.loader import find_config, load
from redzone.config.settings import HIDDEN, Settings, variables
from redzone.errors import SettingsInvalid

SECRET = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine that the tests run on plays a part."""
    for name in os.environ:
        monkeypatch.delenv(name)


def _refusal(cwd: Path, **given: Any) -> str:
    """The text of the refusal, with everything that a traceback would print."""
    with pytest.raises(SettingsInvalid) as caught:
        load(given, cwd)
    return str(caught.value)


def test_the_command_line_beats_the_environment_beats_dotenv_beats_toml_beats_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the sources, and the origin says which one won."""
    assert (load({}, tmp_path).settings.model, load({}, tmp_path).origins["model"]) == (
        "gpt-6-luna",
        "default",
    )
    config, dotenv = tmp_path / "redzone.toml", tmp_path / ".env"
    config.write_text('model = "toml"\n')
    assert load({}, tmp_path).settings.model == "toml"
    assert load({}, tmp_path).origins["model"] == str(config)
    dotenv.write_text("OPENAI_MODEL=dotenv\n")
    assert load({}, tmp_path).settings.model == "dotenv"
    assert load({}, tmp_path).origins["model"] == f"{dotenv} OPENAI_MODEL"
    monkeypatch.setenv("OPENAI_MODEL", "environment")
    assert load({}, tmp_path).settings.model == "environment"
    assert load({}, tmp_path).origins["model"] == "env OPENAI_MODEL"
    loaded = load({"model": "command line"}, tmp_path)
    assert (loaded.settings.model, loaded.origins["model"]) == ("command line", "command line")


def test_a_source_may_use_another_name_of_the_setting_and_still_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sources are compared by setting, not by variable."""
    (tmp_path / ".env").write_text("REDZONE_MODEL=dotenv\n")
    monkeypatch.setenv("OPENAI_MODEL", "environment")
    assert load({}, tmp_path).settings.model == "environment"


def test_within_a_source_the_redzone_name_is_the_stronger_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REDZONE_MODEL before OPENAI_MODEL."""
    monkeypatch.setenv("OPENAI_MODEL", "other")
    monkeypatch.setenv("REDZONE_MODEL", "ours")
    loaded = load({}, tmp_path)
    assert (loaded.settings.model, loaded.origins["model"]) == ("ours", "env REDZONE_MODEL")


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("OPENAI_MODEL", "m", "model", "m"),
        ("OPENAI_BASE_URL", "http://localhost:1/v1", "openai_base_url", "http://localhost:1/v1"),
        ("OPENAI_API_KEY_FILE", "/run/key", "openai_api_key_file", Path("/run/key")),
        ("VISION_REQUESTS_PER_MINUTE", "500", "requests_per_min", 500),
        ("VISION_TOKENS_PER_MINUTE", "9000", "tokens_per_min", 9000),
        ("VISION_REQUEST_DELAY_MS", "120", "request_delay_ms", 120.0),
        ("ENABLE_ANALYSIS_CACHE", "false", "enable_cache", False),
        ("CACHE_EXPIRY_HOURS", "24", "cache_expiry_hours", 24.0),
        ("HTTP_POOL_CONNECTIONS", "7", "http_pool_connections", 7),
        ("HTTP_POOL_MAXSIZE", "9", "http_pool_maxsize", 9),
        ("REDZONE_WORKERS", "12", "workers", 12),
        ("REDZONE_WORKERS", "auto", "workers", "auto"),
        ("REDZONE_HOME", "/runs", "home", Path("/runs")),
        ("REDZONE_ZONES", '["red", "a=0,0,1,1"]', "zones", ("red", "a=0,0,1,1")),
        ("REDZONE_ZONE", '{"a": [0, 0, 0.5, 0.5]}', "zone", {"a": (0.0, 0.0, 0.5, 0.5)}),
        ("redzone_view", "poster", "view", "poster"),
    ],
)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_every_name_is_read_from_the_environment_and_from_dotenv(
    variable: str, text: str, field: str, value: object, place: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The predecessor's names work as our own do, in either case."""
    if place == "environment":
        monkeypatch.setenv(variable, text)
    else:
        (tmp_path / ".env").write_text(f"{variable}='{text}'\n")
    assert getattr(load({}, tmp_path).settings, field) == value


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_has_a_redzone_variable(name: str) -> None:
    """REDZONE_ and the setting's name, always the strongest."""
    assert variables(name)[0] == f"REDZONE_{name.upper()}"


def test_variables_that_belong_to_others_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HOME, MODEL or WORKERS say nothing to us, whatever is in them."""
    for name in ("HOME", "MODEL", "WORKERS", "ZONE", "ZONES", "PROVIDER", "VIEW", "DEADLINE_S"):
        monkeypatch.setenv(name, "[somebody else's")
    (tmp_path / ".env").write_text("MODEL=x\nHOME=y\nSOMETHING_ELSE=z\n")
    loaded = load({}, tmp_path)
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}


def test_an_empty_variable_is_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`OPENAI_API_KEY=` is how people unset it."""
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    (tmp_path / ".env").write_text("OPENAI_MODEL=\nOPENAI_API_KEY\n")
    settings = load({}, tmp_path).settings
    assert (settings.api_key(), settings.openai_base_url, settings.model) == (None, None, "gpt-6-luna")


def test_toml_is_found_upward_and_read_by_plain_names(tmp_path: Path) -> None:
    """Numbers, lists and tables as TOML has them; dotenv only from the folder itself."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / ".env").write_text("OPENAI_MODEL=far\n")
    config = tmp_path / "redzone.toml"
    config.write_text(
        'workers = 8\nzones = ["red", "corner"]\nrequests_per_min = 500\n[zone]\ncorner = [0, 0, 0.3, 0.2]\n'
    )
    assert find_config(deep) == config
    settings = load({}, deep).settings
    assert (settings.workers, settings.requests_per_min) == (8, 500)
    assert settings.zones == ("red", "corner")
    assert settings.zone == {"corner": (0.0, 0.0, 0.3, 0.2)}
    assert settings.model == "gpt-6-luna"


def test_an_unknown_name_in_toml_is_refused(tmp_path: Path) -> None:
    """A misspelt setting is said, with its file, instead of doing nothing."""
    (tmp_path / "redzone.toml").write_text("request_per_min = 5\n")
    message = _refusal(tmp_path)
    assert "redzone.toml" in message
    assert "'request_per_min'" in message


@pytest.mark.parametrize("name", ["openai_api_key", "OPENAI_API_KEY", "REDZONE_OPENAI_API_KEY"])
def test_a_key_in_toml_is_refused_and_not_shown(name: str, tmp_path: Path) -> None:
    """redzone.toml is committed; a key must not be."""
    (tmp_path / "redzone.toml").write_text(f'{name} = "{SECRET}"\n')
    assert SECRET not in _refusal(tmp_path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("redzone.toml", b"workers = = 3"),
        ("redzone.toml", b"\xff\xfe"),
        (".env", b"OPENAI_MODEL=\xff\xfe"),
        (".env", b"REDZONE_ZONES=red"),
    ],
)
def test_a_broken_file_is_named(file: str, content: bytes, tmp_path: Path) -> None:
    """Not a traceback: which file, and what is wrong."""
    (tmp_path / file).write_bytes(content)
    assert file in _refusal(tmp_path)


def test_a_list_in_a_variable_is_json_and_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REDZONE_ZONES=red is a likely mistake."""
    monkeypatch.setenv("REDZONE_ZONES", "red")
    message = _refusal(tmp_path)
    assert '"zones"' in message
    assert "JSON" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", "fast"),
        ("workers", "0"),
        ("workers", -3),
        ("workers", 2.5),
        ("requests_per_min", 0),
        ("requests_per_min", "many"),
        ("max_attempts", 0),
        ("deadline_s", 0),
        ("deadline_s", "nan"),
        ("deadline_s", "inf"),
        ("request_delay_ms", "inf"),
        ("max_cost_usd", -1),
        ("min_confidence_pct", 101),
        ("view", "sideways"),
        ("provider", "somebody"),
        ("zone", {"a": (0, 0, 1)}),
        ("zone", {"a": (0, 0, 1, "nan")}),
        ("cache_expiry_hours", 0),
    ],
)
def test_a_wrong_value_is_named_with_its_setting_and_source(name: str, value: object, tmp_path: Path) -> None:
    """What, where and the next step."""
    message = _refusal(tmp_path, **{name: value})
    assert message.startswith(f"{name}: ")
    assert "from command line" in message
    assert "redzone config show" in message


def test_a_wrong_variable_is_named_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user looks for the name that they wrote."""
    monkeypatch.setenv("VISION_REQUESTS_PER_MINUTE", "0")
    message = _refusal(tmp_path)
    assert message.startswith("requests_per_min: ")
    assert "env VISION_REQUESTS_PER_MINUTE" in message


def test_the_key_is_in_no_repr_dump_or_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only `api_key()` gives it away."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    loaded = load({}, tmp_path)
    settings = loaded.settings
    assert settings.api_key() == SECRET
    shown = [
        repr(loaded), str(loaded), repr(settings), str(settings), settings.model_dump_json(),
        json.dumps(settings.model_dump(mode="json")), repr(settings.model_dump()), repr(loaded.origins),
    ]  # fmt: skip
    assert not [text for text in shown if SECRET in text]


@pytest.mark.parametrize(
    "given",
    [
        {"openai_api_key": f"{SECRET}\nX-Other: 1"},
        {"openai_api_key": f"{SECRET}\u00e9"},
        {"openai_api_key": [SECRET]},
        {"openai_base_url": f"https://user:{SECRET}@models.example/v1"},
        {"openai_base_url": f"https://{SECRET}@models.example/v1"},
        {"openai_base_url": f"https://models.example/v1?key={SECRET}"},
        {"openai_base_url": f"models.example/{SECRET}"},
        {"openai_base_url": f"https://user:{SECRET}@\u2100/v1"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_a_secret_in_a_wrong_value_is_not_shown(given: dict[str, Any], tmp_path: Path) -> None:
    """Not in the message, not in the ValidationError behind it, not in the printed traceback."""
    with pytest.raises(SettingsInvalid) as caught:
        load(given, tmp_path)
    assert isinstance(caught.value.__cause__, ValidationError)
    assert next(iter(given)) in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("url", ["https://user:word@models.example/v1", "https://user@models.example/v1"])
def test_a_base_url_with_credentials_is_refused(url: str, tmp_path: Path) -> None:
    """It would be shown, logged and written to run.json; the key has a setting of its own."""
    message = _refusal(tmp_path, openai_base_url=url)
    assert message.startswith("openai_base_url: ")
    assert "OPENAI_API_KEY" in message


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://models.example", "http://", "http://[::1/v1"])
def test_a_base_url_that_is_no_address_is_refused(url: str, tmp_path: Path) -> None:
    """With the form that is wanted."""
    assert "http://localhost:8000/v1" in _refusal(tmp_path, openai_base_url=url)


@pytest.mark.parametrize(
    "url", ["http://localhost:11434/v1", "https://models.example/v1/", "http://[::1]:8000"]
)
def test_a_plain_base_url_is_taken_as_it_is(url: str, tmp_path: Path) -> None:
    """Any host, port and path."""
    assert load({"openai_base_url": url}, tmp_path).settings.openai_base_url == url


def test_the_key_may_lie_in_a_file(tmp_path: Path) -> None:
    """As secret mounts have it, with or without a line break at the end; the key itself comes first."""
    file = tmp_path / "key"
    file.write_text(f" {SECRET}\n")
    assert load({"openai_api_key_file": file}, tmp_path).settings.api_key() == SECRET
    both = load({"openai_api_key_file": file, "openai_api_key": "sk-other\n"}, tmp_path).settings
    assert both.api_key() == "sk-other"
    file.write_text("\n")
    assert load({"openai_api_key_file": file}, tmp_path).settings.api_key() is None


@pytest.mark.parametrize("content", [None, b"\xff\xfe", f"{SECRET}\nand more".encode()])
def test_a_key_file_that_cannot_be_used_is_named(content: bytes | None, tmp_path: Path) -> None:
    """Missing, binary, or with more than a key in it; what it holds is not said."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    settings = load({"openai_api_key_file": file}, tmp_path).settings
    with pytest.raises(SettingsInvalid, match="openai_api_key_file") as caught:
        settings.api_key()
    assert str(file) in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_hidden_settings_exist() -> None:
    """The names whose values are never quoted are names of settings."""
    assert set(Settings.model_fields) >= HIDDEN
