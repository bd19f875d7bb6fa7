"""
Every store against a model, through random operations, failures and recoveries.

The model is a dictionary of what was acknowledged. Redis may be cut off at any moment;
then a store either goes on as the model says, or says that it does not know.
"""

import time
from typing import Any

import hypothesis.strategies as st
import pytest
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sessions_backend import failover
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.stores.base import Replacement, Store, Stored
from sessions_backend.stores.local import LocalStore
from tests.environment import VALKEY
from tests.servers import wait_until
from tests.sessions_backend.conftest import caches_with
from tests.sessions_backend.misbehaving import HANG, PASS, RESET, Proxy
from tests.sessions_backend.opened import Awaited, redis_store

_TTL = 600
_KEYS = [f"mario_session:key-{number}" for number in range(4)]
keys = st.sampled_from(_KEYS)
values = st.sampled_from([b'{"a":1}', b'{"a":2}', b'{"b":[1]}', b'{"c":{"d":null}}'])
UNKNOWN = object()
# A failing run waits for a Redis that does not return: it is not made smaller.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


class StoreMachine(RuleBasedStateMachine):
    """A store that is always reached."""

    store: Store

    @initialize()
    def begin(self) -> None:
        self.model: dict[str, bytes] = {}
        # What this process has never been told is not to be guessed.
        self.seen: set[str] = set()
        self.open()
        for key in _KEYS:
            self.store.remove(key)

    def open(self) -> None:
        self.store = LocalStore()

    def told(self, key: str, act: Any, *arguments: Any) -> Any:
        return act(key, *arguments)

    @rule(key=keys, raw=values)
    def create(self, key: str, raw: bytes) -> None:
        answer = self.told(key, self.store.create, raw, _TTL)
        if answer is UNKNOWN:
            return
        assert answer is (key not in self.model)
        self.model.setdefault(key, raw)

    @rule(key=keys)
    def load(self, key: str) -> None:
        stored = self.told(key, self.store.load)
        if stored is UNKNOWN:
            return
        assert (stored.raw if isinstance(stored, Stored) else None) == self.model.get(
            key
        )

    def may_claim_to_have_loaded(self, key: str) -> bool:
        return True

    @rule(key=keys, expected=values, raw=values)
    def replace(self, key: str, expected: bytes, raw: bytes) -> None:
        if not self.may_claim_to_have_loaded(key):
            return
        outcome = self.told(key, self.store.replace, expected, raw, _TTL)
        if outcome is UNKNOWN:
            return
        present = self.model.get(key)
        if present is None:
            assert outcome is Replacement.GONE
        elif present in (expected, raw):
            assert outcome is Replacement.DONE
            self.model[key] = raw
        else:
            assert outcome == present

    @rule(key=keys)
    def renew(self, key: str) -> None:
        answer = self.told(key, self.store.renew, _TTL)
        assert answer is UNKNOWN or answer is (key in self.model)

    @rule(key=keys)
    def remove(self, key: str) -> None:
        self.told(key, self.store.remove)
        self.model.pop(key, None)

    @rule(key=keys)
    def take(self, key: str) -> None:
        raw = self.told(key, self.store.take)
        if raw is not UNKNOWN:
            assert raw == self.model.pop(key, None)

    @rule(key=keys)
    def exists(self, key: str) -> None:
        answer = self.told(key, self.store.exists)
        assert answer is UNKNOWN or answer is (key in self.model)

    def teardown(self) -> None:
        self.store.close()


class RedisMachine(StoreMachine):
    def open(self) -> None:
        self.store = redis_store("sessions")


class NearMachine(StoreMachine):
    def open(self) -> None:
        failover.reset()
        self.store = failover.store()
        # The near cache opens its connection beside the first loads.
        self.store.load(_KEYS[0])


class AsyncMachine(StoreMachine):
    def open(self) -> None:
        failover.reset()
        self.awaited = Awaited(failover.astore())
        self.store = self.awaited

    def teardown(self) -> None:
        self.awaited.end()


class FailingOverMachine(StoreMachine):
    """Redis goes and comes; nothing acknowledged is lost, nothing ended returns."""

    proxy: Proxy

    def open(self) -> None:
        self.proxy.mode = PASS
        failover.reset()
        self.store = failover.store()
        self.is_away = False

    def told(self, key: str, act: Any, *arguments: Any) -> Any:
        try:
            answer = act(key, *arguments)
        except StorageUnavailable:
            # Only of what this process was never told, and only without Redis, or just
            # after its return.
            situation = failover.situation()
            assert self.is_away or (situation and situation.breaker.is_settling)
            assert key not in self.seen
            return UNKNOWN
        self.seen.add(key)
        return answer

    def may_claim_to_have_loaded(self, key: str) -> bool:
        # Where Redis fails, be it for one call, the store believes who says what was
        # loaded a moment ago.
        return key in self.model or (self.is_away and key in self.seen)

    @precondition(lambda self: not self.is_away)
    @rule(how=st.sampled_from([HANG, RESET]))
    def redis_goes(self, how: str) -> None:
        # What Redis has told of is known; a missing key leaves nothing to know it by.
        self.seen &= set(self.model)
        self.proxy.mode = how
        self.is_away = True

    @precondition(lambda self: self.is_away)
    @rule()
    def redis_returns(self) -> None:
        self.proxy.mode = PASS
        self.is_away = False
        wait_until(lambda: not failover.is_degraded())

    @precondition(lambda self: self.is_away)
    @rule()
    def time_passes(self) -> None:
        time.sleep(0.05)

    @invariant()
    def redis_holds_what_was_acknowledged(self) -> None:
        if not hasattr(self, "is_away") or self.is_away or failover.is_degraded():
            return
        with VALKEY.client() as client:
            held = {key: client.get(key) for key in _KEYS}
        present = {key: raw.encode() for key, raw in held.items() if raw is not None}
        assert present == self.model

    def teardown(self) -> None:
        self.proxy.mode = PASS
        failover.reset()


def run(machine: type[StoreMachine], *, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("machine", [StoreMachine, RedisMachine, AsyncMachine])
def test_a_store_does_as_the_model(machine):
    run(machine, examples=25, steps=40)


@override_settings(SESSION_NEAR_CACHE=True)
def test_a_near_store_does_as_the_model():
    run(NearMachine, examples=15, steps=40)


def test_a_failing_over_store_does_as_the_model():
    with (
        Proxy(VALKEY.port) as proxy,
        override_settings(CACHES=caches_with(proxy.url), SESSION_REDIS_BUDGET_MS=100),
    ):
        FailingOverMachine.proxy = proxy
        run(FailingOverMachine, examples=40, steps=30)
