from collections.abc import Iterator

import pytest

from tests.faults.stage import Stage, raised, wait_until


@pytest.fixture(scope="session")
def _raised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with raised(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture
def stage(_raised: Stage) -> Iterator[Stage]:
    """Three workers, a proxy and Redis, shared by all tests and healed each time."""
    _raised.proxy.heal()
    wait_until(lambda: _raised.serves_from("redis"), seconds=15)
    yield _raised
    _raised.proxy.heal()
    if _raised.server.process is None:
        _raised.server.start()
    _raised.server.resume()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "faults":
            # Two steady loads at once would measure each other.
            item.add_marker(pytest.mark.xdist_group("faults"))
            item.add_marker(pytest.mark.slow)
