"""
What several people do at the same moment, once more on PostgreSQL.

SQLite lets one write at a time; only PostgreSQL shows a lock that is missing. And only
PostgreSQL leaves a row alone of which an index holds all that is asked.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.postgresql import PostgreSQL
from tests.shop import ROOT

SUITES = [
    "tests/pizzeria/test_at_the_same_moment.py",
    "tests/pizzeria/test_drivers_at_the_same_moment.py",
    "tests/pizzeria/test_transactions.py",
    "tests/pizzeria/deadlock_on_postgresql.py",
    "tests/pizzeria/test_events.py",
    "tests/pizzeria/test_best_customers.py",
]


@pytest.fixture(scope="module")
def postgresql():
    # Not in pytest's own folder, which the server's user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="mario-postgresql-"))
    try:
        with PostgreSQL(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.postgresql
@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_holds_there_too(postgresql, suite):
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_", "REQUIRE"))
    }
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-x", suite],
        cwd=ROOT,
        env=inherited | {"TESTS_DATABASE_URL": postgresql.url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert " passed" in ran.stdout
