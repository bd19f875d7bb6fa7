"""
The environment of the application as one typed model.

Names are the upper-case names of the fields. Values come from the process's
environment, then from a `.env` file, then from the `var/demo.env` that a running
demo leaves behind, so that commands in the same checkout find its servers.
"""

import sys
from decimal import Decimal
from email.utils import parseaddr
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import dj_database_url
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sessions_backend import conf

BASE_DIR = Path(__file__).resolve().parent.parent

# The secret of the realm file that everybody can read; fine on one's own machine.
DEVELOPMENT_CLIENT_SECRET = "mario-secret-123"  # noqa: S105
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_MIN_SECRET_KEY_LENGTH = 50


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        allowed = ", ".join(f"{scheme}://" for scheme in schemes)
        try:
            parts = urlsplit(value)
            port_is_valid = parts.port is None or parts.port > 0
        except ValueError:
            port_is_valid = False
        if not port_is_valid or parts.scheme not in schemes:
            raise ValueError(f"must be an address that starts with {allowed}")
        if not (parts.hostname or parts.scheme == "unix"):
            raise ValueError(f"must name a host after {allowed}")
        return value

    return AfterValidator(check)


def _database_url(value: str) -> str:
    try:
        engine = dj_database_url.parse(value)["ENGINE"]
    except (ValueError, KeyError, dj_database_url.ParseError):
        engine = ""
    if not engine.endswith(("sqlite3", "postgresql")):
        raise ValueError(
            "must be a database address such as sqlite:///var/pizzeria.sqlite3 "
            "or postgres://user:password@host:5432/name"
        )
    return value


def _mail_address(value: str) -> str:
    _, address = parseaddr(value)
    name, _, domain = address.rpartition("@")
    if not (name and domain and value.isprintable()):
        raise ValueError("must be an address such as Mario <mario@example.com>")
    return value


def _key_prefix(value: str) -> str:
    if any(sign in value for sign in "*?[]{}") or not value.isprintable():
        raise ValueError("must be printable, without * ? [ ] { }")
    return value


def _secret_key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < _MIN_SECRET_KEY_LENGTH:
        raise ValueError(
            f"must have {_MIN_SECRET_KEY_LENGTH} characters or more; "
            "`python -c 'import secrets; print(secrets.token_urlsafe(50))'` makes one"
        )
    return value


def _key_secret(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < conf.SHORTEST_KEY_SECRET:
        raise ValueError(
            f"must have {conf.SHORTEST_KEY_SECRET} characters or more; "
            "`python -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one"
        )
    return value


def _sealing_keys(value: SecretStr) -> SecretStr:
    try:
        for text in value.get_secret_value().split(","):
            conf.sealing_key(text.strip())
    except ValueError:
        raise ValueError(
            "must be keys of 32 bytes in base64, separated by commas; `python -c "
            "'import secrets; print(secrets.token_urlsafe(32))'` makes one"
        ) from None
    return value


def _networks(values: list[str]) -> list[str]:
    for value in values:
        try:
            ip_network(value, strict=False)
        except ValueError:
            raise ValueError(f"{value!r} is no address and no network") from None
    return values


def _without_slash(value: str) -> str:
    return value.rstrip("/")


def _comma_separated(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


WebUrl = Annotated[str, _url("http", "https"), AfterValidator(_without_slash)]


class Environment(BaseSettings):
    """Everything the application reads from its environment."""

    model_config = SettingsConfigDict(
        env_file=(BASE_DIR / "var" / "demo.env", BASE_DIR / ".env"),
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    redis_enabled: bool = Field(
        default=True, description="Keep sessions in Redis; false keeps them in memory."
    )
    redis_url: Annotated[str, _url("redis", "rediss", "unix")] = Field(
        default="redis://redis:6379/0", description="Where Redis or Valkey answers."
    )
    redis_key_prefix: Annotated[str, AfterValidator(_key_prefix)] = Field(
        default="mario_session:",
        min_length=1,
        max_length=64,
        description="What every session's key starts with.",
    )
    session_timeout_hours: float = Field(
        default=24, gt=0, le=8760, description="Idle life of a session."
    )
    session_absolute_hours: float = Field(
        default=168, gt=0, le=8760, description="Longest life of a login."
    )
    session_redis_budget_ms: int = Field(
        default=250,
        ge=10,
        le=10_000,
        description="All the time that one request may wait for Redis.",
    )
    session_key_secret: Annotated[SecretStr, AfterValidator(_key_secret)] | None = (
        Field(
            default=None,
            description="With it Redis holds an HMAC of each session's id and no id; "
            "32 random characters or more. Changing it logs everybody out.",
        )
    )
    session_sealing_keys: Annotated[SecretStr, AfterValidator(_sealing_keys)] | None = (
        Field(
            default=None,
            description="With them the tokens in sessions are encrypted; keys of 32 "
            "bytes in base64, separated by commas. The first seals, all open.",
        )
    )

    keycloak_server_url: WebUrl = Field(
        default="http://keycloak:8080",
        description="Keycloak's address as the application reaches it.",
    )
    keycloak_public_url: WebUrl | None = Field(
        default=None,
        description="Keycloak's address as a browser reaches it, and the one its "
        "tokens name; KEYCLOAK_SERVER_URL when unset.",
    )
    keycloak_realm: str = Field(
        default="pyneuro", pattern=r"^[A-Za-z0-9_.-]+$", description="The realm."
    )
    keycloak_client_id: str = Field(
        default="mario-app", min_length=1, description="The shop's client in the realm."
    )
    keycloak_client_secret: SecretStr = Field(
        default=SecretStr(DEVELOPMENT_CLIENT_SECRET),
        description="The client's secret. The default is only for a realm on "
        "one's own machine or in the compose files.",
    )
    keycloak_api_clients: Annotated[
        list[str], NoDecode, BeforeValidator(_comma_separated)
    ] = Field(
        default=["mario-api", "mario-service"],
        description="Other clients of the realm whose access tokens may call the API, "
        "separated by commas.",
    )
    keycloak_logout_widens_to_subject: bool = Field(
        default=False,
        description="A back-channel logout ends every login of its person, not only "
        "the one it names; for Keycloak's issue 22914.",
    )
    keycloak_frontchannel_logout: bool = Field(
        default=False,
        description="Let Keycloak's logout page end logins in a frame.",
    )
    keycloak_pushed_requests: bool = Field(
        default=False,
        description="The shop tells Keycloak itself what a login asks for, and the "
        "browser brings only a name for it (RFC 9126).",
    )
    keycloak_step_up_acr: str = Field(
        default="",
        max_length=64,
        pattern=r"[\w.:-]*",
        description="Whoever does what matters must have logged in at this level of "
        "the realm's (`acr`), for example with a second factor; any when empty.",
    )
    dev_realm: bool = Field(
        default=False,
        description="The login is the embedded development realm; never deployed.",
    )

    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        default="sqlite:///var/pizzeria.sqlite3",
        description="Where menu, orders and users live.",
    )
    secret_key: Annotated[SecretStr, AfterValidator(_secret_key)] = Field(
        description="Signs cookies; 50 random characters or more.",
    )
    live_url: WebUrl | None = Field(
        default=None,
        description="Where a browser reaches the server of `/live/`, if that is "
        "another address than APP_URL.",
    )
    live_origins: Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)] = (
        Field(
            default=[],
            description="Other addresses whose pages may read the streams, separated "
            "by commas.",
        )
    )

    cloud_event_sink: Annotated[str, _url("http", "https")] | None = Field(
        default=None,
        description="Where `manage.py relay_events` brings what happened in the shop, "
        "as CloudEvents; unset, nothing is kept for anybody.",
    )
    cloud_event_source: str = Field(
        default="https://mario-pizzeria.io",
        min_length=1,
        max_length=200,
        description="The `source` of every event.",
    )
    cloud_event_type_prefix: str = Field(
        default="io.mario-pizzeria",
        pattern=r"^[a-z0-9.-]{1,60}$",
        description="What the `type` of every event starts with.",
    )

    shop_phone: str = Field(
        default="+1 202 555 0100",
        pattern=r"\+?[0-9][0-9 ()./-]{4,24}",
        description="Whom customers call; at the foot of every page.",
    )
    vat_percent: Decimal = Field(
        default=Decimal(10),
        ge=0,
        lt=100,
        decimal_places=2,
        description="The tax that prices contain, as carts and receipts say it; the "
        "default is Italy's rate for pizza. 0 says nothing.",
    )
    kitchen_waiting_minutes: int = Field(
        default=8,
        ge=1,
        le=240,
        description="From this age on the kitchen's board asks to hurry.",
    )
    kitchen_late_minutes: int = Field(
        default=12, ge=1, le=240, description="From this age on it calls an order late."
    )
    delivery_waiting_minutes: int = Field(
        default=10,
        ge=1,
        le=240,
        description="Ready for so long, and the drivers' board asks to hurry.",
    )
    delivery_late_minutes: int = Field(
        default=15,
        ge=1,
        le=240,
        description="Ready for so long, and it calls an order late.",
    )

    mail_server: Annotated[str, _url("smtp", "smtp+tls", "smtps")] | None = Field(
        default=None,
        description="Where `manage.py send_mails` hands over what customers are told "
        "of their orders, for example `smtp+tls://user:password@mail.example.com:587`"
        " (STARTTLS), `smtps://...` or `smtp://...`; unset, no e-mail is sent.",
    )
    mail_from: Annotated[str, AfterValidator(_mail_address)] = Field(
        default="Mario's Pizzeria <pizzeria@localhost>",
        description="Whom those e-mails are from.",
    )

    debug: bool = Field(default=False, description="Show tracebacks in the browser.")
    allowed_hosts: Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)] = (
        Field(
            default=["localhost", "127.0.0.1"],
            description="Host names the shop answers to, separated by commas.",
        )
    )
    app_url: WebUrl = Field(
        default="http://localhost:8080",
        description="The shop's public address; https makes its cookies Secure.",
    )
    trusted_proxies: Annotated[
        list[str],
        NoDecode,
        BeforeValidator(_comma_separated),
        AfterValidator(_networks),
    ] = Field(
        default=[],
        description="Addresses or networks, separated by commas, whose "
        "X-Forwarded-For names the client; nobody's is believed when empty.",
    )
    logins_per_minute: int = Field(
        default=120,
        ge=1,
        le=100_000,
        description="How often one address, or one person, may begin a login.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="The least important message that is logged."
    )

    @model_validator(mode="after")
    def _check_lifetimes(self) -> Self:
        if self.session_absolute_hours < self.session_timeout_hours:
            raise ValueError(
                "SESSION_ABSOLUTE_HOURS: must be SESSION_TIMEOUT_HOURS or longer"
            )
        return self

    @property
    def sealing_keys(self) -> list[str]:
        if self.session_sealing_keys is None:
            return []
        keys = self.session_sealing_keys.get_secret_value().split(",")
        return [key.strip() for key in keys]

    @property
    def issuer(self) -> str:
        """The `iss` of every token, exactly as Keycloak writes it."""
        return f"{self.public_url}/realms/{self.keycloak_realm}"

    @property
    def public_url(self) -> str:
        return self.keycloak_public_url or self.keycloak_server_url

    @property
    def is_secure(self) -> bool:
        return self.app_url.startswith("https://")

    @property
    def uses_development_secret(self) -> bool:
        """
        Whether a client secret that everybody can read meets a foreign browser.

        `check --deploy` refuses this; a shop on one's own machine may have it.
        """
        return (
            self.keycloak_client_secret.get_secret_value() == DEVELOPMENT_CLIENT_SECRET
            and urlsplit(self.public_url).hostname not in _LOOPBACK
        )


@cache
def load() -> Environment:
    """
    Read the environment once per process.

    :raises pydantic.ValidationError: if a value is missing or not allowed
    """
    return Environment()


def mistakes(error: ValidationError) -> list[str]:
    """Say every mistake in a line of its own, the variable's name first."""
    lines = []
    for mistake in error.errors(include_url=False, include_input=False):
        message = mistake["msg"].removeprefix("Value error, ")
        message = message.replace("Input should be", "must be")
        if mistake["type"].startswith("bool_"):
            message = "must be true or false"
        name = ".".join(str(part) for part in mistake["loc"][:1]).upper()
        if mistake["type"] == "missing":
            message = "must be set. " + (
                Environment.model_fields[name.lower()].description or ""
            )
        lines.append(f"{name}: {message}" if name else message)
    return lines


def load_or_exit() -> Environment:
    """Read the environment, or print what is wrong with it and leave with 1."""
    try:
        return load()
    except ValidationError as error:
        for line in mistakes(error):
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
        # A worker of gunicorn that merely raised would be started again for ever.
        raise SystemExit(1) from None
