from collections.abc import Iterator

import pytest

from tests.sessions_backend.servers.kinds import (
    Cluster,
    debians_redis,
    running_cluster,
)


@pytest.fixture(scope="module")
def _shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(debians_redis(), tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def shared_cluster(_shared_cluster: Cluster) -> Cluster:
    """A cluster for tests that leave its nodes as they are; empty each time."""
    for node in _shared_cluster.primaries:
        node.ask("FLUSHALL")
    return _shared_cluster


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    """A cluster of the test's own, to be damaged."""
    with running_cluster(debians_redis(), tmp_path) as made:
        yield made
