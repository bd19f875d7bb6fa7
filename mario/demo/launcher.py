"""`manage.py demo` and `make run`: from arguments to an exit code."""

import fcntl
import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from mario.demo import (
    banner,
    console,
    environment,
    folders,
    leash,
    options,
    ports,
    services,
    state,
    status,
)
from mario.demo.errors import DemoFailed, StopRequested
from mario.demo.folders import Folders
from mario.demo.options import Options
from mario.demo.readiness import answers_http
from mario.demo.supervisor import Supervisor

_FOREIGN_REALM_SECONDS = 10


def main(arguments: list[str]) -> int:
    """Run the demo until a signal ends it; 0 then, 1 when something went wrong."""
    return run(options.parse(arguments))


def run(chosen: Namespace) -> int:
    if chosen.end_with_parent:
        leash.end_with_parent(os.getppid())
    try:
        _run_mode(chosen, options.from_process(chosen), folders.from_process())
    except StopRequested:
        console.say("Stopped.")
    except DemoFailed as error:
        console.complain(str(error))
        return 1
    return 0


def _run_mode(chosen: Namespace, wanted: Options, places: Folders) -> None:
    if chosen.status:
        status.show(places)
        return
    places.make()
    if chosen.copy:
        _run_copy(wanted, places, chosen)
    elif chosen.only_keycloak:
        _run_keycloak(wanted, places)
    else:
        _run_demo(wanted, places)


def _run_demo(wanted: Options, places: Folders) -> None:
    starts_realm = wanted.realm_url is None
    starts_valkey = wanted.redis_url is None
    needed = {"PORT": wanted.port, "LIVE_PORT": wanted.live_port}
    if starts_realm:
        needed["REALM_PORT"] = wanted.realm_port
    if starts_valkey:
        needed["VALKEY_PORT"] = wanted.valkey_port
    _require_free(needed, places)
    settings = environment.of_the_shop(wanted, places, os.environ)

    with _only_one(places), Supervisor(places) as supervisor:
        console.say("Mario's Pizzeria is starting.")
        if starts_valkey:
            supervisor.start(services.valkey(wanted, places))
        if starts_realm:
            placeholders = environment.of_the_realm(wanted, places)
            supervisor.start(services.realm(wanted, places, placeholders))
        if starts_valkey:
            supervisor.wait_until_ready("valkey")
        environment.write(places.environment, settings)
        supervisor.run("migrate", ["migrate", "--no-input"], settings)
        supervisor.run("seed_menu", ["seed_menu"], settings)
        console.report("database", "migrated, menu seeded")
        if starts_realm:
            supervisor.wait_until_ready(services.realm_name(wanted))
        else:
            _look_for_realm(supervisor, settings["KEYCLOAK_SERVER_URL"])
        supervisor.start(services.shop("shop", wanted.port, settings))
        supervisor.start(services.live(wanted, settings))
        supervisor.wait_until_ready("shop")
        supervisor.wait_until_ready("live")
        supervisor.relay("shop")
        with _noted(places, state.DEMO, wanted, supervisor):
            banner.show_demo(wanted, settings)
            supervisor.watch()


def _run_copy(wanted: Options, places: Folders, chosen: Namespace) -> None:
    demo = state.find(places)
    if demo is None:
        raise DemoFailed("No demo runs in this checkout: start one with `make run`.")
    port = wanted.port if chosen.port or os.environ.get("PORT") else wanted.copy_port
    _require_free({"PORT": port}, places)
    url = f"http://localhost:{port}"
    settings = environment.read(places.environment) | {"APP_URL": url}
    name = f"copy-{port}"

    with Supervisor(places) as supervisor:
        supervisor.start(services.shop(name, port, settings))
        supervisor.wait_until_ready(name)
        supervisor.relay(name)
        with _noted(places, name, wanted, supervisor):
            banner.show_copy(url, demo, port)
            supervisor.watch()


def _run_keycloak(wanted: Options, places: Folders) -> None:
    wanted = replace(wanted, uses_keycloak=True)
    ports.require_free({"REALM_PORT": wanted.realm_port})
    with Supervisor(places) as supervisor:
        placeholders = environment.of_the_realm(wanted, places)
        supervisor.start(services.realm(wanted, places, placeholders))
        supervisor.wait_until_ready(services.realm_name(wanted))
        banner.show_keycloak(wanted)
        supervisor.watch()


def _require_free(needed: dict[str, int], places: Folders) -> None:
    try:
        ports.require_free(needed)
    except DemoFailed as error:
        if running := state.find(places):
            raise DemoFailed(
                f"{error}\nA demo of this checkout runs already at "
                f"{running.shop_url} (process {running.supervisor})."
            ) from error
        raise


def _look_for_realm(supervisor: Supervisor, url: str) -> None:
    page = services.discovery(url)
    if supervisor.wait_for(answers_http(page), _FOREIGN_REALM_SECONDS):
        console.report("realm", f"{url:<32} found running")
    else:
        console.complain(
            f"WARNING: no realm answers at {page}. The shop starts; "
            "logging in works once the realm does."
        )


@contextmanager
def _only_one(places: Folders) -> Iterator[None]:
    """
    Keep a second demo away from this checkout's Valkey file and settings.

    :raises DemoFailed: if one runs already
    """
    with (places.running / "lock").open("w") as lock:
        try:
            # Released by the system when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            running = state.find(places)
            where = f" at {running.shop_url}" if running else ""
            raise DemoFailed(
                f"A demo of this checkout runs already{where}. "
                "`make run-copy` starts a second shop beside it."
            ) from None
        try:
            yield
        finally:
            places.environment.unlink(missing_ok=True)


@contextmanager
def _noted(
    places: Folders, name: str, wanted: Options, supervisor: Supervisor
) -> Iterator[None]:
    shop_port = supervisor.servers[name if name != state.DEMO else "shop"][1]
    state.note(
        places,
        name,
        shop_url=f"http://localhost:{shop_port}",
        copy_port=wanted.copy_port,
        servers=supervisor.servers,
    )
    try:
        yield
    finally:
        state.forget(places, name)
