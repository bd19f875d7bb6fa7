"""
How commands reach a Redis Cluster: each goes to the node that has its key's slot.

Commands for one node go in one trip. A node that says MOVED or ASK, or that does not
answer and has a successor, is followed before the deadline of the call, or not at all.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import hiredis
from django.core.cache import caches
from redis.connection import ConnectionPool
from redis.exceptions import RedisError

from sessions_backend import conf, names
from sessions_backend.cluster import Address, ClusterPool
from sessions_backend.stores.opening import pool_of
from sessions_backend.stores.redis import RedisStore, pack
from sessions_backend.stores.slots import Slots
from sessions_backend.stores.transport import Command, Preamble, Transport

# A slot that moves on while it is asked for is followed as often as this.
_MOST_ROUNDS = 5
_ASKING: Command = ("", pack(("ASKING",)))
_CLUSTER_SLOTS: Command = ("", pack(("CLUSTER", "SLOTS")))


def redis_store(
    cache_alias: str, transport_of: Callable[[ConnectionPool], Transport]
) -> RedisStore:
    """Return the store over the server of an alias, or over all of its cluster."""
    pool = pool_of(cache_alias)
    if not isinstance(pool, ClusterPool):
        return RedisStore(transport_of(pool))
    cache: Any = caches[cache_alias]
    connect = cache.client.connection_factory.connect
    seeds = [connect(url).connection_pool for url in conf.locations(cache_alias)]
    return ClusterStore(ClusterTransport(seeds, transport_of))


class ClusterStore(RedisStore):
    """A RedisStore over many nodes: each of its commands touches one key."""

    def __init__(self, transport: "ClusterTransport") -> None:
        super().__init__(transport)
        self._cluster = transport

    async def keys(self, prefix: str, *, limit: int) -> AsyncIterator[str]:
        # The answer comes with the slots, if they were not known.
        await self.ping()
        seen = 0
        for node in self._cluster.nodes_with_slots():
            async for key in RedisStore(node).keys(prefix, limit=limit - seen):
                seen += 1
                yield key


class ClusterTransport:
    """
    One transport for each node, as `transport_of` makes it: blocking, or of asyncio.

    What goes to several nodes goes one trip after the other, in the order given; what
    tells other processes of an ending goes last.
    """

    def __init__(
        self,
        seeds: Sequence[ClusterPool],
        transport_of: Callable[[ConnectionPool], Transport],
    ) -> None:
        self._pool_at = seeds[0].at
        self._transport_of = transport_of
        self._nodes: dict[Address, Transport] = {}
        self._slots = Slots([seed.address for seed in seeds], self._ask_for_slots)

    @property
    def breaks(self) -> int:
        return sum(node.breaks for node in list(self._nodes.values()))

    async def exchange(
        self,
        commands: tuple[Command, ...],
        deadline: float,
        is_repeatable: bool,
        preamble: Preamble | None = None,
    ) -> list[Any]:
        call = _Call(commands, deadline, is_repeatable, preamble)
        announcements = {
            position for position, (key, _) in enumerate(commands) if key == names.ENDED
        }
        await self._follow(call, set(range(len(commands))) - announcements)
        await self._follow(call, announcements)
        return call.replies

    def nodes_with_slots(self) -> list[Transport]:
        return [self._node(address) for address in self._slots.owners]

    def close(self) -> None:
        for node in list(self._nodes.values()):
            node.close()

    async def _follow(self, call: "_Call", waiting: set[int]) -> None:
        for _ in range(_MOST_ROUNDS):
            if not waiting:
                return
            await self._slots.learn_if_in_doubt(call.deadline)
            for address, positions in self._by_owner(call, waiting).items():
                waiting -= await self._send(call, address, positions)

    def _by_owner(self, call: "_Call", waiting: set[int]) -> dict[Address, list[int]]:
        groups: dict[Address, list[int]] = {}
        for position in sorted(waiting):
            key, _ = call.commands[position]
            owner = self._slots.owner_of(key)
            groups.setdefault(owner, []).append(position)
        return groups

    async def _send(
        self, call: "_Call", address: Address, positions: list[int]
    ) -> set[int]:
        """Send commands to a node; return which of them it has answered."""
        commands = [call.commands[position] for position in positions]
        try:
            replies = await self._exchange(call, address, *commands)
        except (RedisError, OSError):
            if call.is_repeatable and await self._has_lost_its_slots(call, address):
                return set()
            raise
        moved, owner = set(), None
        for position, reply in zip(positions, replies, strict=True):
            if asked := _target(reply, "ASK", address):
                asking = (_ASKING, call.commands[position])
                _, call.replies[position] = await self._exchange(call, asked, *asking)
            else:
                call.replies[position] = reply
            if target := _target(call.replies[position], "MOVED", address):
                owner = target
                moved.add(position)
        if owner:
            # The new owner knows it for certain; word of it may not be everywhere.
            await self._slots.learn(call.deadline, teller=owner)
        return set(positions) - moved

    async def _exchange(
        self, call: "_Call", address: Address, *commands: Command
    ) -> list[Any]:
        return await self._node(address).exchange(
            commands,
            call.deadline,
            is_repeatable=call.is_repeatable,
            preamble=call.preamble,
        )

    async def _has_lost_its_slots(self, call: "_Call", address: Address) -> bool:
        self._slots.doubt(address)
        await self._slots.learn_if_in_doubt(call.deadline)
        return address not in self._slots.owners

    async def _ask_for_slots(self, address: Address, deadline: float) -> Any:
        (reply,) = await self._node(address).exchange(
            (_CLUSTER_SLOTS,), deadline, is_repeatable=True
        )
        return reply

    def _node(self, address: Address) -> Transport:
        node = self._nodes.get(address)
        if node is None:
            made = self._transport_of(self._pool_at(address))
            # Another thread may have been faster; neither has connected yet.
            node = self._nodes.setdefault(address, made)
        return node


class _Call:
    """One exchange: what is sent until when, and the replies so far."""

    def __init__(
        self,
        commands: tuple[Command, ...],
        deadline: float,
        is_repeatable: bool,
        preamble: Preamble | None,
    ) -> None:
        self.commands, self.deadline = commands, deadline
        self.is_repeatable, self.preamble = is_repeatable, preamble
        self.replies: list[Any] = [None] * len(commands)


def _target(reply: object, word: str, asked: Address) -> Address | None:
    """Return where a reply such as "MOVED 3999 127.0.0.1:6381" leads."""
    if not isinstance(reply, hiredis.ReplyError):
        return None
    kind, _, rest = str(reply).partition(" ")
    if kind != word:
        return None
    host, _, port = rest.split()[1].rpartition(":")
    # No host means the one that was asked.
    return host or asked[0], int(port)
