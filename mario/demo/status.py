"""`manage.py demo --status`."""

import psutil

from mario.demo import console, state
from mario.demo.errors import DemoFailed
from mario.demo.folders import Folders
from mario.demo.readiness import get_json

_MEGABYTE = 1024 * 1024


def show(places: Folders) -> None:
    """
    Print each process with its port and memory, and the store of each shop.

    :raises DemoFailed: if nothing runs here
    """
    found = state.find_all(places)
    if not found:
        raise DemoFailed("No demo runs in this checkout: start one with `make run`.")
    console.say(f"{'server':<12} {'process':>8} {'port':>6} {'memory':>9}  program")
    total = 0.0
    for name, running in found.items():
        servers = {f"{name} (own)": (running.supervisor, 0), **running.servers}
        for server, (pid, port) in servers.items():
            total += _show_server(server, pid, port, with_children=port > 0)
    console.say(f"{'all':<12} {'':>8} {'':>6} {total:>6.1f} MB")
    console.say()
    for running in found.values():
        _show_store(running.shop_url)


def _show_server(name: str, pid: int, port: int, *, with_children: bool) -> float:
    try:
        leader = psutil.Process(pid)
        family = [leader, *(leader.children(recursive=True) if with_children else [])]
    except psutil.NoSuchProcess:
        console.say(f"{name:<12} {pid:>8} {port or '':>6} {'gone':>9}")
        return 0.0
    total = 0.0
    for process in family:
        try:
            memory = process.memory_info().rss / _MEGABYTE
            program = process.name()
        except psutil.NoSuchProcess:
            continue
        total += memory
        console.say(
            f"{name:<12} {process.pid:>8} {port or '':>6} {memory:>6.1f} MB  {program}"
        )
    return total


def _show_store(shop_url: str) -> None:
    answer = get_json(f"{shop_url}/ready")
    if not answer:
        console.say(f"{shop_url} does not answer.")
        return
    ready = "ready" if answer.get("ready") else "not ready"
    console.say(f"{shop_url} is {ready}; sessions: {answer.get('session_store')}")
