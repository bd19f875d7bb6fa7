"""The wheel alone in a project that `django-admin startproject` has just made."""

import re
import shutil
from pathlib import Path

import pytest

from tests.packaging.building import ROOT, make_environment
from tests.packaging.readme import switched_on
from tests.servers import Valkey

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

ASK_WHERE = (
    "import django, platform, sessions_backend;"
    "print(django.__version__, platform.python_version(), sessions_backend.__file__)"
)
VISITOR = Path(__file__).with_name("visitor")


@pytest.fixture(
    params=[
        pytest.param((django, python), id=f"Django {django}, Python {python}")
        for django in ("5.2", "6.1")
        for python in ("3.12", "3.13")
    ]
)
def versions(request):
    return request.param


@pytest.fixture
def environment(versions, wheel, tmp_path):
    django, python = versions
    return make_environment(tmp_path / "venv", python, wheel, f"django~={django}.0")


@pytest.fixture
def redis(tmp_path):
    with Valkey(tmp_path / "valkey") as redis:
        yield redis


@pytest.fixture
def project(environment, redis, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    environment.run("-m", "django", "startproject", "project", folder, cwd=tmp_path)
    with (folder / "project" / "settings.py").open("a") as settings:
        settings.write(switched_on(redis.url))
    for name in ("smoke.py", "djangos_own.py"):
        shutil.copy(VISITOR / name, folder / "project")
    shutil.copy(ROOT / "tests/sessions_backend/django_suite.py", folder / "project")
    return folder


def test_serves_a_project_that_follows_the_readme(
    environment, versions, project, redis
):
    def manage(*arguments, **variables):
        return environment.run(
            *("-W", "error", "manage.py", *arguments), cwd=project, **variables
        )

    django, python = versions
    where = environment.run("-c", ASK_WHERE, cwd=project).stdout.split()
    assert where[0].startswith(f"{django}.")
    assert where[1].startswith(f"{python}.")
    assert where[2].startswith(str(environment.folder))
    assert "no issues" in manage("check", "--fail-level", "WARNING").stdout

    tests = manage(
        *("test", "project.smoke", "project.djangos_own"),
        REDIS_PID=str(redis.process.pid),
    )

    ran = re.search(r"Ran (\d+) tests .*\n\nOK\n", tests.stderr)
    assert ran, tests.stderr
    assert int(ran[1]) > 90
