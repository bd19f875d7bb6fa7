"""
A real Keycloak with the same realm, for ``make keycloak`` and the tests.

``python -m mario.devrealm.keycloak --port 8090`` runs one in the foreground, on
loopback, until SIGTERM. The distribution comes from ``KEYCLOAK_HOME`` or, once,
through Maven.
"""

import argparse
import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

from mario.devrealm.environment import REALM_FILE

VERSION = "26.7.4"
ADMIN_USERNAME = "admin"
_ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
_CACHE = Path("~/.cache/marios-pizzeria").expanduser()
_DOWNLOAD_SECONDS = 900
_BOOT_SECONDS = 240.0
_BUILD_OPTIONS = ["--health-enabled=true", "--http-management-health-enabled=false"]
# What the realm file's placeholders are filled from: another value, other realm.
_PLACEHOLDERS = (
    "SHOP_URL",
    "SHOP_COPY_URL",
    "SHOP_INTERNAL_URL",
    "KEYCLOAK_CLIENT_SECRET",
    "EVENT_PLAYER_URL",
)


class KeycloakUnavailable(Exception):
    """Keycloak cannot be had or does not start; the message says why."""


def missing() -> str | None:
    """Return why Keycloak cannot run on this machine, None if it can."""
    if not shutil.which("java"):
        return "Keycloak needs Java (JDK 17 or newer), and there is no `java` here."
    if os.environ.get("KEYCLOAK_HOME") or _distribution().is_dir():
        return None
    if not shutil.which("mvn"):
        return "Keycloak comes through Maven, and there is no `mvn` here."
    return None


def provision() -> Path:
    """
    Return the folder of an unpacked Keycloak, fetched at the first call.

    :raises KeycloakUnavailable: if Java or Maven is missing, or Maven fails
    """
    if reason := missing():
        raise KeycloakUnavailable(reason)
    if given := os.environ.get("KEYCLOAK_HOME"):
        if not (Path(given) / "bin" / "kc.sh").is_file():
            raise KeycloakUnavailable(f"KEYCLOAK_HOME={given} holds no bin/kc.sh.")
        return Path(given)
    home = _distribution()
    if not home.is_dir():
        _fetch(home)
    return home


def prepare(home: Path, variables: Mapping[str, str]) -> None:
    """
    Make ``home`` a Keycloak of its own with the realm ready for import.

    State of an earlier start is kept as long as the realm file and what fills
    it are the same: Keycloak never imports a realm twice, so another port or
    another file needs an empty database.
    """
    distribution = provision()
    # Written last: a copy that was interrupted is made again.
    whole = home / "distribution"
    if not whole.is_file() or whole.read_text() != str(distribution):
        _link_tree(distribution, home)
        whole.write_text(str(distribution))
    realm_file = Path(variables.get("REALM_FILE") or REALM_FILE)
    told = [variables.get(name, "") for name in _PLACEHOLDERS]
    mark = hashlib.sha256(
        b"\0".join([realm_file.read_bytes(), *(value.encode() for value in told)])
    ).hexdigest()
    mark_file = home / "realm.mark"
    if not mark_file.is_file() or mark_file.read_text() != mark:
        shutil.rmtree(home / "data", ignore_errors=True)
        (home / "data" / "import").mkdir(parents=True)
        shutil.copy(realm_file, home / "data" / "import" / "pyneuro-realm.json")
        _keep_secret(home / "admin-password")
        mark_file.write_text(mark)


def admin_password(home: Path) -> str:
    return (home / "admin-password").read_text()


def start(
    home: Path, *, port: int, variables: Mapping[str, str], log: Path | None = None
) -> subprocess.Popen[bytes]:
    """
    Start the Keycloak that ``prepare`` made, on loopback alone.

    It leads a process group of its own: end it with :func:`stop`.

    :raises KeycloakUnavailable: if the port is taken
    """
    _refuse_busy(port)
    environment = {
        **variables,
        "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN_USERNAME,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": admin_password(home),
    }
    command = [
        str(home / "bin" / "kc.sh"),
        "start-dev",
        "--import-realm",
        "--http-host=127.0.0.1",
        f"--http-port={port}",
        f"--hostname=http://localhost:{port}",
        *_BUILD_OPTIONS,
    ]
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else None
        return subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
        )


def wait_ready(
    process: subprocess.Popen[bytes], *, port: int, seconds: float = _BOOT_SECONDS
) -> None:
    """
    Return when Keycloak serves the realm.

    :raises KeycloakUnavailable: if it ended, or is not up in time
    """
    address = f"http://localhost:{port}/health/ready"
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise KeycloakUnavailable(
                f"Keycloak ended with exit code {process.returncode}."
            )
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(address, timeout=2),
        ):
            return
        time.sleep(0.25)
    raise KeycloakUnavailable(f"Keycloak is not ready after {seconds:.0f} s.")


def keep_build(home: Path) -> None:
    """
    Spare the next fresh home what this one, now ready, has built: 10 to 20 s.

    Keycloak refuses to `build` for development mode, so a first start is the
    only way. A KEYCLOAK_HOME of somebody's own is left out: its version and
    providers are unknown.
    """
    if os.environ.get("KEYCLOAK_HOME") or _build().is_dir():
        return
    copy = _CACHE / f"building-{os.getpid()}"
    shutil.copytree(home / "lib" / "quarkus", copy)
    # Two homes may be first at once; either's result will do.
    with contextlib.suppress(OSError):
        copy.rename(_build())
    shutil.rmtree(copy, ignore_errors=True)


def stop(process: subprocess.Popen[bytes], *, seconds: float = 20) -> None:
    """End Keycloak and what it started; by force if it takes too long."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
            return


def _distribution() -> Path:
    return _CACHE / f"keycloak-{VERSION}"


def _build() -> Path:
    return _CACHE / f"keycloak-{VERSION}-build"


def _fetch(home: Path) -> None:
    """Download and unpack into a folder that appears when it is whole."""
    sys.stderr.write(f"Fetching Keycloak {VERSION} through Maven (177 MB, once) ...\n")
    work = _CACHE / f"fetching-{os.getpid()}"
    work.mkdir(parents=True)
    try:
        _run(
            *("mvn", "-q", "-B", "dependency:copy", f"-Dartifact={_ARTIFACT}"),
            f"-DoutputDirectory={work}",
        )
        archive = work / f"keycloak-quarkus-dist-{VERSION}.zip"
        with zipfile.ZipFile(archive) as bundle:
            bundle.extractall(work)
        unpacked = work / f"keycloak-{VERSION}"
        (unpacked / "bin" / "kc.sh").chmod(0o755)
        # Two processes may have fetched at once; either's result will do.
        with contextlib.suppress(OSError):
            unpacked.rename(home)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run(*command: str) -> None:
    try:
        subprocess.run(  # noqa: S603 - our own command
            command, check=True, capture_output=True, timeout=_DOWNLOAD_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise KeycloakUnavailable(
            f"`{command[0]}` took longer than {_DOWNLOAD_SECONDS} s."
        ) from error
    except subprocess.CalledProcessError as error:
        said = (error.stdout + error.stderr).decode(errors="replace")[-2000:]
        raise KeycloakUnavailable(f"`{' '.join(command)}` failed:\n{said}") from error


def _link_tree(distribution: Path, home: Path) -> None:
    """
    Copy Keycloak without its 170 MB: hard links where nothing is written.

    Keycloak writes below ``lib/quarkus`` (its build) and ``data`` only, which a
    run must not share.
    """
    home.mkdir(parents=True, exist_ok=True)
    build = distribution / "lib" / "quarkus"
    # What an earlier try left is a link to the original: removed, not overwritten.
    for part in distribution.iterdir():
        left = home / part.name
        if left.is_file():
            left.unlink()
        elif part.name != "data":
            shutil.rmtree(left, ignore_errors=True)

    def place(source: str, target: str) -> str:
        if build not in Path(source).parents:
            with contextlib.suppress(OSError):
                os.link(source, target)
                return target
        return str(shutil.copy2(source, target))

    shutil.copytree(
        distribution,
        home,
        copy_function=place,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("data"),
    )
    if distribution == _distribution() and _build().is_dir():
        shutil.copytree(_build(), home / "lib" / "quarkus", dirs_exist_ok=True)


def _keep_secret(path: Path) -> None:
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(12))


def _refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise KeycloakUnavailable(
                f"Keycloak cannot listen on port {port} of 127.0.0.1: {error}. "
                "Another port is chosen with --port (make: REALM_PORT=)."
            ) from error


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m mario.devrealm.keycloak",
        description="Run a real Keycloak with the pyneuro realm, on loopback.",
    )
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--state", type=Path, default=Path("var/keycloak"))
    options = parser.parse_args(arguments)
    home = options.state.resolve()
    signal.signal(signal.SIGTERM, _interrupted)
    process = None
    try:
        prepare(home, os.environ)
        process = start(home, port=options.port, variables=os.environ)
        wait_ready(process, port=options.port)
        keep_build(home)
        address = f"http://localhost:{options.port}"
        sys.stdout.write(
            f"Keycloak {VERSION} is ready: {address}/realms/pyneuro\n"
            f"Its console: {address}/admin/ ({ADMIN_USERNAME}, password in "
            f"{home / 'admin-password'})\n"
        )
        sys.stdout.flush()
        return process.wait()
    except KeycloakUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        # A second signal must not leave Keycloak behind half stopped.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if process is not None:
            stop(process)


def _interrupted(signum: int, frame: object) -> None:
    del signum, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
