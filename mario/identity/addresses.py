"""Whose request this is, by address: a proxy's word counts where it is trusted."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

# Proxies in a row; a header with more was made up.
_MOST_HOPS = 10
# What one customer of an internet provider is given: counting single addresses of it
# would count nobody.
_IPV6_PREFIX = 64


def client_address(request: HttpRequest) -> str:
    """
    Return the address of the client, "" if the server does not know it.

    X-Forwarded-For is read from its end, and only as long as each hop is one of
    TRUSTED_PROXIES: what stands before was written by whoever sent the request.
    """
    address = _parsed(request.META.get("REMOTE_ADDR", ""))
    hops = request.headers.get("X-Forwarded-For", "").split(",")[-_MOST_HOPS:]
    while hops and address and _is_trusted(address):
        address = _parsed(hops.pop().strip()) or address
    return address


def network_of(address: str) -> str:
    """Return what to count by: the address, or its /64 where it is IPv6."""
    if ":" not in address:
        return address
    return str(ip_network(f"{address}/{_IPV6_PREFIX}", strict=False))


def _is_trusted(address: str) -> bool:
    found = ip_address(address)
    return any(
        found in network for network in _networks(tuple(settings.TRUSTED_PROXIES))
    )


@lru_cache(maxsize=8)
def _networks(texts: Sequence[str]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(text, strict=False) for text in texts]


def _parsed(text: str) -> str:
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
