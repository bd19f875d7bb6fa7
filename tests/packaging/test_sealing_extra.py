"""`sessions-backend[sealing]`: what seals comes along for who asks, and only then."""

import json

import pytest

from tests.packaging.building import make_environment
from tests.packaging.readme import switched_on
from tests.servers import Valkey

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

SEALED = """
from base64 import urlsafe_b64encode
SESSION_SEALING_KEYS = [urlsafe_b64encode(b"k" * 32).decode()]
"""
SAVE = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import django
django.setup()
from django.core.cache import caches
from sessions_backend.engine import SessionStore
session = SessionStore()
session.update({"tokens": {"access_token": "a-secret"}, "cart": {"margherita": 1}})
session.save()
raw = caches["sessions"].client.get_client().get(f"session:{session.session_key}")
read = dict(SessionStore(session.session_key).items())
print(json.dumps({"stored": raw.decode(), "read": read}))
"""


@pytest.fixture
def redis(tmp_path):
    with Valkey(tmp_path / "valkey") as redis:
        yield redis


@pytest.fixture
def make_project(tmp_path, redis):
    def made(package):
        environment = make_environment(tmp_path / "venv", "3.12", package)
        folder = tmp_path / "site"
        folder.mkdir()
        environment.run("-m", "django", "startproject", "project", folder, cwd=tmp_path)
        with (folder / "project" / "settings.py").open("a") as settings:
            settings.write(switched_on(redis.url) + SEALED)

        def run(*words):
            return environment.run(*words, cwd=folder, check=False)

        return run

    return made


def test_seals_where_it_was_asked_for(wheel, make_project):
    run = make_project(f"{wheel}[sealing]")

    checked = run("manage.py", "check", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr
    saved = run("-c", SAVE)

    assert saved.returncode == 0, saved.stderr
    answer = json.loads(saved.stdout)
    assert "a-secret" not in answer["stored"]
    assert '"cart":{"margherita":1}' in answer["stored"]
    assert answer["read"]["tokens"] == {"access_token": "a-secret"}


def test_says_what_is_missing_where_it_was_not(wheel, make_project):
    run = make_project(wheel)

    checked = run("manage.py", "check")
    saved = run("-c", SAVE)

    assert checked.returncode == 1
    assert "Install sessions-backend[sealing]." in checked.stderr
    assert saved.returncode == 1
    assert "needs the package cryptography" in saved.stderr
