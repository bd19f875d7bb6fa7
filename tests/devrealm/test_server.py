"""The embedded realm as a process: starting, restarting, misbehaving."""

import subprocess
import sys
import time
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.devrealm.relying_party import RelyingParty, callback, claims, header
from tests.realms import ROOT, DevRealm


def run(port: int, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mario.devrealm", "--port", str(port)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def published(realm) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = httpx.get(f"{realm.protocol_url}/certs").json()["keys"]
    return keys


class TestStarting:
    def test_needs_dev_realm_to_be_switched_on(self, tmp_path):
        result = run(8090, DEV_REALM_STATE=str(tmp_path))

        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1
        assert "DEV_REALM=true" in result.stderr
        assert list(tmp_path.iterdir()) == []

    def test_names_a_busy_port(self, embedded_realm, tmp_path):
        result = run(
            embedded_realm.port, DEV_REALM="true", DEV_REALM_STATE=str(tmp_path)
        )

        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1
        assert str(embedded_realm.port) in result.stderr

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "does not exist"),
            ("{", "is not JSON"),
            ('{"realm": "${NOBODY_SET_THIS}"}', "NOBODY_SET_THIS"),
        ],
    )
    def test_names_what_is_wrong_with_the_realm_file(self, tmp_path, content, said):
        file = tmp_path / "realm.json"
        if content is not None:
            file.write_text(content)

        result = run(8090, DEV_REALM="true", REALM_FILE=str(file))

        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1
        assert said in result.stderr

    def test_listens_on_loopback_alone(self, embedded_realm):
        listening = subprocess.run(
            ["ss", "-ltnH", f"sport = :{embedded_realm.port}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()

        assert f"127.0.0.1:{embedded_realm.port}" in listening

    def test_discovery_names_its_own_addresses(self, realm):
        found = httpx.get(f"{realm.issuer}/.well-known/openid-configuration").json()

        assert found["issuer"] == realm.issuer
        for name, path in {
            "authorization_endpoint": "auth",
            "token_endpoint": "token",
            "userinfo_endpoint": "userinfo",
            "end_session_endpoint": "logout",
            "jwks_uri": "certs",
            "revocation_endpoint": "revoke",
        }.items():
            assert found[name] == f"{realm.protocol_url}/{path}"
        assert found["backchannel_logout_supported"] is True
        assert found["backchannel_logout_session_supported"] is True
        assert found["authorization_response_iss_parameter_supported"] is True
        assert "S256" in found["code_challenge_methods_supported"]

    def test_publishes_a_signing_and_an_encryption_key(self, realm):
        keys = {key["use"]: key for key in published(realm)}

        assert keys["sig"]["alg"] == "RS256"
        assert keys["enc"]["alg"] == "RSA-OAEP"
        assert not {"d", "p", "q"} & (keys["sig"].keys() | keys["enc"].keys())


class TestRestarting:
    @pytest.mark.parametrize("how", ["stop", "kill"])
    def test_keeps_keys_sign_ins_and_refresh_tokens(self, tmp_path, how):
        realm = DevRealm(tmp_path, shop_url="http://localhost:18080")
        with realm, RelyingParty(realm) as party:
            before = published(realm)
            tokens = party.log_in()

            getattr(realm, how)()
            realm.start()

            assert published(realm) == before
            assert party.refresh(tokens["refresh_token"]).status_code == 200
            assert "code" in callback(party.ask(prompt="none"))
        assert "Traceback" not in realm.log

    @pytest.mark.keycloak
    @pytest.mark.slow
    def test_keycloak_keeps_them_too(self, real_keycloak):
        with RelyingParty(real_keycloak) as party:
            before = published(real_keycloak)
            tokens = party.log_in()

            real_keycloak.stop()
            real_keycloak.start()

            assert published(real_keycloak) == before
            assert party.refresh(tokens["refresh_token"]).status_code == 200
            assert "code" in callback(party.ask(prompt="none"))

    def test_ends_promptly_on_sigterm(self, tmp_path):
        realm = DevRealm(tmp_path).start()
        process = realm.process
        assert process is not None

        started = time.monotonic()
        realm.stop()

        assert time.monotonic() - started < 8
        assert process.returncode == 0


class TestKeys:
    def test_every_token_verifies_with_the_published_key(self, party):
        tokens = party.log_in()
        keys = KeySet.import_key_set(
            {"keys": [key for key in published(party.realm) if key["use"] == "sig"]}
        )

        for name in ("access_token", "id_token"):
            read = jwt.decode(tokens[name], keys, algorithms=["RS256"])
            assert read.claims == claims(tokens[name])

    def test_a_new_key_signs_and_the_old_one_stays_known(self, party):
        old = party.log_in()

        party.realm.rotate_keys()

        # Keycloak serves its old key for a moment longer.
        ends = time.monotonic() + 10
        new = party.log_in()
        while header(new["id_token"])["kid"] == header(old["id_token"])["kid"]:
            assert time.monotonic() < ends
            time.sleep(0.5)
            new = party.log_in()
        known = {key["kid"] for key in published(party.realm)}
        assert header(old["id_token"])["kid"] in known
        assert header(new["id_token"])["kid"] in known
        assert party.userinfo(old["access_token"]).status_code == 200

    def test_a_forgotten_key_verifies_nothing_any_more(self, dev_party):
        old = dev_party.log_in()
        dev_party.realm.rotate_keys()

        dev_party.realm.forget_old_keys()

        known = {key["kid"] for key in published(dev_party.realm)}
        assert header(old["id_token"])["kid"] not in known
        assert dev_party.userinfo(old["access_token"]).status_code == 401


class TestMisbehaving:
    def test_an_endpoint_fails_as_often_as_it_is_told(self, dev_party):
        code = dev_party.sign_in()["code"]
        dev_party.realm.misbehave("token", status=503, body="later", times=1)

        assert dev_party.exchange(code).status_code == 503
        assert dev_party.exchange(code).status_code == 200

    def test_an_endpoint_is_slow_until_it_behaves(self, dev_party):
        dev_party.realm.misbehave("certs", delay=2)
        try:
            started = time.monotonic()
            published(dev_party.realm)
            assert time.monotonic() - started >= 2
        finally:
            dev_party.realm.behave()

        started = time.monotonic()
        published(dev_party.realm)
        assert time.monotonic() - started < 2

    def test_mints_any_token_under_its_own_key(self, embedded_realm):
        token = embedded_realm.mint({"iss": "http://elsewhere"}, typ="at+jwt")

        assert header(token)["typ"] == "at+jwt"
        assert claims(token) == {"iss": "http://elsewhere"}
        assert header(token)["kid"] in {key["kid"] for key in published(embedded_realm)}

    @pytest.mark.parametrize("shown", [{}, {"X-Devrealm-Control": "wrong"}])
    def test_obeys_nobody_without_the_token(self, embedded_realm, shown):
        answer = httpx.post(f"{embedded_realm.url}/control/keys/rotate", headers=shown)

        assert answer.status_code == 404

    def test_has_no_control_surface_unless_it_was_given_a_token(self, tmp_path):
        realm = DevRealm(tmp_path)
        del realm.environment["DEV_REALM_CONTROL"]
        with realm, pytest.raises(httpx.HTTPStatusError, match="404"):
            realm.rotate_keys()
