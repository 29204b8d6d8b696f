"""Every setting: its names, its bounds, its default and what it means. `configuration` reads them.

Each has a `REDZONE_` name; the names in `also` are those that users of other tools already have.
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

# What a user may have put a secret into, rightly or not: an error names the setting, never its value.
HIDDEN = frozenset({"openai_api_key", "openai_api_key_file", "openai_base_url"})

Provider = Literal["auto", "openai", "local"]


def _names(name: str, *also: str) -> AliasChoices:
    return AliasChoices(f"{ENV_PREFIX}{name.upper()}", *also)


class Settings(BaseSettings):
    """What a run may be told. Times are seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        populate_by_name=True,
        extra="ignore",
        env_ignore_empty=True,
        case_sensitive=False,
        frozen=True,
        hide_input_in_errors=True,  # a traceback prints the cause, too
        allow_inf_nan=False,
    )

    # model
    provider: Provider = Field(
        default="auto",
        validation_alias=_names("provider"),
        description="Who judges: `openai` (or a compatible server), `local`, or `auto`: openai where a key "
        "or a base URL is set, else local.",
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=_names("openai_api_key", "OPENAI_API_KEY"),
        description="The API key. From the environment, `.env` or a file only.",
    )
    openai_api_key_file: Path | None = Field(
        default=None,
        validation_alias=_names("openai_api_key_file", "OPENAI_API_KEY_FILE"),
        description="A file whose content is the API key (for secret mounts).",
    )
    openai_base_url: str | None = Field(
        default=None,
        validation_alias=_names("openai_base_url", "OPENAI_BASE_URL"),
        description="Address of an OpenAI-compatible server, such as `http://localhost:8000/v1`.",
    )
    model: str = Field(
        default="gpt-6-luna",
        validation_alias=_names("model", "OPENAI_MODEL"),
        description="The vision model that is asked.",
    )
    fallback_model: str | None = Field(
        default=None,
        validation_alias=_names("fallback_model"),
        description="A model to ask when the first one refuses, stays unsure or answers unreadably.",
    )
    max_output_tokens: int = Field(
        default=600,
        ge=64,
        le=32_000,
        validation_alias=_names("max_output_tokens"),
        description="Longest answer, tokens. It is reserved from the tokens-per-minute limit: keep it tight.",
    )
    model_timeout_s: float = Field(
        default=60.0,
        gt=0,
        validation_alias=_names("model_timeout_s"),
        description="Longest time for one request to the model.",
    )
    max_attempts: int = Field(
        default=6,
        ge=1,
        le=20,
        validation_alias=_names("max_attempts"),
        description="Most requests for one poster, retries and fallbacks together (429 answers not counted).",
    )
    # limits
    requests_per_min: int | None = Field(
        default=None,
        ge=1,
        validation_alias=_names("requests_per_min", "VISION_REQUESTS_PER_MINUTE"),
        description="Most request starts in any 60 s. Unset: learned from the server's headers.",
    )
    tokens_per_min: int | None = Field(
        default=None,
        ge=1,
        validation_alias=_names("tokens_per_min", "VISION_TOKENS_PER_MINUTE"),
        description="Most tokens in any 60 s, input and reserved output. Unset: learned.",
    )
    request_delay_ms: float = Field(
        default=0.0,
        ge=0,
        validation_alias=_names("request_delay_ms", "VISION_REQUEST_DELAY_MS"),
        description="Least distance between two request starts, milliseconds.",
    )
    workers: int | Literal["auto"] = Field(
        default="auto",
        validation_alias=_names("workers"),
        description="Posters in hand at the same time; `auto` follows the rate and the seconds per poster.",
    )
    max_workers: int = Field(
        default=200,
        ge=1,
        le=2000,
        validation_alias=_names("max_workers"),
        description="Most workers that `auto` may use.",
    )
    deadline_s: float = Field(
        default=180.0,
        gt=0,
        validation_alias=_names("deadline_s"),
        description="Longest working time for one poster; waiting for the rate limit does not count.",
    )
    stuck_after_s: float = Field(
        default=90.0,
        gt=0,
        validation_alias=_names("stuck_after_s"),
        description="A poster longer than this in one stage is named in the log.",
    )
    breaker_failures: int = Field(
        default=20,
        ge=1,
        validation_alias=_names("breaker_failures"),
        description="The run stops when at least this many requests in a row have failed ...",
    )
    breaker_s: float = Field(
        default=60.0,
        ge=0,
        validation_alias=_names("breaker_s"),
        description="... over at least this time.",
    )
    input_usd_per_mtok: float | None = Field(
        default=None,
        ge=0,
        validation_alias=_names("input_usd_per_mtok"),
        description="Price of 1,000,000 input tokens, where the built-in price list is wrong or silent.",
    )
    output_usd_per_mtok: float | None = Field(
        default=None,
        ge=0,
        validation_alias=_names("output_usd_per_mtok"),
        description="Price of 1,000,000 output tokens, likewise.",
    )
    max_cost_usd: float | None = Field(
        default=None,
        ge=0,
        validation_alias=_names("max_cost_usd"),
        description="The run stops before its cost, requests in flight included, can exceed this.",
    )
    # judging
    pack: int = Field(
        default=1,
        ge=1,
        le=16,
        validation_alias=_names("pack"),
        description="Posters asked about in one request. More than 1 passes a limit of requests per minute; "
        "measure the accuracy with your own labels before you trust it.",
    )
    zones: tuple[str, ...] = Field(
        default=("red",),
        validation_alias=_names("zones"),
        description='Zones to judge: presets or `NAME=x,y,w,h`, as a list: `["red", "logo=0,0.9,1,0.1"]`.',
    )
    zone: dict[str, tuple[float, float, float, float]] = Field(
        default_factory=dict,
        validation_alias=_names("zone"),
        description="Zones of your own by name, `[zone]` in redzone.toml: `corner = [0, 0, 0.3, 0.2]`.",
    )
    view: ViewKind = Field(
        default=ViewKind.CROP,
        validation_alias=_names("view"),
        description="What a model is shown first: the `crop` round the zones, or the whole `poster`.",
    )
    min_confidence_pct: float = Field(
        default=60.0,
        ge=0,
        le=100,
        validation_alias=_names("min_confidence_pct"),
        description="A verdict below this confidence is `unsure`.",
    )
    max_image_pixels: int = Field(
        default=50_000_000,
        ge=1,
        validation_alias=_names("max_image_pixels"),
        description="Largest picture that is decoded, pixels.",
    )
    # cache
    enable_cache: bool = Field(
        default=True,
        validation_alias=_names("enable_cache", "ENABLE_ANALYSIS_CACHE"),
        description="Remember verdicts by picture, so that none is paid for twice.",
    )
    cache_expiry_hours: float = Field(
        default=168.0,
        gt=0,
        validation_alias=_names("cache_expiry_hours", "CACHE_EXPIRY_HOURS"),
        description="How long a remembered verdict is used, hours.",
    )
    # fetching
    http_pool_connections: int = Field(
        default=100,
        ge=1,
        validation_alias=_names("http_pool_connections", "HTTP_POOL_CONNECTIONS"),
        description="Idle connections kept open for images.",
    )
    http_pool_maxsize: int = Field(
        default=200,
        ge=1,
        validation_alias=_names("http_pool_maxsize", "HTTP_POOL_MAXSIZE"),
        description="Most connections for images; raised to the number of workers where it is lower.",
    )
    fetch_timeout_s: float = Field(
        default=30.0,
        gt=0,
        validation_alias=_names("fetch_timeout_s"),
        description="Longest time for one download, redirects included.",
    )
    fetch_retries: int = Field(
        default=3,
        ge=0,
        le=10,
        validation_alias=_names("fetch_retries"),
        description="Further downloads after a passing fault.",
    )
    images_per_s: float | None = Field(
        default=None,
        gt=0,
        validation_alias=_names("images_per_s"),
        description="Most downloads of images in a second, for image servers that want it. Unset: no bound.",
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
        description="Largest image that is downloaded, bytes.",
    )
    partial_download: bool = Field(
        default=False,
        validation_alias=_names("partial_download"),
        description="Download only the first 64 KiB of a poster where they show the zone: fewer bytes, "
        "another cache key.",
    )
    allow_private_hosts: bool = Field(
        default=False,
        validation_alias=_names("allow_private_hosts"),
        description="Allow images from private and loopback addresses (intranets, tests).",
    )
    # place
    home: Path | None = Field(
        default=None,
        validation_alias=_names("home"),
        description="Folder of runs and cache. Unset: the nearest `.redzone/` upward, else `./.redzone/`.",
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
        """The command line only: `load` merges the other sources, so that it can say which one won."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    def api_key(self) -> str | None:
        """The key from its setting or its file; None where there is none.

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
                f"openai_api_key_file: {self.openai_api_key_file} holds no key: it must be one line of ASCII"
            ) from error


_QUOTES = ("'", '"', "`")
_API_VERSION = r"(api-version=[\w.-]{1,32})?"  # Azure's


def _checked_key(text: str) -> str | None:
    """The key without white space round it; None where nothing is left. Raises ValueError.

    HTTP libraries quote an impossible header in their error, and the key with it: so it never gets there.
    """
    key = text.strip()
    if key[:1] in _QUOTES or key[-1:] in _QUOTES:
        raise ValueError("remove the quotes around the key")
    if key.lower().startswith("bearer"):
        raise ValueError("remove `Bearer` in front of the key")
    if any(map(str.isspace, key)):
        raise ValueError("remove the spaces in the key")
    if not (key.isascii() and key.isprintable()):
        raise ValueError("it holds a line break or another character that no key has; copy it again")
    return key or None


def variables(name: str) -> tuple[str, ...]:
    """The environment variables of a setting, the strongest first."""
    alias = Settings.model_fields[name].validation_alias
    assert isinstance(alias, AliasChoices)  # noqa: S101  every field is declared with _names
    return tuple(str(choice) for choice in alias.choices)
