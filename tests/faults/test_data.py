"""
Redis answers, and what it holds is not what it was: under load, over several workers.

The rows of the table of faults about lost, damaged, foreign and drifted data.
"""

import json
import pickle
import time

import pytest

from sessions_backend import names
from tests.faults.history import Person
from tests.faults.load import Load
from tests.faults.site import BUDGET, Site
from tests.faults.stage import Stage, raised, url_of, wait_until


@pytest.fixture
def own_stage(tmp_path):
    with raised(tmp_path) as stage:
        yield stage


def _append_only_file(stage: Stage):
    (file,) = stage.server.folder.glob("appendonlydir/*.incr.aof")
    return file


def test_a_kill_costs_at_most_the_last_second(own_stage):
    """Row 12: the file that was being written ends in the midst of a command."""
    stage = own_stage
    people, told = stage.people(), stage.site.metrics()

    with Load(stage.site, people) as load:
        time.sleep(1)
        kept = {person.name: set(person.entries) for person in people}
        on_disk = _append_only_file(stage).stat().st_size
        time.sleep(1)
        stage.server.stop()
        killed = time.monotonic()
        with _append_only_file(stage).open("r+b") as file:
            file.truncate(on_disk + 7)
        wait_until(lambda: stage.serves_from("local"), seconds=5)
        time.sleep(1)
        stage.server.start()
        stage.check_recovered(time.monotonic())
        time.sleep(0.3)

    stage.check_load(load, budget=BUDGET)
    for event in load.history.events:
        if event.entry and event.answer.status == 200 and event.answer.began > killed:
            kept[event.person.name].add(event.entry)
    for person in people:
        assert kept[person.name]
        person.entries = kept[person.name]
    stage.check_nothing_was_lost(people)
    stage.check_told(told, outages=3, returns=3)


def test_a_redis_that_comes_back_empty_is_given_what_is_known(own_stage):
    """Rows 13 and 20; `test_losses.py` has the logouts before and meanwhile."""
    stage = own_stage
    people, told = stage.people(), stage.site.metrics()
    with stage.redis() as client:
        client.set("session:known-to-nobody", '{"owner": "stranger"}', ex=600)

    with Load(stage.site, people) as load:
        time.sleep(0.5)
        stage.server.stop()
        for file in stage.server.folder.glob("appendonlydir/*"):
            file.unlink()
        time.sleep(1)
        stage.server.start()
        stage.check_recovered(time.monotonic())
        time.sleep(0.3)

    stage.check_load(load, budget=BUDGET)
    stage.check_nothing_was_lost(people)
    stage.check_ended("known-to-nobody")
    stage.check_told(told, restorations=1, outages=3, returns=3)


DAMAGES = {
    "no-json": b"\x80\x00 not JSON",
    "pickled": pickle.dumps({"owner": "stranger"}),
    "no-object": b'["owner"]',
    "too-deep": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "cut-short": b'{"owner":"strang',
    "no-number": b'{"owner": NaN}',
    "no-text": b'{"owner": "\xff\xfe"}',
}


def test_damaged_sessions_end_and_nobody_elses(stage):
    """Row 25: never a 500, never unpickled, kept aside for an operator."""
    people, told = stage.people(), stage.site.metrics()
    log = stage.site.log_position()

    with Load(stage.site, people) as load, stage.redis() as client:
        for name, raw in DAMAGES.items():
            client.set(f"session:damaged-{name}", raw, ex=600)
        client.hset("session:damaged-type", "owner", "stranger")
        for name in (*DAMAGES, "type"):
            for pid in stage.site.pids:
                answer = stage.site.get("/read", f"damaged-{name}", pid=pid)
                assert answer.status == 403, name
        time.sleep(0.5)
        kept_aside = list(client.scan_iter("sessions:damaged:*"))

    stage.check_load(load, budget=BUDGET)
    stage.check_nothing_was_lost(people)
    stage.check_told(told, damaged_records=len(DAMAGES) + 1)
    assert stage.site.metrics().count("outages") == told.count("outages")
    assert len(kept_aside) >= len(DAMAGES)
    lines = [line for line in stage.site.log(since=log) if "damaged" in line[2].lower()]
    assert len(lines) >= len(DAMAGES)
    assert all("damaged-" not in message for _, _, message in lines)


def test_two_versions_side_by_side_read_each_others_sessions(stage, tmp_path):
    """
    Row 26: one writes what the other does not know, and neither loses a thing.

    The newer has an absolute end in each record; the older has none. Among the records
    are such as another writer of JSON lays out, and some with members from the future.
    """
    people = stage.people()
    with stage.redis() as client:
        for number, person in enumerate(people):
            key = f"session:{person.cookie}"
            held = json.loads(client.get(key))
            if number % 2:
                held["of_a_later_version"] = {"list": [1, 2.5, None], "text": "é"}
            client.set(key, json.dumps(held, indent=1), keepttl=True)
    newer = Site(
        tmp_path / "newer", url_of(stage.proxy.port), FAULTS_ABSOLUTE_AGE="900"
    )

    with newer:
        for person in people:
            person.show_to(newer, *newer.pids)
        with Load(stage.site, people) as load, Load(newer, people) as other:
            time.sleep(2)

        for each in (load, other):
            stage.check_load(each, budget=BUDGET)
        stage.check_nothing_was_lost(people)
        Stage(newer, stage.proxy, stage.server).check_nothing_was_lost(people)
    with stage.redis() as client:
        for number, person in enumerate(people):
            held = json.loads(client.get(f"session:{person.cookie}"))
            assert held["expires_at"]
            later = {"list": [1, 2.5, None], "text": "é"} if number % 2 else None
            assert held.get("of_a_later_version") == later


def test_a_list_that_has_drifted_mends_itself(stage):
    """Row 33: what it names in vain goes, and who was dropped comes again."""
    people = stage.people()
    devices = [Person.arriving_at(stage.site) for _ in range(4)]
    for device in devices:
        device.log_in(stage.site, pid=stage.site.pids[0], user="toad")
    here, *others = devices

    def listed(pid: int) -> set[str]:
        return set(stage.site.get("/mine", here.cookie, pid=pid).body["sessions"])

    with Load(stage.site, people) as load, stage.redis() as client:
        assert listed(stage.site.pids[1]) == {device.cookie for device in devices}
        # As Redis does when a time is over, or its memory is full.
        client.delete(*(f"session:{device.cookie}" for device in others[:2]))
        for pid in stage.site.pids:
            assert listed(pid) == {here.cookie, others[2].cookie}
        (list_key,) = (
            key
            for key in client.scan_iter("sessions:user:*")
            if client.zscore(key, here.cookie)
        )
        assert set(client.zrange(list_key, 0, -1)) == {here.cookie, others[2].cookie}

        client.delete(list_key)
        # A tenth of its life is over: the next request renews it.
        client.expire(f"session:{here.cookie}", 86400)
        stage.site.get("/read", here.cookie, pid=stage.site.pids[0])
        assert listed(stage.site.pids[2]) == {here.cookie}

    stage.check_load(load, budget=BUDGET)
    stage.check_nothing_was_lost(people)
    assert list_key == names.user_list_key(str(_user_id(stage, here)))


def _user_id(stage: Stage, person: Person) -> str:
    with stage.redis() as client:
        held = json.loads(client.get(f"session:{person.cookie}"))
    return str(held["_auth_user_id"])
