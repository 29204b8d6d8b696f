"""All settings: names, bounds, defaults and meaning. `config.loader` reads their values.

Each has a `REDZONE_` variable; the names in `also` are variables that users of other tools already have.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from redzone.errors import SettingsInvalid
from redzone.models import ViewKind

ENV_PREFIX = "REDZONE_"

# May hold a secret, rightly or not: errors name the setting, never its value.
HIDDEN = frozenset({"openai_api_key", "openai_api_key_file", "openai_base_url"})

Provider = Literal["auto", "openai", "local"]


def _names(name: str, *also: str) -> AliasChoices:
    return AliasChoices(f"{ENV_PREFIX}{name.upper()}", *also)


class Settings(BaseSettings):
    """The settings of redzone. Times are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        populate_by_name=True,
        extra="ignore",
        env_ignore_empty=True,
        case_sensitive=False,
        frozen=True,
        hide_input_in_errors=True,  # tracebacks print the cause, too
        allow_inf_nan=False,
    )

    # model
    provider: Provider = Field(
        default="auto",
        validation_alias=_names("provider"),
        description="Model provider: `openai` (or a compatible server), `local`, or `auto`: openai if a key "
        "or a base URL is set, else local.",
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=_names("openai_api_key", "OPENAI_API_KEY"),
        description="API key. Only from the environment, `.env` or a file.",
    )
    openai_api_key_file: Path | None = Field(
        default=None,
        validation_alias=_names("openai_api_key_file", "OPENAI_API_KEY_FILE"),
        description="File that holds the API key (for secret mounts).",
    )
    openai_base_url: str | None = Field(
        default=None,
        validation_alias=_names("openai_base_url", "OPENAI_BASE_URL"),
        description="Address of an OpenAI-compatible server, such as `http://localhost:8000/v1`.",
    )
    model: str = Field(
        default="gpt-6-luna",
        validation_alias=_names("model", "OPENAI_MODEL"),
        description="Name of the vision model.",
    )
    fallback_model: str | None = Field(
        default=None,
        validation_alias=_names("fallback_model"),
        description="Model to try if the first one refuses, stays unsure or returns unreadable answers.",
    )
    max_output_tokens: int = Field(
        default=600,
        ge=64,
        le=32_000,
        validation_alias=_names("max_output_tokens"),
        description="Maximum length of an answer, tokens. It counts in full against the tokens-per-minute "
        "limit, so keep it small.",
    )
    model_timeout_s: float = Field(
        default=60.0,
        gt=0,
        validation_alias=_names("model_timeout_s"),
        description="Maximum time for one request to the model.",
    )
    max_attempts: int = Field(
        default=6,
        ge=1,
        le=20,
        validation_alias=_names("max_attempts"),
        description="Maximum requests for one poster, retries and fallbacks included; 429 responses do not "
        "count.",
    )
    # limits
    requests_per_min: int | None = Field(
        default=None,
        ge=1,
        validation_alias=_names("requests_per_min", "VISION_REQUESTS_PER_MINUTE"),
        description="Maximum requests started in any 60 s. Unset: learned from the server's headers.",
    )
    tokens_per_min: int | None = Field(
        default=None,
        ge=1,
        validation_alias=_names("tokens_per_min", "VISION_TOKENS_PER_MINUTE"),
        description="Maximum tokens in any 60 s, input and reserved output. Unset: learned.",
    )
    request_delay_ms: float = Field(
        default=0.0,
        ge=0,
        validation_alias=_names("request_delay_ms", "VISION_REQUEST_DELAY_MS"),
        description="Minimum time between the starts of two requests, milliseconds.",
    )
    workers: int | Literal["auto"] = Field(
        default="auto",
        validation_alias=_names("workers"),
        description="Posters processed at the same time; `auto` adapts to the rate limit and the time per "
        "poster.",
    )
    max_workers: int = Field(
        default=200,
        ge=1,
        le=2000,
        validation_alias=_names("max_workers"),
        description="Maximum number of workers with `auto`.",
    )
    deadline_s: float = Field(
        default=180.0,
        gt=0,
        validation_alias=_names("deadline_s"),
        description="Maximum working time for one poster; waiting for the rate limit does not count.",
    )
    stuck_after_s: float = Field(
        default=90.0,
        gt=0,
        validation_alias=_names("stuck_after_s"),
        description="Posters that stay in one stage for longer than this are logged.",
    )
    breaker_failures: int = Field(
        default=20,
        ge=1,
        validation_alias=_names("breaker_failures"),
        description="The run stops after at least this many failed requests in a row ...",
    )
    breaker_s: float = Field(
        default=60.0,
        ge=0,
        validation_alias=_names("breaker_s"),
        description="... during at least this time.",
    )
    max_hold_s: float = Field(
        default=600.0,
        gt=0,
        validation_alias=_names("max_hold_s"),
        description="The longest wait that a server may ask for, such as by Retry-After. If it asks for a "
        "longer one (a day's limit), the run stops and can be resumed.",
    )
    input_usd_per_mtok: float | None = Field(
        default=None,
        ge=0,
        validation_alias=_names("input_usd_per_mtok"),
        description="Price of 1,000,000 input tokens, US dollars. Overrides the built-in price list.",
    )
    output_usd_per_mtok: float | None = Field(
        default=None,
        ge=0,
        validation_alias=_names("output_usd_per_mtok"),
        description="Price of 1,000,000 output tokens, US dollars. Overrides the built-in price list.",
    )
    max_cost_usd: float | None = Field(
        default=None,
        ge=0,
        validation_alias=_names("max_cost_usd"),
        description="The run stops before its cost, with the requests in flight, can exceed this.",
    )
    # input
    image_base: str | None = Field(
        default=None,
        pattern=r"^https?://",
        validation_alias=_names("image_base"),
        description="Address that relative image paths are appended to, such as "
        "`https://image.tmdb.org/t/p/w500`.",
    )
    input_encoding: str | None = Field(
        default=None,
        validation_alias=_names("input_encoding"),
        description="Encoding of text inputs, such as `cp1252`. Unset: detected.",
    )
    # verdicts
    pack: int = Field(
        default=1,
        ge=1,
        le=16,
        validation_alias=_names("pack"),
        description="Posters per request. More than 1 gets more posters through a limit of requests per "
        "minute; measure the accuracy on your own labels first.",
    )
    zones: tuple[str, ...] = Field(
        default=("red",),
        validation_alias=_names("zones"),
        description='Zones to check: presets or `NAME=x,y,w,h`, as a list: `["red", "logo=0,0.9,1,0.1"]`.',
    )
    zone: dict[str, tuple[float, float, float, float]] = Field(
        default_factory=dict,
        validation_alias=_names("zone"),
        description="Your own zones by name, `[zone]` in redzone.toml: `corner = [0, 0, 0.3, 0.2]`.",
    )
    view: ViewKind = Field(
        default=ViewKind.CROP,
        validation_alias=_names("view"),
        description="What to show the model first: the `crop` around the zones, or the whole `poster`.",
    )
    min_confidence_pct: float = Field(
        default=60.0,
        ge=0,
        le=100,
        validation_alias=_names("min_confidence_pct"),
        description="Verdicts below this confidence are `unsure`.",
    )
    max_image_pixels: int = Field(
        default=50_000_000,
        ge=1,
        validation_alias=_names("max_image_pixels"),
        description="Largest image to decode, pixels.",
    )
    decode_memory_mb: int = Field(
        default=236,
        ge=16,
        validation_alias=_names("decode_memory_mb"),
        description="Memory for decoding images, MB, shared by all workers. Images wait until they fit; one "
        "that takes more than this and more than 236 MB is an error.",
    )
    # cache
    enable_cache: bool = Field(
        default=True,
        validation_alias=_names("enable_cache", "ENABLE_ANALYSIS_CACHE"),
        description="Cache verdicts by image, so that no image is paid for twice.",
    )
    cache_expiry_hours: float = Field(
        default=168.0,
        gt=0,
        validation_alias=_names("cache_expiry_hours", "CACHE_EXPIRY_HOURS"),
        description="How long a cached verdict is used, hours.",
    )
    # fetching
    http_pool_connections: int = Field(
        default=100,
        ge=1,
        validation_alias=_names("http_pool_connections", "HTTP_POOL_CONNECTIONS"),
        description="Maximum idle connections to image servers.",
    )
    http_pool_maxsize: int = Field(
        default=200,
        ge=1,
        validation_alias=_names("http_pool_maxsize", "HTTP_POOL_MAXSIZE"),
        description="Maximum connections to image servers; at least the number of workers.",
    )
    fetch_timeout_s: float = Field(
        default=30.0,
        gt=0,
        validation_alias=_names("fetch_timeout_s"),
        description="Maximum time for one download, redirects included.",
    )
    fetch_retries: int = Field(
        default=3,
        ge=0,
        le=10,
        validation_alias=_names("fetch_retries"),
        description="Retries of a download after a temporary error.",
    )
    images_per_s: float | None = Field(
        default=None,
        gt=0,
        validation_alias=_names("images_per_s"),
        description="Maximum image downloads per second. Unset: no limit.",
    )
    image_user_agent: str | None = Field(
        default=None,
        pattern=r"^[\x20-\x7e]{1,500}$",
        validation_alias=_names("image_user_agent"),
        description="`User-Agent` header for images. Unset: `redzone/` and its version.",
    )
    image_referer: str | None = Field(
        default=None,
        pattern=r"^[\x20-\x7e]{1,500}$",
        validation_alias=_names("image_referer"),
        description="`Referer` header for images, for servers that refuse requests from elsewhere.",
    )
    max_image_bytes: int = Field(
        default=20_000_000,
        ge=1,
        validation_alias=_names("max_image_bytes"),
        description="Largest image to download, bytes.",
    )
    partial_download: bool = Field(
        default=False,
        validation_alias=_names("partial_download"),
        description="Download only the first 64 KiB of a poster if they cover the zone: fewer bytes, but "
        "a separate cache key.",
    )
    allow_private_hosts: bool = Field(
        default=False,
        validation_alias=_names("allow_private_hosts"),
        description="Also fetch images from private and loopback addresses (intranets, tests).",
    )
    # storage
    home: Path | None = Field(
        default=None,
        validation_alias=_names("home"),
        description="Folder for runs and cache. Unset: the nearest `.redzone/` in this or a parent folder, "
        "else a new `./.redzone/`.",
    )

    @field_validator("workers", mode="before")
    @classmethod
    def _count_or_auto(cls, value: object) -> object:
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value)
        if value != "auto" and not (isinstance(value, int) and value >= 1):
            raise ValueError("use `auto` or a number of at least 1")
        return value

    @field_validator("view")
    @classmethod
    def _drawn(cls, view: ViewKind) -> ViewKind:
        if view is ViewKind.PIXELS:
            raise ValueError("use crop or poster")
        return view

    @field_validator("openai_api_key")
    @classmethod
    def _sendable(cls, key: SecretStr | None) -> SecretStr | None:
        text = _checked_key(key.get_secret_value()) if key is not None else None
        return SecretStr(text) if text is not None else None

    @field_validator("openai_base_url")
    @classmethod
    def _without_credentials(cls, url: str | None) -> str | None:
        if url is None:
            return None
        example = "use an address such as http://localhost:8000/v1"
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError(example) from None  # its text may quote the address
        if any(character.isspace() or character in "\"'`" for character in url):
            raise ValueError("remove the spaces or quotes in or around the address")
        # it is shown, written to run.json and logged: no place for a password
        if "@" in parts.netloc or parts.fragment or not re.fullmatch(_API_VERSION, parts.query):
            raise ValueError(
                "the address may hold neither user:password@ nor a query other than ?api-version=...; "
                "set OPENAI_API_KEY for the key"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(example)
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Disables all sources but the arguments: `load` merges them, to know where each value comes from."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    def api_key(self) -> str | None:
        """The key from its setting or its file; None if there is none.

        Raises SettingsInvalid when the file cannot be read.
        """
        if self.openai_api_key is not None:
            return self.openai_api_key.get_secret_value()
        if self.openai_api_key_file is None:
            return None
        try:
            return _checked_key(self.openai_api_key_file.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsInvalid(
                f"openai_api_key_file: cannot read {self.openai_api_key_file}: {error.strerror}"
            ) from error
        except ValueError as error:
            raise SettingsInvalid(
                f"openai_api_key_file: {self.openai_api_key_file} does not hold a key (one line of ASCII)"
            ) from error


_QUOTES = ("'", '"', "`")
_API_VERSION = r"(api-version=[\w.-]{1,32})?"  # Azure's


def _checked_key(text: str) -> str | None:
    """The key without surrounding white space; None if it is empty. Raises ValueError.

    HTTP libraries quote an invalid header in their error, and the key with it, so it is checked here.
    """
    key = text.strip()
    if key[:1] in _QUOTES or key[-1:] in _QUOTES:
        raise ValueError("remove the quotes around the key")
    if key.lower().startswith("bearer"):
        raise ValueError("remove `Bearer` in front of the key")
    if any(map(str.isspace, key)):
        raise ValueError("remove the spaces in the key")
    if not (key.isascii() and key.isprintable()):
        raise ValueError("it contains a line break or another invalid character; copy it again")
    return key or None


def variables(name: str) -> tuple[str, ...]:
    """The environment variables of a setting, in order of precedence."""
    alias = Settings.model_fields[name].validation_alias
    assert isinstance(alias, AliasChoices)  # noqa: S101  every field is declared with _names
    return tuple(str(choice) for choice in alias.choices)
