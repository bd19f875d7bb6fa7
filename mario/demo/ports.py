import errno
import socket
from collections.abc import Mapping

from mario.demo.errors import DemoFailed

_IPV6_IS_MISSING = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def require_free(ports: Mapping[str, int]) -> None:
    """
    Check that every port, by the name of its variable, can be listened on.

    :raises DemoFailed: if one is in use, or two are the same; names them all
    """
    mistakes = [
        f"Port {port} is in use: choose another with {name}=, "
        f"for example `make run {name}={_next_free(port)}`."
        for name, port in ports.items()
        if is_busy(port)
    ]
    for name, port in ports.items():
        twins = [other for other, number in ports.items() if number == port]
        if name != twins[0]:
            mistakes.append(f"{twins[0]} and {name} are both {port}: change one.")
    if mistakes:
        raise DemoFailed("\n".join(mistakes))


def is_busy(port: int) -> bool:
    # A browser tries both addresses for "localhost": somebody who listens on one
    # of them only would still take visits away.
    return any(
        _is_taken(family, address, port)
        for family, address in (
            (socket.AF_INET, "127.0.0.1"),
            (socket.AF_INET6, "::1"),
        )
    )


def _is_taken(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            probe.listen(1)
    except PermissionError:
        return False
    except OSError as error:
        return error.errno not in _IPV6_IS_MISSING
    return False


def _next_free(port: int) -> int:
    candidates = range(port + 1, min(port + 100, 65536))
    return next((other for other in candidates if not is_busy(other)), 0)
