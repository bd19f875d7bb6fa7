"""
The engine in Prometheus, for every project that has prometheus-client installed.

With several worker processes set PROMETHEUS_MULTIPROC_DIR: events are summed up then,
and `sessions_degraded` is 1 as soon as one process is.
"""

from prometheus_client import Counter, Gauge

from sessions_backend import health

EVENTS = Counter(
    "sessions_events",
    "What happened to sessions: outages, merged_saves, damaged_records and others.",
    ["event"],
)
DEGRADED = Gauge(
    "sessions_degraded",
    "1 while sessions are kept elsewhere than the settings ask for.",
    multiprocess_mode="livemax",
)
JOURNAL_CHANGES = Gauge(
    "sessions_journal_changes",
    "Changed keys that Redis has not heard of yet.",
    multiprocess_mode="livesum",
)
JOURNAL_BYTES = Gauge(
    "sessions_journal_bytes",
    "The bytes of those changes.",
    multiprocess_mode="livesum",
)


class _Counters(dict[str, Counter]):
    """Of each event its counter: to look it up anew takes longer than to count."""

    def __missing__(self, event: str) -> Counter:
        self[event] = counter = EVENTS.labels(event)
        return counter


class _Prometheus:
    _counters = _Counters()
    _gauges = {
        "degraded": DEGRADED,
        "journal_changes": JOURNAL_CHANGES,
        "journal_bytes": JOURNAL_BYTES,
    }

    def counted(self, event: str, times: int) -> None:
        self._counters[event].inc(times)

    def noted(self, name: str, value: float) -> None:
        self._gauges[name].set(value)


health.watch(_Prometheus())
