"""Alerts and dashboard ask for metrics that the shop has."""

import json
import re
from pathlib import Path

import pytest
import yaml

from pizzeria.events.models import OutboxEvent
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import (  # noqa: F401  # fixtures
    FRIDAY_EVENING,
    luigi,
    margherita,
    menu,
    order_of,
    peach,
)
from tests.shop import ROOT

FOLDER = ROOT / "deployment" / "observability"
ALERTS = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [
    target["expr"] for panel in PANELS for target in panel["targets"]
]
# Prometheus's own.
_ITS_OWN = {"up"}


def asked_for(expression: str) -> set[str]:
    without_labels = re.sub(r"\{[^}]*\}|\bby \([^)]*\)|\[\w+\]", "", expression)
    return set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b|\bup\b", without_labels)) - {
        "histogram_quantile"
    }


@pytest.mark.django_db(transaction=True)
def test_every_metric_that_is_asked_for_is_there(client, order_of, peach, luigi):  # noqa: F811
    order = order_of(peach)
    for to in (Status.COOKING, Status.READY):
        move_order(order_id=order.pk, to=to, actor=luigi, now=FRIDAY_EVENING)
    client.get("/menu/")
    import pizzeria.live.hub  # noqa: F401, PLC0415  # the live server's

    told = client.get("/metrics").content.decode()

    names = set(re.findall(r"^(\w+)(?:\{| )", told, re.MULTILINE))
    wanted = set().union(*map(asked_for, EXPRESSIONS)) - _ITS_OWN
    assert {"events_parked", "shop_orders_late", "sessions_degraded"} <= wanted
    assert wanted <= names


@pytest.mark.django_db(transaction=True)
def test_the_shop_counts_what_happens_once_it_is_committed(client, order_of, peach):  # noqa: F811
    name = 'shop_events_total{type="order.confirmed.v1"}'

    def counted() -> tuple[float, float]:
        told = client.get("/metrics").content.decode()
        lines = dict(
            line.rsplit(" ", 1)
            for line in told.splitlines()
            if line and not line.startswith("#")
        )
        return float(lines.get(name, 0)), float(lines["shop_revenue_total"])

    events, revenue = counted()
    order_of(peach)

    assert counted()[0] == events + 1
    assert counted()[1] == pytest.approx(revenue + 16.89)
    told = client.get("/metrics").content.decode()
    assert 'shop_orders{status="confirmed"} 1.0' in told
    assert "shop_orders_late 1.0" in told
    assert "shop_oven_places 5.0" in told


@pytest.mark.django_db
def test_several_processes_tell_what_the_database_knows(
    client,
    order_of,  # noqa: F811
    peach,  # noqa: F811
    tmp_path: Path,
    monkeypatch,
):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    order_of(peach)

    told = client.get("/metrics").content.decode()

    waiting = OutboxEvent.objects.pending().count()
    assert f"events_backlog {float(waiting)}" in told
    assert 'shop_orders{status="confirmed"} 1.0' in told


def test_every_alert_says_what_it_means_and_how_much_it_matters():
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"page", "day"}
        assert rule["annotations"]["summary"].endswith((".", "?"))
