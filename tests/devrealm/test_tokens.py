"""Codes and refresh tokens, on either realm."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.deployment.test_check_realm import load_script
from tests.devrealm.relying_party import RelyingParty, callback, claims


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


class TestACode:
    def test_brings_tokens_to_the_client_it_was_for(self, party: RelyingParty):
        answer = party.exchange(party.sign_in()["code"])

        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        tokens = answer.json()
        assert tokens["token_type"] == "Bearer"
        # Keycloak counts from the login, not from this answer.
        assert 290 <= tokens["expires_in"] <= 300
        assert 86_390 <= tokens["refresh_expires_in"] <= 86_400
        # Keycloak names the scopes in the order of its database.
        assert set(tokens["scope"].split()) == {
            *("openid", "profile", "email"),
            *("cart", "orders", "kitchen", "delivery"),
            *("management", "account"),
        }

    def test_is_taken_with_the_secret_in_a_header_too(self, party):
        code = party.sign_in()["code"]
        auth = (party.realm.client_id, party.realm.client_secret)

        answer = httpx.post(
            f"{party.realm.protocol_url}/token",
            auth=auth,
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": party.redirect_uri,
                "code_verifier": party.verifier,
            },
        )

        assert answer.status_code == 200, answer.text

    @pytest.mark.parametrize(
        "changes",
        [
            {"code_verifier": "x" * 43},
            {"code_verifier": "short"},
            {"code_verifier": None},
            {"redirect_uri": "http://localhost:8081/auth/callback"},
            {"redirect_uri": None},
        ],
        ids=str,
    )
    def test_is_worth_nothing_with_another_verifier_or_address(self, party, changes):
        code = party.sign_in()["code"]

        assert error(party.exchange(code, **changes)) == (400, "invalid_grant")
        # The first try has used it up.
        assert error(party.exchange(code)) == (400, "invalid_grant")

    @pytest.mark.parametrize("secret", ["wrong", None])
    def test_needs_the_clients_secret(self, party, secret):
        answer = party.exchange(party.sign_in()["code"], client_secret=secret)

        assert error(answer) == (401, "unauthorized_client")

    def test_works_once_and_a_second_use_ends_what_the_first_brought(self, party):
        code = party.sign_in()["code"]
        tokens = party.exchange(code).json()

        assert error(party.exchange(code)) == (400, "invalid_grant")

        again = party.refresh(tokens["refresh_token"])
        assert error(again) == (400, "invalid_grant")
        assert party.userinfo(tokens["access_token"]).status_code == 401

    def test_shown_by_many_at_once_brings_tokens_to_one(self, dev_party):
        code = dev_party.sign_in()["code"]

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(dev_party.exchange, [code] * 8))

        # The first user's tokens may be refused already: the second use, coming
        # while the first was still being answered, has ended them.
        assert sum(answer.status_code == 200 for answer in answers) <= 1
        assert {answer.status_code for answer in answers} <= {200, 400}

    def test_of_nobody_is_refused(self, party):
        assert error(party.exchange("made-up")) == (400, "invalid_grant")

    @pytest.mark.parametrize(
        "grant_type", ["password", "client_credentials", "something", None]
    )
    def test_no_other_grant_is_open_to_the_shop(self, party, grant_type):
        answer = party.token(
            grant_type=grant_type, username="customer", password="test"
        )

        assert answer.status_code in (400, 401)
        assert "access_token" not in answer.json()


class TestARefreshToken:
    def test_brings_new_tokens_of_the_same_sign_in(self, party):
        tokens = party.log_in()

        answer = party.refresh(tokens["refresh_token"])

        assert answer.status_code == 200, answer.text
        new = answer.json()
        assert new["refresh_token"] != tokens["refresh_token"]
        for name in ("access_token", "id_token"):
            old_claims, new_claims = claims(tokens[name]), claims(new[name])
            for claim in ("iss", "sub", "sid", "aud", "azp", "auth_time"):
                assert new_claims[claim] == old_claims[claim]
        assert "nonce" not in claims(new["id_token"])

    def test_works_once_and_a_second_use_ends_its_successors(self, party):
        old = party.log_in()["refresh_token"]
        new = party.refresh(old).json()["refresh_token"]

        reused = party.refresh(old)

        assert error(reused) == (400, "invalid_grant")
        assert reused.json()["error_description"] == (
            "Maximum allowed refresh token reuse exceeded"
        )
        assert error(party.refresh(new)) == (400, "invalid_grant")

    def test_shown_by_many_at_once_is_taken_from_one(self, dev_party):
        token = dev_party.log_in()["refresh_token"]

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(dev_party.refresh, [token] * 8))

        assert sum(answer.status_code == 200 for answer in answers) <= 1
        assert {answer.status_code for answer in answers} <= {200, 400}

    def test_reuse_leaves_the_person_signed_in_to_the_realm(self, party):
        old = party.log_in()["refresh_token"]
        party.refresh(old)
        party.refresh(old)

        code = callback(party.ask(prompt="none"))["code"]

        assert party.exchange(code).status_code == 200

    def test_no_access_or_id_token_passes_for_one(self, party):
        tokens = party.log_in()

        for name in ("access_token", "id_token"):
            assert error(party.refresh(tokens[name])) == (400, "invalid_grant")

    def test_ends_when_it_is_revoked(self, party):
        token = party.log_in()["refresh_token"]

        assert party.revoke(token).status_code == 200

        assert error(party.refresh(token)) == (400, "invalid_grant")
        assert party.ask().status_code == 200


class TestUserinfo:
    def test_describes_the_bearer_of_an_access_token(self, party):
        tokens = party.log_in("chef")

        answer = party.userinfo(tokens["access_token"])

        assert answer.json() == {
            "sub": claims(tokens["id_token"])["sub"],
            "email_verified": True,
            "name": "Luigi Chef",
            "preferred_username": "chef",
            "given_name": "Luigi",
            "family_name": "Chef",
            "email": "chef@mario-pizzeria.com",
        }

    @pytest.mark.parametrize("name", ["id_token", "refresh_token"])
    def test_is_closed_to_other_tokens(self, party, name):
        answer = party.userinfo(party.log_in()[name])

        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]

    def test_is_closed_to_a_revoked_access_token(self, party):
        token = party.log_in()["access_token"]
        assert party.userinfo(token).status_code == 200

        party.revoke(token)

        assert party.userinfo(token).status_code == 401


class TestAProgram:
    """The clients without a browser: for tests and API users, and for services."""

    API = {"client_id": "mario-api", "client_secret": "mario-api-secret-123"}
    SERVICE = {
        "client_id": "mario-service",
        "client_secret": "mario-service-secret-123",
    }

    def test_gets_tokens_for_a_password_by_the_development_client_alone(self, party):
        person = {"username": "customer", "password": "test"}

        answer = party.token(
            grant_type="password", scope="openid cart", **person, **self.API
        )
        refused = party.token(grant_type="password", **person)

        assert answer.status_code == 200, answer.text
        access = claims(answer.json()["access_token"])
        assert access["azp"] == "mario-api"
        assert access["aud"] == "mario-app"
        assert access["realm_access"]["roles"] == ["customer"]
        assert set(access["scope"].split()) == {*("openid", "profile", "email", "cart")}
        assert claims(answer.json()["id_token"])["sid"] == access["sid"]
        assert error(refused) == (400, "unauthorized_client")

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"password": "wrong"}, "invalid_grant"),
            ({"scope": "openid nonsense"}, "invalid_scope"),
        ],
    )
    def test_is_refused_a_wrong_password_and_an_unknown_scope(
        self, party, changes, code
    ):
        person = {"username": "user", "password": "test", **changes}

        answer = party.token(grant_type="password", **person, **self.API)

        assert error(answer) == (400, code)

    def test_that_acts_as_itself_has_no_login(self, party):
        answer = party.token(grant_type="client_credentials", **self.SERVICE)

        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        assert "refresh_token" not in tokens
        assert "session_state" not in tokens
        access = claims(tokens["access_token"])
        assert "sid" not in access
        assert access["client_id"] == access["azp"] == "mario-service"
        assert access["realm_access"]["roles"] == ["chef"]
        assert access["aud"] == "mario-app"
        assert set(access["scope"].split()) == {"kitchen"}

    def test_of_the_browser_does_not_act_as_itself(self, party):
        answer = party.token(grant_type="client_credentials")

        assert answer.json()["error"] == "unauthorized_client"


@pytest.mark.keycloak
@pytest.mark.slow
def test_what_keycloak_exports_passes_the_check(real_keycloak):
    with real_keycloak.admin() as admin:
        answer = admin.post("partial-export", params={"exportClients": "true"})
        answer.raise_for_status()

    assert list(load_script().findings(answer.json())) == []
