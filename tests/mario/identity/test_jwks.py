"""The realm's keys: fetched seldom, shared by the processes, dead when withdrawn."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mario.identity import jwks, keyset, shared, validator
from mario.identity.exceptions import InvalidToken, ProviderUnavailable
from sessions_backend import failover
from tests.mario.identity.issuer import Issuer
from tests.servers import wait_until

ROOT = Path(__file__).resolve().parents[3]


def grow_old(seconds: float) -> None:
    """Let the keys be fetched so long ago, here and for the other processes."""
    current = jwks._State.current
    older = replace(current, fetched_at=current.fetched_at - seconds)
    jwks._State.current, jwks._State.theirs = older, older.as_json()
    shared.write("jwks", older.as_json(), seconds=60)
    cool_down()


def cool_down() -> None:
    """Let thirty seconds pass since anybody asked the provider."""
    jwks._State.asked_at = jwks._State.renewed_at = float("-inf")
    shared.remove("jwks-turn")


def be_another_process() -> None:
    jwks.forget()


class TestOneProcess:
    def test_asks_once_for_many_tokens(self, issuer: Issuer):
        for number in range(5):
            validator.access_token(issuer.sign(issuer.claims(jti=f"{number}")))

        assert issuer.requests == 1

    def test_asks_once_for_a_thousand_unknown_keys(self, issuer: Issuer):
        jwks.warm()
        cool_down()
        started = time.monotonic()

        for number in range(1000):
            with pytest.raises(InvalidToken):
                jwks.key(f"unknown-{number}")
        validator.access_token(issuer.sign(issuer.claims()))

        assert issuer.requests == 2
        # No unknown key is waited for; a thousand waits would take minutes.
        assert time.monotonic() - started < 20

    def test_finds_a_new_key_and_drops_a_removed_one(self, issuer: Issuer):
        old = issuer.sign(issuer.claims())
        validator.access_token(old)
        issuer.keys = [issuer.new_key()]
        cool_down()

        validator.access_token(issuer.sign(issuer.claims()))

        with pytest.raises(InvalidToken):
            validator.access_token(old)

    def test_lets_a_token_of_a_new_key_wait_for_the_fetch_under_way(
        self, issuer: Issuer
    ):
        jwks.warm()
        issuer.keys = [issuer.new_key()]
        token = issuer.sign(issuer.claims())
        cool_down()
        issuer.delay = 0.2
        answers: list[object] = []

        def read() -> None:
            try:
                answers.append(validator.access_token(token)["sub"])
            except InvalidToken as error:
                answers.append(error)

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        assert answers == ["8c2f6d0e-peach"] * 6
        assert issuer.requests == 2

    def test_never_lets_a_known_key_wait(self, issuer: Issuer):
        jwks.warm()
        token = issuer.sign(issuer.claims())
        grow_old(jwks.SOFT_AGE + 1)
        issuer.delay = 2.5
        started = time.monotonic()

        validator.access_token(token)

        assert time.monotonic() - started < 2.3
        wait_until(lambda: issuer.requests == 2)
        wait_until(lambda: jwks._age() < jwks.SOFT_AGE)

    def test_forgets_a_removed_key_in_the_background(self, issuer: Issuer):
        old = issuer.sign(issuer.claims())
        validator.access_token(old)
        issuer.keys = [issuer.new_key()]
        grow_old(jwks.SOFT_AGE + 1)

        validator.access_token(old)
        wait_until(lambda: issuer.requests == 2 and jwks._age() < jwks.SOFT_AGE)

        with pytest.raises(InvalidToken, match="unknown key"):
            validator.access_token(old)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (500, b""),
            (302, b""),
            (200, b"<html>"),
            (200, b"{}"),
            (200, b'{"keys": []}'),
            (200, b'{"keys": {}}'),
            (200, b'{"keys": [[], 1, null, "x"]}'),
            (200, b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}'),
            (200, b'{"keys": "' + b"x" * 300_000 + b'"}'),
            (200, b"[" * 100_000),
        ],
        ids=[
            "500",
            "302",
            "html",
            "no keys",
            "no key",
            "no list",
            "no objects",
            "symmetric",
            "huge",
            "deep",
        ],
    )
    def test_34_keeps_the_last_set_when_the_next_is_useless(
        self, issuer: Issuer, status: int, body: bytes
    ):
        jwks.warm()
        known = jwks._State.current.keys
        grow_old(jwks.SOFT_AGE + 1)
        issuer.status, issuer.body = status, body
        issuer.headers = {"Location": f"{issuer.url}/elsewhere"}

        validator.access_token(issuer.sign(issuer.claims()))
        wait_until(lambda: shared.read("jwks-turn") == b"done")

        assert issuer.requests == 2
        assert jwks._State.current.keys == known

    def test_says_so_when_there_never_was_a_set(self, issuer: Issuer):
        issuer.status = 500

        with pytest.raises(ProviderUnavailable):
            validator.access_token(issuer.sign(issuer.claims()))

    def test_forgets_keys_after_a_day_without_an_answer(self, issuer: Issuer):
        token = issuer.sign(issuer.claims())
        validator.access_token(token)
        issuer.status = 500
        grow_old(jwks.HARD_AGE + 1)

        # The memo does not know better.
        with pytest.raises(ProviderUnavailable):
            validator.access_token(token)

    def test_logs_the_warming_in_the_words_agreed(self, issuer: Issuer, caplog):
        caplog.set_level("INFO")

        jwks.warm()

        assert caplog.messages == ["🔐 JWKS cache pre-warmed"]

    def test_warns_when_it_cannot_be_warmed(self, issuer: Issuer, caplog):
        issuer.status = 500

        jwks.warm()

        assert caplog.messages == ["The JWKS cache could not be warmed: HTTP 500"]


class TestKeySet:
    def read(self, issuer: Issuer, *documents: Any) -> list[str]:
        good = issuer.keys[0].as_dict(private=False)
        body = json.dumps({"keys": [good, *documents]}).encode()
        kids = keyset.read(body, fetched_at=0.0, known={}).keys
        return [kid for kid in kids if kid != good["kid"]]

    @pytest.mark.parametrize(
        "changes",
        [
            {"use": "enc"},
            {"use": "enc", "alg": "RSA-OAEP"},
            {"alg": "RS512"},
            {"kty": "EC"},
            {"kty": "oct"},
            {"key_ops": ["encrypt"]},
            {"key_ops": ["sign"]},
            {"key_ops": "verify"},
            {"kid": ""},
            {"kid": 7},
            {"kid": "k" * 300},
            {"n": "AQAB"},
            {"n": "A" * 5000},
            {"n": 7},
            {"n": "!" * 342},
            {"e": "AQ"},
            {"e": "A" * 300},
        ],
        ids=str,
    )
    def test_leaves_out_a_key_that_may_not_verify(self, issuer: Issuer, changes):
        other = {**issuer.new_key().as_dict(private=False), "kid": "other"}

        assert self.read(issuer, {**other, **changes}) == []

    def test_takes_one_that_may(self, issuer: Issuer):
        other = {**issuer.new_key().as_dict(private=False), "key_ops": ["verify"]}

        assert self.read(issuer, {**other, "kid": "other"}) == ["other"]

    def test_5_leaves_out_two_keys_of_one_name(self, issuer: Issuer):
        one = {**issuer.new_key().as_dict(private=False), "kid": "twice"}
        two = {**issuer.new_key().as_dict(private=False), "kid": "twice"}

        assert self.read(issuer, one, two) == []

    def test_is_refused_when_it_has_too_many(self, issuer: Issuer):
        other = issuer.new_key().as_dict(private=False)
        many = [{**other, "kid": f"{number}"} for number in range(keyset.MAX_KEYS)]

        with pytest.raises(ProviderUnavailable):
            self.read(issuer, *many)


class TestAllProcesses:
    def test_have_what_one_has_fetched(self, issuer: Issuer):
        jwks.warm()
        be_another_process()

        jwks.warm()
        validator.access_token(issuer.sign(issuer.claims()))

        assert issuer.requests == 1

    def test_share_it_outside_the_sessions(self, issuer: Issuer, redis_client):
        jwks.warm()

        assert redis_client.keys("mario_session:*") == []
        (key,) = redis_client.keys("mario_identity:*:jwks")
        assert 0 < redis_client.ttl(key) <= jwks.HARD_AGE
        assert '"d"' not in redis_client.get(key)

    def test_learn_of_a_new_key_from_each_other(self, issuer: Issuer):
        jwks.warm()
        issuer.keys = [issuer.new_key()]
        here, theirs = jwks._State.current, jwks._State.theirs
        be_another_process()
        shared.remove("jwks")
        jwks.warm()
        jwks._State.current, jwks._State.theirs = here, theirs

        validator.access_token(issuer.sign(issuer.claims()))

        assert issuer.requests == 2

    @pytest.mark.parametrize(
        "raw",
        [b"", b"[]", b"{}", b'{"fetched_at": "x"}', b'{"fetched_at": Infinity}'],
    )
    def test_do_not_take_rubbish_for_keys(self, issuer: Issuer, raw: bytes):
        shared.write("jwks", raw, seconds=60)

        validator.access_token(issuer.sign(issuer.claims()))

        assert issuer.requests == 1

    def test_do_not_believe_in_keys_of_the_future(self, issuer: Issuer):
        jwks.warm()
        grow_old(-7200)
        be_another_process()

        jwks.warm()

        assert issuer.requests == 2

    def test_go_on_alone_while_redis_is_away(self, issuer: Issuer, valkey):
        jwks.warm()
        valkey.stop()
        try:
            be_another_process()
            cool_down()
            validator.access_token(issuer.sign(issuer.claims()))
            with pytest.raises(InvalidToken):
                jwks.key("unknown")
        finally:
            valkey.start()
            # What it knew of the tests before would be restored.
            failover.reset()

        assert issuer.requests == 2

    def test_succeed_one_that_died_while_it_asked(self, issuer: Issuer):
        jwks.warm()
        issuer.keys = [issuer.new_key()]
        cool_down()
        shared.claim("jwks-turn", b"somebody", seconds=1)

        def reads() -> bool:
            try:
                validator.access_token(issuer.sign(issuer.claims()))
            except InvalidToken:
                return False
            return True

        wait_until(reads)
        assert issuer.requests == 2

    @pytest.mark.slow
    def test_ask_once_together_for_unknown_keys(self, issuer: Issuer):
        """Four real processes are flooded with unknown keys."""
        jwks.warm()
        cool_down()
        environment = {**os.environ, "KEYCLOAK_SERVER_URL": issuer.url}
        environment["KEYCLOAK_PUBLIC_URL"] = issuer.url
        script = (
            "import django; django.setup()\n"
            "from mario.identity import jwks\n"
            "from mario.identity.exceptions import InvalidToken\n"
            "jwks.warm()\n"
            "for number in range(50):\n"
            "    try: jwks.key(f'unknown-{number}')\n"
            "    except InvalidToken: pass\n"
        )

        processes = [
            subprocess.Popen([sys.executable, "-c", script], env=environment, cwd=ROOT)
            for _ in range(4)
        ]

        assert [process.wait(60) for process in processes] == [0] * 4
        assert issuer.requests == 2


class TestDiscovery:
    def test_of_another_issuer_is_refused(self, issuer: Issuer, caplog):
        issuer.calls_itself = "http://elsewhere/realms/pyneuro"

        jwks.warm()

        assert "is of the issuer 'http://elsewhere/realms/pyneuro'" in caplog.text
        with pytest.raises(ProviderUnavailable):
            validator.access_token(issuer.sign(issuer.claims()))
        assert issuer.requests == 0

    def test_is_asked_again_until_it_agrees(self, issuer: Issuer):
        issuer.calls_itself = "http://elsewhere/realms/pyneuro"
        jwks.warm()
        issuer.calls_itself = None
        cool_down()

        validator.access_token(issuer.sign(issuer.claims()))

    @pytest.mark.parametrize(
        ("status", "body", "reason"),
        [
            (503, b"", "HTTP 503"),
            (302, b"", "HTTP 302"),
            (200, b"<html>", "it is not JSON"),
            (200, b"[" * 100_000, "it is not JSON"),
            (200, b"[]", "it is no object"),
            (200, b"x" * 300_000, "its answer is too large"),
        ],
        ids=["503", "302", "html", "deep", "list", "huge"],
    )
    def test_that_cannot_be_read_only_warns(
        self, issuer: Issuer, caplog, status, body, reason
    ):
        issuer.discovery_status, issuer.discovery_body = status, body

        jwks.warm()

        assert f"discovery document cannot be read: {reason}" in caplog.text
        validator.access_token(issuer.sign(issuer.claims()))
