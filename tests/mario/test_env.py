import subprocess
import sys

import pytest
from pydantic import ValidationError

from mario import env
from tests.shop import ROOT, SECRET_KEY


def environment(monkeypatch, **values: str) -> env.Environment:
    for name in env.Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {"SECRET_KEY": SECRET_KEY, **values}.items():
        monkeypatch.setenv(name, value)
    return env.Environment(_env_file=None)


def manage(*arguments: str, **values: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin", **values},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestDefaults:
    def test_are_those_that_were_asked_for(self, monkeypatch):
        read = environment(monkeypatch)

        assert read.redis_enabled is True
        assert read.redis_url == "redis://redis:6379/0"
        assert read.redis_key_prefix == "mario_session:"
        assert read.session_timeout_hours == 24
        assert read.keycloak_realm == "pyneuro"
        assert read.keycloak_client_id == "mario-app"
        assert read.debug is False

    def test_the_issuer_is_the_address_that_browsers_see(self, monkeypatch):
        read = environment(
            monkeypatch,
            KEYCLOAK_SERVER_URL="http://keycloak:8080/",
            KEYCLOAK_PUBLIC_URL="http://localhost:8090/",
        )

        assert read.issuer == "http://localhost:8090/realms/pyneuro"
        assert read.keycloak_server_url == "http://keycloak:8080"

    def test_a_dotenv_file_is_read_and_the_environment_wins(
        self, monkeypatch, tmp_path
    ):
        environment(monkeypatch, SESSION_TIMEOUT_HOURS="8")
        dotenv = tmp_path / ".env"
        dotenv.write_text(
            "REDIS_URL=redis://localhost:6380/0\nSESSION_TIMEOUT_HOURS=12\n"
        )

        read = env.Environment(_env_file=dotenv)

        assert read.redis_url == "redis://localhost:6380/0"
        assert read.session_timeout_hours == 8


class TestMistakes:
    def test_each_has_a_line_with_its_name_and_what_is_allowed(self):
        result = manage(
            "check",
            SECRET_KEY="short",
            REDIS_ENABLED="perhaps",
            REDIS_URL="http://redis",
            REDIS_KEY_PREFIX="all*",
            SESSION_TIMEOUT_HOURS="-1",
            SESSION_REDIS_BUDGET_MS="soon",
            KEYCLOAK_SERVER_URL="keycloak:8080",
            DATABASE_URL="oracle",
            LOG_LEVEL="loud",
        )

        lines = result.stderr.splitlines()
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
        assert {line.partition(":")[0] for line in lines} == {
            "SECRET_KEY",
            "REDIS_ENABLED",
            "REDIS_URL",
            "REDIS_KEY_PREFIX",
            "SESSION_TIMEOUT_HOURS",
            "SESSION_REDIS_BUDGET_MS",
            "KEYCLOAK_SERVER_URL",
            "DATABASE_URL",
            "LOG_LEVEL",
        }
        assert "REDIS_ENABLED: must be true or false" in lines

    def test_no_value_is_repeated(self):
        result = manage("check", SECRET_KEY="hunter2")

        assert "hunter2" not in result.stdout + result.stderr

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("REDIS_URL", "redis://"),
            ("REDIS_URL", "redis://host:port/0"),
            ("REDIS_URL", "redis://host:99999/0"),
            ("SESSION_TIMEOUT_HOURS", "0"),
            ("SESSION_TIMEOUT_HOURS", "nan"),
            ("SESSION_TIMEOUT_HOURS", "1e9"),
            ("SESSION_ABSOLUTE_HOURS", "1"),
            ("SESSION_REDIS_BUDGET_MS", "0"),
            ("KEYCLOAK_REALM", "a/b"),
            ("DATABASE_URL", "mysql://shop@db/shop"),
            ("KEYCLOAK_PUBLIC_URL", "javascript:alert(1)"),
        ],
        ids=lambda value: value,
    )
    def test_is_named(self, monkeypatch, name: str, value: str):
        with pytest.raises(ValidationError) as caught:
            environment(monkeypatch, **{name: value})

        (line,) = env.mistakes(caught.value)
        assert line.startswith(name)

    def test_gunicorn_stops_instead_of_trying_for_ever(self):
        result = subprocess.run(
            [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0"],
            cwd=ROOT,
            env={"PATH": "/usr/bin", "SECRET_KEY": "short"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

        assert result.returncode == 1
        assert result.stderr.startswith("SECRET_KEY: must have 50")
        assert "Traceback" not in result.stderr
