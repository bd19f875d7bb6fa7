"""Making a Keycloak ready to run: what is shared, what is kept, what is fresh."""

import shutil
from pathlib import Path

import pytest

from mario.devrealm import keycloak
from mario.devrealm.environment import REALM_FILE

VARIABLES = {"SHOP_URL": "http://localhost:9000"}


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch) -> Path:
    """A distribution of the right form, with next to nothing in it."""
    home = tmp_path / "distribution"
    for name in ("bin/kc.sh", "lib/lib/main/a.jar", "lib/quarkus/built.dat"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(name)
    (home / "data" / "h2").mkdir(parents=True)
    monkeypatch.setenv("KEYCLOAK_HOME", str(home))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return home


@pytest.fixture
def home(distribution, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    keycloak.prepare(home, VARIABLES)
    return home


def database(home: Path) -> Path:
    return home / "data" / "h2" / "keycloakdb.mv.db"


def fill_database(home: Path) -> None:
    database(home).parent.mkdir(parents=True)
    database(home).write_text("sign-ins")


class TestPrepare:
    def test_brings_the_realm_and_an_empty_database(self, home):
        imported = home / "data" / "import" / "pyneuro-realm.json"

        assert imported.read_text() == REALM_FILE.read_text()
        assert not (home / "data" / "h2").exists()
        assert len(keycloak.admin_password(home)) >= 16
        assert (home / "admin-password").stat().st_mode & 0o077 == 0

    def test_shares_what_keycloak_only_reads(self, home, distribution):
        shared, own = "lib/lib/main/a.jar", "lib/quarkus/built.dat"

        assert (home / shared).samefile(distribution / shared)
        assert not (home / own).samefile(distribution / own)

    def test_keeps_the_database_of_the_same_realm(self, home):
        fill_database(home)
        password = keycloak.admin_password(home)

        keycloak.prepare(home, VARIABLES)

        assert database(home).read_text() == "sign-ins"
        assert keycloak.admin_password(home) == password

    def test_starts_anew_when_the_shop_has_moved(self, home):
        fill_database(home)

        keycloak.prepare(home, {"SHOP_URL": "http://localhost:9999"})

        assert not database(home).exists()

    def test_repairs_a_copy_that_was_interrupted(self, home, distribution):
        (home / "distribution").unlink()
        (home / "lib" / "quarkus" / "built.dat").unlink()

        keycloak.prepare(home, VARIABLES)

        assert (home / "lib" / "quarkus" / "built.dat").exists()
        assert (distribution / "lib" / "lib" / "main" / "a.jar").read_text()


class TestMissing:
    @pytest.mark.parametrize("tool", ["java", "mvn"])
    def test_names_the_tool(self, monkeypatch, tmp_path, tool):
        monkeypatch.delenv("KEYCLOAK_HOME", raising=False)
        monkeypatch.setattr(keycloak, "_CACHE", tmp_path)
        monkeypatch.setattr(
            shutil, "which", lambda name: None if name == tool else f"/bin/{name}"
        )

        reason = keycloak.missing()

        assert reason
        assert f"`{tool}`" in reason
        with pytest.raises(keycloak.KeycloakUnavailable, match=tool):
            keycloak.provision()

    def test_a_wrong_home_is_named(self, monkeypatch, tmp_path):
        monkeypatch.setenv("KEYCLOAK_HOME", str(tmp_path))
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")

        with pytest.raises(keycloak.KeycloakUnavailable, match=r"bin/kc\.sh"):
            keycloak.provision()

    def test_a_busy_port_is_named(self, home, embedded_realm):
        port = embedded_realm.port

        with pytest.raises(keycloak.KeycloakUnavailable, match=str(port)):
            keycloak.start(home, port=port, variables={})
