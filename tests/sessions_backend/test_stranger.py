"""Somebody else's Django project, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.servers import free_port

PROGRAM = Path(__file__).with_name("stranger.py")
ROOT = PROGRAM.parents[2]


def run(redis_url):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-W", "error", PROGRAM, redis_url],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_switches_the_engine_on_with_the_names_of_the_readme(valkey, redis_client):
    result = json.loads(run(valkey.url).stdout.splitlines()[-1])

    assert result["visits"] == [1, 2, 3]
    assert result["seen"] == {"visits": 3}
    assert json.loads(redis_client.get(f"session:{result['cookie']}")) == {"visits": 3}
    assert redis_client.keys("session:*") == [f"session:{result['cookie']}"]
    assert 1_209_000 < redis_client.ttl(f"session:{result['cookie']}") <= 1_209_600


def test_works_from_memory_where_redis_is_not():
    done = run(f"redis://127.0.0.1:{free_port()}/0")

    assert json.loads(done.stdout.splitlines()[-1])["visits"] == [1, 2, 3]
    assert "Falling back to InMemorySessionStore" in done.stderr
