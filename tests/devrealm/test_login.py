"""Signing in, on either realm."""

import pytest

from tests.devrealm.relying_party import RelyingParty, callback, claims
from tests.realms import DevRealm


class TestTheWayToACode:
    def test_a_login_ends_at_the_callback_with_a_code(self, party: RelyingParty):
        params = party.sign_in()

        assert params.keys() == {"code", "state", "session_state", "iss"}
        assert params["state"] == "the-state"
        assert params["iss"] == party.realm.issuer

    def test_a_wrong_password_shows_the_form_again(self, party: RelyingParty):
        again = party.submit(party.ask(), "customer", "wrong")

        assert again.status_code == 200
        assert "Invalid username or password." in again.text
        assert "code" in callback(party.submit(again, "customer"))

    def test_an_email_is_as_good_as_a_name(self, party: RelyingParty):
        params = callback(party.submit(party.ask(), "chef@mario-pizzeria.com"))

        tokens = party.exchange(params["code"]).json()
        assert claims(tokens["id_token"])["preferred_username"] == "chef"

    def test_login_hint_fills_in_the_name(self, party: RelyingParty):
        page = party.ask(login_hint="chef")

        assert 'value="chef"' in page.text

    @pytest.mark.parametrize(
        "changes",
        [
            {"redirect_uri": "http://localhost:18080/auth/callback/"},
            {"redirect_uri": "http://localhost:18080/auth/callback?next=/"},
            {"redirect_uri": "http://evil.example/auth/callback"},
            {"redirect_uri": None},
            {"client_id": "nobody"},
            {"client_id": None},
        ],
        ids=str,
    )
    def test_a_wrong_address_or_client_is_never_redirected_to(self, party, changes):
        answer = party.ask(**changes)

        assert answer.status_code == 400
        assert "location" not in answer.headers

    @pytest.mark.parametrize(
        "changes",
        [
            {"code_challenge": None, "code_challenge_method": None},
            {"code_challenge_method": "plain"},
            {"code_challenge_method": None},
            {"code_challenge": "short"},
        ],
        ids=str,
    )
    def test_pkce_with_s256_is_required(self, party, changes):
        params = callback(party.ask(**changes))

        assert params["error"] == "invalid_request"
        assert params["state"] == "the-state"
        assert params["iss"] == party.realm.issuer

    def test_an_unknown_scope_is_refused_at_the_client(self, party):
        params = callback(party.ask(scope="openid everything"))

        assert params["error"] == "invalid_scope"


class TestBeingKnown:
    def test_a_second_login_is_silent_and_the_same_sign_in(self, party):
        first = party.sign_in()

        second = callback(party.ask())

        assert second["session_state"] == first["session_state"]
        tokens = party.exchange(second["code"]).json()
        assert claims(tokens["id_token"])["acr"] == "0"

    def test_prompt_none_asks_nobody(self, party):
        assert callback(party.ask(prompt="none"))["error"] == "login_required"

        party.sign_in()

        assert "code" in callback(party.ask(prompt="none"))

    def test_prompt_login_asks_again_and_keeps_the_sign_in(self, party):
        first = party.sign_in()

        page = party.ask(prompt="login")
        again = callback(party.submit(page, "customer"))

        assert page.status_code == 200
        assert again["session_state"] == first["session_state"]
        tokens = party.exchange(again["code"]).json()
        assert claims(tokens["id_token"])["acr"] == "1"

    def test_whoever_is_asked_again_stays_who_they_are(self, party):
        party.sign_in("customer")

        answer = party.submit(party.ask(prompt="login"), "chef")

        tokens = party.exchange(callback(answer)["code"]).json()
        assert claims(tokens["id_token"])["preferred_username"] == "customer"

    def test_max_age_asks_those_whose_login_is_too_old(self, party):
        party.sign_in()

        assert "code" in callback(party.ask(max_age="3600"))
        # Keycloak counts whole seconds and lets the same second pass.
        assert party.ask(max_age="0").status_code in (200, 302)

    def test_another_browser_is_not_known(self, party):
        party.sign_in()

        with RelyingParty(party.realm) as other:
            assert other.ask().status_code == 200


class TestTheForm:
    def test_belongs_to_the_browser_that_opened_it(self, dev_party):
        page = dev_party.ask()

        with RelyingParty(dev_party.realm) as other:
            answer = other.submit(page, "customer")

        assert answer.status_code == 400
        assert "location" not in answer.headers

    def test_works_once(self, dev_party):
        page = dev_party.ask()
        dev_party.submit(page, "customer")

        assert dev_party.submit(page, "customer").status_code == 400

    def test_two_tabs_end_in_one_sign_in(self, dev_party):
        first, second = dev_party.ask(), dev_party.ask()

        one = callback(dev_party.submit(first, "customer"))
        other = callback(dev_party.submit(second, "customer"))

        assert one["session_state"] == other["session_state"]

    def test_another_person_must_sign_out_first(self, dev_party):
        first, second = dev_party.ask(), dev_party.ask()
        dev_party.submit(first, "customer")

        answer = dev_party.submit(second, "chef")

        assert answer.status_code == 400
        assert "different user" in answer.text

    def test_refuses_the_right_password_after_ten_wrong_ones(self, tmp_path):
        with DevRealm(tmp_path) as realm, RelyingParty(realm) as party:
            page = party.ask()
            for _ in range(10):
                party.submit(page, "user", "wrong")

            refused = party.submit(page, "user")

            assert "Invalid username or password." in refused.text
            assert "code" in callback(party.submit(page, "chef"))

    def test_says_what_it_may_load_and_where_it_may_lead(self, dev_party):
        policy = dev_party.ask().headers["content-security-policy"]

        assert "default-src 'none'" in policy
        assert f"form-action 'self' {dev_party.realm.shop_url}" in policy

    @pytest.mark.parametrize(
        "changes",
        [
            {"redirect_uri": 'http://x/"<script>'},
            {"response_type": 'c"ode'},
            {"state": "ü" * 500},
            {"max_age": "soon"},
            {"scope": None},
        ],
        ids="-".join,
    )
    def test_odd_input_never_breaks_the_realm(self, dev_party, changes):
        assert dev_party.ask(**changes).status_code in (200, 302, 400)


class TestWhatKeycloakAloneCanDo:
    def test_an_action_of_an_application_is_answered_with_its_status(self, dev_party):
        dev_party.sign_in()

        answer = callback(dev_party.ask(kc_action="UPDATE_PASSWORD"))

        assert answer["kc_action_status"] == "error"
        assert answer["code"]

    def test_nobody_registers(self, dev_party):
        answer = dev_party.browser.get(
            f"{dev_party.realm.protocol_url}/registrations",
            params={"client_id": dev_party.realm.client_id},
        )

        assert answer.status_code == 400
        assert "Registration not allowed" in answer.text
