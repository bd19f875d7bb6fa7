"""What is in the wheel, and what is not."""

import tarfile
import zipfile
from email import message_from_string

import pytest

from tests.packaging.building import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def read(wheel, ending):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(ending)]
        return archive.read(name).decode()


def test_holds_the_engine_and_nothing_of_the_shop(wheel):
    tops = {name.split("/")[0] for name in names_in(wheel)}

    assert tops == {"sessions_backend", "sessions_backend-0.1.0.dist-info"}


def test_holds_every_file_of_the_engine(wheel):
    engine = ROOT / "sessions_backend"
    files = {
        str(path.relative_to(ROOT))
        for path in engine.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert any(name.startswith("sessions_backend/templates/") for name in files)
    assert "sessions_backend/py.typed" in files
    assert files - names_in(wheel) == set()


def test_carries_its_licence_and_its_readme(wheel):
    metadata = message_from_string(read(wheel, ".dist-info/METADATA"))

    assert metadata["License-Expression"] == "MIT"
    assert read(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text()
    assert "## Switch it on" in metadata.get_payload()


def test_needs_nothing_of_the_shop_or_of_the_tests(wheel):
    metadata = message_from_string(read(wheel, ".dist-info/METADATA"))
    needs = {
        need.split(">")[0].split("<")[0].strip()
        for need in metadata.get_all("Requires-Dist", [])
        if "extra ==" not in need
    }

    assert needs == {"django", "django-redis", "hiredis", "orjson"}


def test_brings_what_seals_for_who_asks(wheel):
    metadata = message_from_string(read(wheel, ".dist-info/METADATA"))
    needs = metadata.get_all("Requires-Dist", [])

    assert metadata.get_all("Provides-Extra") == ["sealing"]
    assert [need.split(">")[0] for need in needs if 'extra == "sealing"' in need] == [
        "cryptography"
    ]


def test_the_source_archive_holds_what_the_wheel_is_built_from(wheel):
    (archive,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}

    assert {"pyproject.toml", "LICENSE", "sessions_backend/engine.py"} <= names
    assert not [name for name in names if name.startswith(("mario/", "pizzeria/"))]
