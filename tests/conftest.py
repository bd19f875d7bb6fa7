import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import redis
from _pytest.nodeid import NodeId

from tests.environment import STATE, VALKEY
from tests.servers import Valkey

REQUIRED = {name for name in os.environ.get("REQUIRE", "").split(",") if name}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_report_header() -> str:
    with redis.Redis(port=VALKEY.port) as client:
        server = client.info("server")
    packages = ("Django", "django-redis", "redis", "mozilla-django-oidc")
    versions = [f"{name} {version(name)}" for name in packages]
    return ", ".join([*versions, f"Valkey {server['valkey_version']}"])


def _missing_tools() -> dict[str, str]:
    missing = {}
    if CHROMIUM is None:
        missing["browser"] = "no Chromium on PATH"
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        missing["postgresql"] = "no /usr/lib/postgresql/*/bin/initdb"
    if shutil.which("java") is None:
        missing["java"] = "no java on PATH"
    without = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if without:
        missing["keycloak"] = f"no {' and no '.join(without)} on PATH"
    return missing


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = _missing_tools()
    if lacking := REQUIRED & missing.keys():
        reasons = ", ".join(f"{name}: {missing[name]}" for name in sorted(lacking))
        raise pytest.UsageError(f"REQUIRE cannot be met: {reasons}")
    for item in items:
        if item.get_closest_marker("keycloak"):
            # One Keycloak for the run, not one for each process of xdist.
            item.add_marker(pytest.mark.xdist_group("keycloak"))
        for name, reason in missing.items():
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """
    Tell xdist of the groups, by the ends of ids.

    Its own hook (3.8) writes them where pytest (9.2) no longer reads them, and
    each group's servers were started in both processes.
    """
    if session.config.getoption("loadgroup", False):
        for item in session.items:
            groups = {str(mark.args[0]) for mark in item.iter_markers("xdist_group")}
            if groups:
                named = f"{item.nodeid}@{'_'.join(sorted(groups))}"
                item._id = NodeId.parse(named)


def pytest_sessionfinish() -> None:
    """Let the engine's threads end while there is still somewhere to log to."""
    from sessions_backend import failover  # noqa: PLC0415  # after the settings

    failover.reset()


@pytest.fixture(scope="session")
def valkey() -> Valkey:
    """The process's real Valkey; a test that stops it starts it again."""
    return VALKEY


@pytest.fixture
def redis_client(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis(port=valkey.port, decode_responses=True) as client:
        yield client


@pytest.fixture(autouse=True)
def _empty_redis(valkey: Valkey) -> None:
    with redis.Redis(port=valkey.port) as client:
        client.flushall()


@pytest.fixture(scope="module")
def browser():
    """
    A headless Chromium, for one module.

    Playwright keeps an event loop running in this thread as long as it lives, in
    which asynchronous tests of other modules cannot run.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=CHROMIUM_FLAGS
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix) -> None:
    """
    Keep the test database in a file, as the shop does.

    Django's default, a database in memory, knows other locks: threads that write at
    once are refused there, not made to wait.
    """
    from django.conf import settings  # noqa: PLC0415

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"]["NAME"] = str(STATE / "tests.sqlite3")
