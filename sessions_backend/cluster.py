"""
ConnectionFactory: sessions in a Redis Cluster, by the alias of django-redis.

    "LOCATION": ["redis://node-1:6379/0", "redis://node-2:6379/0"],
    "OPTIONS": {"CONNECTION_FACTORY": "sessions_backend.cluster.ConnectionFactory"},

Any node that LOCATION names can tell the others. Passwords, TLS and all options hold
for every node.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django_redis.pool import ConnectionFactory as SingleServerFactory
from redis.connection import ConnectionPool

type Address = tuple[str, int]


class ClusterPool(ConnectionPool):
    """
    How one node is reached, and how the others are.

    It knows no slots: the engine does. As a cache, the alias serves one node only.
    """

    at: "Callable[[Address], ClusterPool]"

    @property
    def address(self) -> Address:
        settings = self.connection_kwargs
        return settings.get("host", "localhost"), settings.get("port", 6379)


class ConnectionFactory(SingleServerFactory):  # type: ignore[misc]  # is untyped
    # django-redis keeps pools by URL; a plain one of the same URL is no ClusterPool.
    _pools: dict[str, ClusterPool] = {}

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.pool_cls = ClusterPool

    def get_connection_pool(self, params: dict[str, Any]) -> ClusterPool:
        pool: ClusterPool = super().get_connection_pool(params)
        pool.at = lambda address: self.get_connection_pool(
            {**params, "url": _moved(params["url"], address)}
        )
        return pool


def _moved(url: str, address: Address) -> str:
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    host, port = address
    if ":" in host:
        host = f"[{host}]"
    return parts._replace(netloc=f"{credentials}{at}{host}:{port}").geturl()
