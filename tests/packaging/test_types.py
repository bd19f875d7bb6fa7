"""What a type checker sees of the installed wheel."""

import shutil
from pathlib import Path

import pytest

from tests.packaging.building import make_environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

CONSUMER = Path(__file__).parent / "visitor" / "consumer.py"
STRICT = """\
[mypy]
strict = True
plugins = mypy_django_plugin.main
cache_dir = .mypy_cache
[mypy.plugins.django-stubs]
django_settings_module = settings
[mypy-django_redis.*]
ignore_missing_imports = True
"""


def test_a_strictly_typed_project_sees_the_types_of_the_engine(wheel, tmp_path):
    environment = make_environment(
        tmp_path / "venv", "3.12", wheel, "mypy", "django-stubs[compatible-mypy]"
    )
    (tmp_path / "mypy.ini").write_text(STRICT)
    (tmp_path / "settings.py").write_text('SECRET_KEY = "only for mypy"\n')
    shutil.copy(CONSUMER, tmp_path)

    checked = environment.run(
        *("-m", "mypy", "consumer.py"), cwd=tmp_path, timeout=180, check=False
    )

    assert "Success: no issues" in checked.stdout, checked.stdout + checked.stderr
