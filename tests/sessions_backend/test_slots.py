"""A cluster that is incomplete, or that sends everybody on and on."""

import time
from typing import Any

import hiredis
import pytest
from redis.exceptions import ClusterError

from sessions_backend.cluster import ConnectionFactory
from sessions_backend.stores.base import finish
from sessions_backend.stores.cluster import ClusterTransport
from sessions_backend.stores.slots import Slots

KEY = "session:1"
HERE = ("127.0.0.1", 7001)
EVERY_SLOT = [0, 16383, [b"127.0.0.1", 7001, b"id"]]


def soon():
    return time.monotonic() + 10


def test_a_slot_that_no_node_has_is_an_error():
    async def ask(address, deadline):
        return [[0, 0, [b"", 7001, b"id"]]]

    slots = Slots([HERE], ask)
    finish(slots.learn(soon()))

    # A node that does not know its own name is the one that was asked.
    assert slots.owners == [HERE]
    with pytest.raises(ClusterError, match="No node"):
        slots.owner_of(KEY)


class SendsOn:
    """A node that has every slot, and says each time that another has this one."""

    breaks = 0

    def __init__(self, pool: Any) -> None:
        self.asked = 0
        _nodes.append(self)

    async def exchange(self, commands: Any, *_: Any, **__: Any) -> list[Any]:
        if b"SLOTS" in commands[0][1]:
            return [[EVERY_SLOT]]
        self.asked += 1
        return [hiredis.ReplyError("MOVED 1 127.0.0.1:7001") for _ in commands]

    def close(self) -> None:
        """Nothing is open."""


_nodes: list[SendsOn] = []


def test_a_slot_that_moves_on_for_ever_is_followed_five_times():
    _nodes.clear()
    seed = ConnectionFactory({}).connect("redis://127.0.0.1:7001/0").connection_pool
    transport = ClusterTransport([seed], SendsOn)

    (said,) = finish(transport.exchange(((KEY, b"GET"),), soon(), True))

    assert str(said).startswith("MOVED")
    assert sum(node.asked for node in _nodes) == 5
