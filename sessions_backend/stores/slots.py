"""Which node of a Redis Cluster has a key, as some node has told."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import hiredis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ClusterError, RedisError

from sessions_backend.cluster import Address

# While a node is away the others are asked no more often who has its slots now.
_LEARNING_SECONDS = 0.25


class Slots:
    """`ask` puts CLUSTER SLOTS to a node and returns its reply before a deadline."""

    def __init__(
        self,
        seeds: Sequence[Address],
        ask: Callable[[Address, float], Awaitable[Any]],
    ) -> None:
        self._seeds = seeds
        self._ask = ask
        self._owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._learned_at = float("-inf")
        # Whether each slot has an owner, and a node that may have lost its own.
        self._is_whole = False
        self._doubted: Address | None = None

    @property
    def owners(self) -> list[Address]:
        """All nodes that have slots."""
        return [owner for owner in dict.fromkeys(self._owners) if owner]

    def owner_of(self, key: str) -> Address:
        owner = self._owners[key_slot(key.encode())]
        if owner is None:
            raise ClusterError("No node of the cluster has this key's slot.")
        return owner

    def doubt(self, address: Address) -> None:
        """Note that a node did not answer; its slots may have gone to another."""
        self._doubted = address

    async def learn_if_in_doubt(self, deadline: float) -> None:
        if self._is_whole and self._doubted is None:
            return
        if time.monotonic() - self._learned_at > _LEARNING_SECONDS:
            await self.learn(deadline)

    async def learn(self, deadline: float, *, teller: Address | None = None) -> None:
        """
        Ask one node after the other where the slots are, the `teller` first.

        :raises redis.exceptions.RedisError: if those that are reached refuse
        :raises OSError: if none answers before `deadline`
        """
        error: Exception = TimeoutError("timed out")
        for address in self._tellers(teller):
            now = time.monotonic()
            if now >= deadline:
                break
            try:
                # One that hangs must leave the next one time to answer.
                reply = await self._ask(address, now + (deadline - now) / 2)
            except (RedisError, OSError) as failure:
                error = failure
                continue
            if isinstance(reply, hiredis.ReplyError):
                error = ClusterError(str(reply))
                continue
            self._note(reply, address)
            return
        raise error

    def _tellers(self, first: Address | None) -> list[Address]:
        known = dict.fromkeys([*([first] if first else []), *self.owners, *self._seeds])
        return sorted(known, key=lambda address: address == self._doubted)

    def _note(self, reply: Any, teller: Address) -> None:
        owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, (host, port, *_), *_ in reply:
            # An empty name stands for the address that was asked.
            owner = (host.decode() if host else teller[0], port)
            owners[first : last + 1] = [owner] * (last + 1 - first)
        self._owners = owners
        self._is_whole = None not in owners
        self._learned_at = time.monotonic()
        if self._doubted not in owners:
            self._doubted = None
