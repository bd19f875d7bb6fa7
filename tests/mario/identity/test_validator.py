import base64
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mario.identity import compact, memo, validator
from mario.identity.exceptions import InvalidToken
from tests.mario.identity.issuer import Issuer


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def alter(token: str, index: int) -> str:
    """Flip one character in the middle of one part."""
    parts = token.split(".")
    middle = len(parts[index]) // 2
    other = "A" if parts[index][middle] != "A" else "B"
    parts[index] = parts[index][:middle] + other + parts[index][middle + 1 :]
    return ".".join(parts)


class TestAccessToken:
    def test_accepts_what_keycloak_sends(self, issuer: Issuer):
        claims = validator.access_token(issuer.sign(issuer.claims()))

        assert claims["sid"] == "a3d1c9-login"

    def test_accepts_our_client_among_several_audiences(self, issuer: Issuer):
        token = issuer.sign(issuer.claims(aud=["account", "mario-app"]))

        assert validator.access_token(token)["aud"] == ["account", "mario-app"]

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "http://elsewhere/realms/pyneuro"},
            {"iss": None},
            {"aud": None},
            {"aud": "account"},
            {"aud": "mario-app-2"},
            {"aud": ["mario", "app"]},
            {"aud": {"mario-app": 1}},
            {"exp": None},
            {"exp": "1999999999"},
            {"exp": True},
            {"exp": -1},
            {"exp": 1e30},
            {"exp": 9_999_999_999},
            {"exp": 1},
            {"iat": None},
            {"iat": 9_999_999_999},
            {"nbf": 9_999_999_999},
            {"typ": "ID"},
            {"typ": "Refresh"},
            {"typ": "Offline"},
            {"typ": "Logout"},
            {"typ": None},
            {"sub": None},
            {"sub": 7},
            {"sub": ""},
            {"sub": "a\nb"},
            {"sid": 7},
            {"sid": ""},
            {"cnf": {"jkt": "abc"}},
            {"azp": 7},
        ],
        ids=str,
    )
    def test_refuses_claims_of_another_token(self, issuer: Issuer, changes):
        with pytest.raises(InvalidToken):
            validator.access_token(issuer.sign(issuer.claims(**changes)))

    def test_lives_thirty_seconds_longer_and_no_more(self, issuer: Issuer):
        now = int(time.time())

        validator.access_token(issuer.sign(issuer.claims(exp=now - 25)))
        with pytest.raises(InvalidToken, match="expired"):
            validator.access_token(issuer.sign(issuer.claims(exp=now - 31)))

    @pytest.mark.parametrize(
        "header",
        [
            {"alg": "RS512"},
            {"alg": "PS256"},
            {"typ": "logout+jwt"},
            {"typ": "dpop+jwt"},
            {"kid": None},
            {"kid": "unknown"},
            {"kid": 7},
            {"kid": "../../etc/passwd"},
            {"crit": ["exp"]},
            {"crit": []},
        ],
        ids=str,
    )
    def test_refuses_headers_of_another_token(self, issuer: Issuer, header):
        with pytest.raises(InvalidToken):
            validator.access_token(issuer.sign(issuer.claims(), **header))

    def test_refuses_a_signature_by_the_public_key_as_a_secret(self, issuer: Issuer):
        public = issuer.keys[0].as_pem(private=False)
        token = issuer.sign(issuer.claims(), key=public, alg="HS256")

        with pytest.raises(InvalidToken):
            validator.access_token(token)

    @pytest.mark.parametrize("alg", ["none", "NoNe", ""])
    def test_refuses_an_unsigned_token(self, issuer: Issuer, alg: str):
        header = part({"alg": alg, "typ": "JWT", "kid": issuer.keys[0].kid})
        for signature in ("", "AA"):
            with pytest.raises(InvalidToken):
                validator.access_token(f"{header}.{part(issuer.claims())}.{signature}")

    def test_refuses_another_key_under_a_known_name(self, issuer: Issuer):
        with pytest.raises(InvalidToken):
            validator.access_token(issuer.sign(issuer.claims(), key=issuer.new_key()))

    def test_ignores_a_key_that_the_token_brings_along(self, issuer: Issuer):
        mine = issuer.new_key()
        token = issuer.sign(issuer.claims(), key=mine, jwk=mine.as_dict(private=False))

        with pytest.raises(InvalidToken):
            validator.access_token(token)

    @pytest.mark.parametrize("index", [0, 1, 2])
    def test_refuses_one_changed_character(self, issuer: Issuer, index: int):
        with pytest.raises(InvalidToken):
            validator.access_token(alter(issuer.sign(issuer.claims()), index))

    @pytest.mark.parametrize(
        "damage",
        [
            lambda token: "",
            lambda token: token[: token.rindex(".")],
            lambda token: token + "." + token,
            lambda token: token + "\n",
            lambda token: " " + token,
            lambda token: token + "=",
            lambda token: token.replace(".", ". "),
            lambda token: "A" * 9000,
        ],
        ids=range(8),
    )
    def test_refuses_what_is_no_compact_token(
        self, issuer: Issuer, damage: Callable[[str], str]
    ):
        with pytest.raises(InvalidToken):
            validator.access_token(damage(issuer.sign(issuer.claims())))

    @pytest.mark.parametrize(
        "payload",
        [
            b"[]",
            b'"text"',
            b"{",
            b"\xff\xfe",
            b"[" * 3000 + b"]" * 3000,
        ],
        ids=["array", "string", "cut off", "no utf-8", "nested"],
    )
    def test_refuses_a_payload_that_is_no_object(self, issuer: Issuer, payload: bytes):
        with pytest.raises(InvalidToken):
            validator.access_token(issuer.sign(payload))

    def test_refuses_a_good_token_of_more_than_eight_kilobytes(self, issuer: Issuer):
        assert validator.access_token(issuer.sign(issuer.claims(x="a" * 4000)))

        with pytest.raises(InvalidToken, match="too long"):
            validator.access_token(issuer.sign(issuer.claims(x="a" * 6000)))

    def test_refuses_a_claim_that_stands_there_twice(self, issuer: Issuer):
        payload = json.dumps(issuer.claims())[:-1] + ', "sub": "bowser"}'

        with pytest.raises(InvalidToken, match="twice"):
            validator.access_token(issuer.sign(payload.encode()))

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
    def test_refuses_numbers_that_json_does_not_know(self, issuer: Issuer, number: str):
        payload = json.dumps(issuer.claims(exp=0)).replace(
            '"exp": 0', f'"exp": {number}'
        )

        with pytest.raises(InvalidToken):
            validator.access_token(issuer.sign(payload.encode()))

    @given(text=st.text(max_size=200))
    @hypothesis_settings(
        max_examples=100,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def test_refuses_any_text_without_another_error(self, issuer: Issuer, text: str):
        with pytest.raises(InvalidToken):
            validator.access_token(text)


class TestIdToken:
    def test_accepts_the_token_of_this_attempt(self, issuer: Issuer):
        token = issuer.sign(issuer.claims(typ="ID", nonce="n1"))

        claims = validator.id_token(token, nonce="n1", access_token="x")

        assert claims["sub"] == "8c2f6d0e-peach"

    @pytest.mark.parametrize(
        "changes",
        [
            {"nonce": "another"},
            {"nonce": None},
            {"typ": "Bearer"},
            {"at_hash": "another"},
            {"azp": "another"},
            {"aud": ["mario-app", "other"], "azp": None},
            {"events": {}},
        ],
        ids=str,
    )
    def test_refuses_the_token_of_another(self, issuer: Issuer, changes):
        claims = issuer.claims(**{"typ": "ID", "nonce": "n1", **changes})

        with pytest.raises(InvalidToken):
            validator.id_token(issuer.sign(claims), nonce="n1", access_token="x")


class TestLogoutToken:
    def claims(self, issuer: Issuer, **changes):
        events: dict[str, Any] = {validator.LOGOUT_EVENT: {}}
        wanted = {"typ": "Logout", "events": events, "jti": "j1", **changes}
        return issuer.claims(**wanted)

    def test_accepts_what_keycloak_posts(self, issuer: Issuer):
        token = issuer.sign(self.claims(issuer), typ="logout+jwt")

        assert validator.logout_token(token)["sid"] == "a3d1c9-login"

    @pytest.mark.parametrize(
        "changes",
        [
            {"events": None},
            {"events": {}},
            {"events": {"http://other": {}}},
            {"events": {validator.LOGOUT_EVENT: 1}},
            {"nonce": "n1"},
            {"sid": None, "sub": None},
            {"jti": None},
            {"exp": None},
        ],
        ids=str,
    )
    def test_refuses_what_is_no_logout(self, issuer: Issuer, changes):
        token = issuer.sign(self.claims(issuer, **changes), typ="logout+jwt")

        with pytest.raises(InvalidToken):
            validator.logout_token(token)

    def test_refuses_an_ordinary_header(self, issuer: Issuer):
        with pytest.raises(InvalidToken):
            validator.logout_token(issuer.sign(self.claims(issuer)))


class TestMemo:
    """What was verified is not verified again, and still not believed for ever."""

    @pytest.fixture
    def verified(self, monkeypatch) -> list[str]:
        """Every token whose signature is looked at."""
        tokens: list[str] = []
        read = compact.read

        def noticed(token: str, **options: Any):
            tokens.append(token)
            return read(token, **options)

        monkeypatch.setattr(compact, "read", noticed)
        return tokens

    def test_verifies_a_token_once(self, issuer: Issuer, verified):
        token = issuer.sign(issuer.claims())

        assert validator.access_token(token) == validator.access_token(token)
        assert verified == [token]

    def test_keeps_no_token_in_memory(self, issuer: Issuer):
        token = issuer.sign(issuer.claims())

        validator.access_token(token)

        assert [len(key) for key in memo._entries] == [32] * len(memo._entries)
        assert token not in repr(memo._entries)

    def test_gives_everybody_claims_of_their_own(self, issuer: Issuer):
        token = issuer.sign(issuer.claims())

        validator.access_token(token)["sub"] = "bowser"

        assert validator.access_token(token)["sub"] == "8c2f6d0e-peach"

    def test_still_sees_that_it_has_expired(self, issuer: Issuer, monkeypatch):
        token = issuer.sign(issuer.claims())
        validator.access_token(token)

        late = time.time() + 300 + validator.LEEWAY + 1
        monkeypatch.setattr(time, "time", lambda: late)

        with pytest.raises(InvalidToken, match="expired"):
            validator.access_token(token)

    def test_is_bounded(self, issuer: Issuer, monkeypatch):
        monkeypatch.setattr(memo, "MOST", 3)

        for number in range(6):
            validator.access_token(issuer.sign(issuer.claims(jti=f"{number}")))

        assert len(memo._entries) == 3

    def test_takes_no_other_kind_for_one_it_has_seen(self, issuer: Issuer):
        token = issuer.sign(issuer.claims())
        validator.access_token(token)

        with pytest.raises(InvalidToken):
            validator.id_token(token, nonce="n1", access_token="x")
        with pytest.raises(InvalidToken):
            validator.logout_token(token)


class TestRefreshedIdToken:
    def tokens(self, issuer: Issuer, **changes) -> tuple[str, str]:
        now = int(time.time())
        before = issuer.claims(typ="ID", nonce="n1", auth_time=now - 60, iat=now - 60)
        after = {**issuer.claims(typ="ID", auth_time=now - 60), **changes}
        after = {name: value for name, value in after.items() if value is not None}
        return issuer.sign(before), issuer.sign(after)

    @pytest.mark.parametrize("changes", [{}, {"nonce": "n1"}, {"auth_time": None}])
    def test_of_the_same_login_is_accepted(self, issuer: Issuer, changes):
        former, new = self.tokens(issuer, **changes)

        validator.refreshed_id_token(new, former=former, access_token="x")

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "http://elsewhere/realms/pyneuro"},
            {"sub": "bowser"},
            {"aud": "account"},
            {"sid": "another"},
            {"azp": "another"},
            {"auth_time": 1},
            {"nonce": "n2"},
            {"typ": "Bearer"},
            {"at_hash": "another"},
        ],
        ids=str,
    )
    def test_61_of_another_login_is_refused(self, issuer: Issuer, changes):
        former, new = self.tokens(issuer, **changes)

        with pytest.raises(InvalidToken):
            validator.refreshed_id_token(new, former=former, access_token="x")

    @pytest.mark.parametrize("edited", ["", "x", "aaaa.a.aaaa", "aaaa.aaaa.aaaa"])
    def test_after_one_that_somebody_has_edited_is_refused(
        self, issuer: Issuer, edited
    ):
        _, new = self.tokens(issuer)

        with pytest.raises(InvalidToken):
            validator.refreshed_id_token(new, former=edited, access_token="x")


class TestRecentLogin:
    def test_is_told_by_auth_time(self, issuer: Issuer):
        claims = issuer.claims(auth_time=int(time.time()) - 200)

        validator.require_recent_login(claims, max_age=timedelta(minutes=5))
        with pytest.raises(InvalidToken, match="too long ago"):
            validator.require_recent_login(claims, max_age=timedelta(minutes=2))

    def test_is_not_believed_without_it(self, issuer: Issuer):
        with pytest.raises(InvalidToken):
            validator.require_recent_login(
                issuer.claims(), max_age=timedelta(minutes=5)
            )
