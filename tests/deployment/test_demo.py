"""`manage.py demo`, started for real: its servers, its memory, and how it ends."""

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
# One worker of xdist runs all of these: each start is five processes.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


class Demo:
    """A demo in a folder and on ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        self.output = folder / "output.txt"
        self.port, self.realm_port, self.valkey_port, self.live_port = _distinct_ports(
            4
        )
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        # Not this test run's own settings: the demo would keep to them.
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(Path.home()),
            "DEMO_VAR": str(self.var),
            "PORT": str(self.port),
            "REALM_PORT": str(self.realm_port),
            "VALKEY_PORT": str(self.valkey_port),
            "LIVE_PORT": str(self.live_port),
        }

    def run(self, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", "demo", *options],
            cwd=ROOT,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo"],
                cwd=ROOT,
                env=self.environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while "Ctrl-C ends everything" not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def family(self) -> list[psutil.Process]:
        """Every process under the supervisor: servers and their workers."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int) -> int:
        """Send the supervisor a signal and answer how it ended."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=40)

    def get(self, path: str) -> bytes:
        address = f"http://localhost:{self.port}{path}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            content: bytes = answer.read()
        return content

    def clean_up(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        family = self.family
        self.end(signal.SIGTERM)
        for process in psutil.wait_procs(family, timeout=5)[1]:
            process.kill()


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Demo]:
    """A demo that tests look at and leave as it is."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    try:
        demo.start()
        yield demo
    finally:
        demo.clean_up()


@pytest.fixture
def demo(tmp_path) -> Iterator[Demo]:
    """A demo that a test starts and ends itself."""
    demo = Demo(tmp_path)
    yield demo
    demo.clean_up()


class TestRunning:
    def test_serves_a_seeded_shop_and_a_realm(self, running):
        ready = json.loads(running.get("/ready"))
        discovery = (
            f"http://localhost:{running.realm_port}/realms/pyneuro"
            "/.well-known/openid-configuration"
        )
        with urllib.request.urlopen(discovery, timeout=10) as answer:
            issuer = json.load(answer)["issuer"]

        assert ready["ready"] is True
        assert ready["session_store"] == "redis"
        assert b"Margherita" in running.get("/menu/")
        assert issuer == f"http://localhost:{running.realm_port}/realms/pyneuro"

    def test_tells_addresses_logins_and_how_to_look_at_a_session(self, running):
        assert f"http://localhost:{running.port}\n" in running.said
        assert f"http://localhost:{running.realm_port}\n" in running.said
        for login in ("customer", "chef", "driver", "manager", "admin", "user"):
            assert login in running.said
        assert "password is: test" in running.said
        assert "manage.py sessions list" in running.said
        assert f"redis-cli -p {running.valkey_port} KEYS" in running.said

    def test_shows_which_store_the_shop_chose(self, running):
        url = f"redis://127.0.0.1:{running.valkey_port}/0"

        assert f"🔴 Using RedisSessionStore (url={url})" in running.said
        assert "✅ Redis connection successful" in running.said
        assert "🔐 JWKS cache pre-warmed" in running.said

    def test_listens_on_loopback_only(self, running):
        processes = [psutil.Process(running.process.pid), *running.family]
        listening = {
            connection.laddr.ip
            for process in processes
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening
        assert listening <= {"127.0.0.1", "::1"}

    def test_shows_no_tracebacks_to_visitors(self, running):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            running.get("/no-such-page/")

        assert refusal.value.code == 404
        assert b"urlpatterns" not in refusal.value.read()

    def test_keeps_secrets_from_other_people(self, running):
        for name in ("secret_key", "demo.env"):
            mode = stat.S_IMODE((running.var / name).stat().st_mode)
            assert mode == 0o600, name

    def test_status_prints_the_memory_of_each_process_and_the_store(self, running):
        status = running.run("--status")

        assert status.returncode == 0, status.stderr
        for process in running.family:
            assert re.search(rf" {process.pid} +\d+ +\d+\.\d MB", status.stdout)
        assert "is ready; sessions: redis" in status.stdout

    def test_a_second_copy_uses_the_same_servers(self, running):
        port = free_port()
        copy = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--copy"],
            cwd=ROOT,
            env=running.environ | {"PORT": str(port)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert copy.stdout
        try:
            said = ""
            while "Ctrl-C ends this copy" not in said:
                line = copy.stdout.readline()
                assert line, said
                said += line
            ready = f"http://localhost:{port}/ready"
            with urllib.request.urlopen(ready, timeout=10) as answer:
                store = json.load(answer)["session_store"]
        finally:
            copy.terminate()
            copy.communicate(timeout=30)

        assert store == "redis"
        assert f"redis://127.0.0.1:{running.valkey_port}/0" in said
        assert copy.returncode == 0

    def test_a_second_demo_in_the_same_folder_is_refused(self, running):
        names = ("PORT", "REALM_PORT", "VALKEY_PORT", "LIVE_PORT")
        ports = map(str, _distinct_ports(len(names)))
        refused = running.run(**dict(zip(names, ports, strict=True)))

        assert refused.returncode == 1
        assert f"runs already at http://localhost:{running.port}" in refused.stderr
        assert json.loads(running.get("/ready"))["ready"] is True


class TestPorts:
    @pytest.mark.parametrize("name", ["PORT", "REALM_PORT", "VALKEY_PORT", "LIVE_PORT"])
    def test_a_busy_one_is_named_before_anything_starts(self, demo, name):
        with socket.create_server(("127.0.0.1", 0)) as somebody:
            port = somebody.getsockname()[1]
            refused = demo.run(**{name: str(port)})

        assert refused.returncode == 1
        assert f"Port {port} is in use" in refused.stderr
        assert f"make run {name}=" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert list((demo.var / "log").iterdir()) == []

    @pytest.mark.parametrize("wrong", ["0", "65536", "http", "-1"])
    def test_what_is_no_port_is_refused(self, demo, wrong):
        refused = demo.run(PORT=wrong)

        assert refused.returncode == 1
        assert refused.stderr == f"PORT is {wrong!r}: it must be a port, 1 to 65535.\n"

    def test_two_servers_cannot_share_one(self, demo):
        refused = demo.run(PORT=str(demo.realm_port))

        assert refused.returncode == 1
        assert f"PORT and REALM_PORT are both {demo.realm_port}" in refused.stderr


class TestRefusals:
    def test_an_unknown_identity_provider(self, demo):
        refused = demo.run(IDP="facebook")

        assert refused.returncode == 1
        assert "IDP is 'facebook'" in refused.stderr

    def test_a_copy_of_nothing(self, demo):
        refused = demo.run("--copy")

        assert refused.returncode == 1
        assert "`make run`" in refused.stderr

    def test_the_status_of_nothing(self, demo):
        refused = demo.run("--status")

        assert refused.returncode == 1
        assert "No demo runs" in refused.stderr

    def test_wrong_settings_end_the_start_and_every_server(self, demo):
        refused = demo.run(SESSION_TIMEOUT_HOURS="soon", LOG_LEVEL="LOUD")

        assert refused.returncode == 1
        assert "SESSION_TIMEOUT_HOURS: " in refused.stderr
        assert "LOG_LEVEL: " in refused.stderr
        assert "Traceback" not in refused.stderr
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", demo.valkey_port), 1)


class TestEnding:
    def test_sigterm_ends_everything_and_the_next_start_finds_it_all_again(self, demo):
        demo.start()
        family = demo.family
        secret_key = (demo.var / "secret_key").read_text()
        with redis.Redis(port=demo.valkey_port) as client:
            client.set("mario_session:peach", "a session")
        with sqlite3.connect(demo.var / "pizzeria.sqlite3") as database:
            database.execute("PRAGMA user_version = 26")

        assert demo.end(signal.SIGTERM) == 0
        assert [process for process in family if process.is_running()] == []
        assert "Traceback" not in demo.said
        assert not (demo.var / "demo.env").exists()

        begun = time.monotonic()
        demo.start()
        assert time.monotonic() - begun < 60
        assert (demo.var / "secret_key").read_text() == secret_key
        with redis.Redis(port=demo.valkey_port) as client:
            assert client.get("mario_session:peach") == b"a session"
        with sqlite3.connect(demo.var / "pizzeria.sqlite3") as database:
            assert database.execute("PRAGMA user_version").fetchone() == (26,)

        assert demo.end(signal.SIGINT) == 0

    @pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="only Linux tells children"
    )
    def test_a_killed_supervisor_leaves_no_server_behind(self, demo):
        demo.start()
        family = demo.family
        assert len(family) >= 4

        demo.end(signal.SIGKILL)

        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == []

    def test_a_server_that_dies_ends_the_demo_with_the_end_of_its_log(self, demo):
        demo.start()
        family = demo.family
        servers = json.loads((demo.var / "run" / "demo.json").read_text())["servers"]

        os.kill(servers["valkey"][0], signal.SIGKILL)

        assert demo.process.wait(timeout=40) == 1
        assert "valkey ended with -9" in demo.said
        assert "Ready to accept connections" in demo.said
        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []


def _distinct_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]
