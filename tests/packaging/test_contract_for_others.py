"""Whoever writes a store of their own runs the package's contract on it."""

import re
import shutil
from pathlib import Path

import pytest

from tests.packaging.building import ROOT, make_environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

THEIRS = Path(__file__).parent / "visitor" / "test_their_store.py"
SETTINGS = """\
from django.conf import settings
settings.configure()
"""


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs") / "venv"
    return make_environment(folder, "3.12", wheel, "pytest")


def run_contract(environment, folder, *options):
    (folder / "conftest.py").write_text(SETTINGS)
    pytest_there = ("-m", "pytest", "-q", folder, *options)
    done = environment.run(*pytest_there, cwd=folder, check=False)
    return done.stdout


def test_a_store_that_keeps_it_passes(environment, tmp_path):
    shutil.copy(THEIRS, tmp_path)

    said = run_contract(environment, tmp_path)

    assert re.search(r"^3\d passed", said, re.MULTILINE), said


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        (
            "                return Replacement.GONE\n",
            "                return Replacement.DONE\n",
            "test_a_replacement_never_brings_a_key_back",
        ),
        (
            "            self._records.pop(key, None)\n",
            "",
            "test_a_key_is_taken_once",
        ),
        (
            "        return [names.name_of(key) for key in keys if self.exists(key)]",
            "        return [names.name_of(key) for key in keys]",
            "test_a_list_lives_as_long_as_its_longest_session",
        ),
    ],
    ids=["revives", "takes twice", "lists what has ended"],
)
def test_a_store_that_breaks_it_fails(environment, tmp_path, right, wrong, complaint):
    source = THEIRS.read_text()
    assert right in source
    (tmp_path / THEIRS.name).write_text(source.replace(right, wrong, 1))

    said = run_contract(environment, tmp_path, "-k", complaint)

    assert re.search(rf"^FAILED .*::{complaint}\b", said, re.MULTILINE), said


def test_the_engine_and_the_contract_need_no_pytest(wheel, tmp_path):
    environment = make_environment(tmp_path / "venv", "3.12", wheel)

    program = (
        "import importlib.util as u; assert u.find_spec('pytest') is None;"
        "import sessions_backend.contract"
    )

    assert environment.run("-c", program, cwd=tmp_path).returncode == 0


def test_the_readme_tells_how(environment, tmp_path):
    """The README's example is run as it stands, over the visitor's store."""
    readme = (ROOT / "sessions_backend" / "README.md").read_text()
    example = re.search(
        r"^## A store of your own$.*?^```python\n(.*?)^```",
        readme,
        re.MULTILINE | re.DOTALL,
    )
    assert example
    shutil.copy(THEIRS, tmp_path / "my_project_stores.py")
    (tmp_path / "test_mine.py").write_text(example[1])

    said = run_contract(environment, tmp_path)

    assert re.search(r"^3\d passed", said, re.MULTILINE), said
