"""
A session changes its id while other requests of it are under way (row 31).

Those go on for a short grace, and lose nothing; the old id is no login any more.
"""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import override_settings

from sessions_backend.engine import SessionStore
from tests.faults.history import Person
from tests.faults.load import Load
from tests.faults.site import BUDGET
from tests.faults.stage import wait_until

TRIALS = 12
_WRITERS = 5


def _write(stage, person, pid):
    entry = secrets.token_hex(4)
    answer = stage.site.get(f"/write?entry={entry}", person.cookie, pid=pid)
    return entry, answer


def _rotate_amid_writes(stage, pool, person):
    """Return the new cookie; every write that raced with it is in `person.entries`."""
    pids = (stage.site.pids * 2)[:_WRITERS]
    writes = [pool.submit(_write, stage, person, pid) for pid in pids]
    rotation = pool.submit(
        stage.site.get, "/rotate", person.cookie, pid=stage.site.pids[0]
    )
    for write in writes:
        entry, answer = write.result()
        assert answer.status == 200
        assert answer.body["owner"] == person.name
        # A request that comes late does not give the old cookie back to the browser.
        assert answer.cookie is None or answer.cookie.value == person.cookie
        person.entries.add(entry)
    rotated = rotation.result()
    assert rotated.status == 200
    return rotated.cookie.value


def test_requests_under_way_go_on_and_the_old_id_is_no_login(stage):
    people = stage.people()
    luigi = Person.arriving_at(stage.site)
    luigi.log_in(stage.site, pid=stage.site.pids[0])
    former = ""

    with Load(stage.site, people) as load, ThreadPoolExecutor(_WRITERS + 1) as pool:
        for _ in range(TRIALS):
            luigi.show_to(stage.site, *stage.site.pids)
            former = luigi.cookie
            luigi.cookie = _rotate_amid_writes(stage, pool, luigi)
            assert luigi.cookie != former
            for pid in stage.site.pids:
                seen = stage.site.get("/read", former, pid=pid)
                assert seen.status == 200
                assert seen.body["user"] is None
                assert not seen.cookie

    stage.check_load(load, budget=BUDGET)
    stage.check_nothing_was_lost([luigi, *people])
    with stage.redis() as client:
        left = f"sessions:superseded:{former}"
        assert client.ttl(left) <= 3
        wait_until(lambda: not client.exists(left), seconds=5)
    stage.check_ended(former)
    stage.check_nothing_was_lost([luigi])


def test_in_an_outage_the_old_id_is_no_login_either(stage):
    luigi = Person.arriving_at(stage.site)
    luigi.log_in(stage.site, pid=stage.site.pids[0])
    former, pid = luigi.cookie, stage.site.pids[0]
    stage.proxy.refuse()
    for worker in stage.site.pids * 3:
        stage.site.get("/read", former, pid=worker)
    assert stage.serves_from("local")

    answer = stage.site.get("/rotate", former, pid=pid)

    assert answer.cookie is not None
    luigi.cookie = answer.cookie.value
    seen = stage.site.get("/read", former, pid=pid)
    assert seen.status == 403 or seen.body["user"] is None
    assert stage.site.get("/read", luigi.cookie, pid=pid).body["user"] == luigi.name
    stage.proxy.heal()
    wait_until(lambda: stage.serves_from("redis"), seconds=10)
    wait_until(lambda: not stage.site.metrics().gauge("journal_changes"), seconds=5)
    stage.check_ended(former)
    stage.check_nothing_was_lost([luigi])


@override_settings(SESSION_ABSOLUTE_AGE=None)
@pytest.mark.parametrize("trial", range(3))
def test_in_an_event_loop_too(trial):
    async def add(key: str | None, name: str) -> None:
        session = SessionStore(key)
        cart: Any = await session.aget("cart")
        await asyncio.sleep(0.005)
        cart[name] = 1
        await session.asave()

    async def scenario() -> None:
        session = SessionStore()
        session.update({"_auth_user_id": "1", "cart": {}})
        await session.acreate()
        former = session.session_key
        writers = [add(former, f"entry-{number}") for number in range(8)]
        rotating = SessionStore(former)
        await rotating.aload()

        await asyncio.gather(*writers[:4], rotating.acycle_key(), *writers[4:])
        await add(former, "late")

        old, new = SessionStore(former), SessionStore(rotating.session_key)
        assert rotating.session_key != former
        assert await old.aget("_auth_user_id") is None
        assert old.is_superseded
        assert await new.aget("_auth_user_id") == "1"
        names = {f"entry-{number}" for number in range(8)} | {"late"}
        cart: Any = await new.aget("cart")
        assert cart.keys() == names

    asyncio.run(scenario())
