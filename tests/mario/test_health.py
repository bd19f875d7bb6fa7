import json

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from mario import health
from pizzeria.menu.models import Pizza


def test_health_asks_nobody(client, valkey):
    # No django_db mark: a query would fail the test.
    assert client.get("/health").json() == {"status": "alive"}


@pytest.mark.django_db
class TestReady:
    def test_is_not_before_the_menu_is_seeded(self, client):
        response = client.get("/ready")

        assert response.status_code == 503
        assert response.json()["checks"]["database"] is False

    def test_names_the_store_that_serves(self, client):
        Pizza.objects.create(name="Margherita", base_price="12.99")

        response = client.get("/ready")

        assert response.status_code == 200
        assert response.json()["session_store"] == "redis"
        assert response.json()["degraded"] is False

    def test_is_not_while_a_migration_is_pending(self, client, caplog, monkeypatch):
        monkeypatch.setattr(health, "_is_migrated", False)
        Pizza.objects.create(name="Margherita", base_price="12.99")
        (latest,) = MigrationLoader(connection).graph.leaf_nodes("notifications")
        MigrationRecorder(connection).record_unapplied(*latest)

        response = client.get("/ready")

        assert response.status_code == 503
        assert f"Run `manage.py migrate`: {'.'.join(latest)}" in caplog.text

    def test_is_not_while_the_store_is_away(self, client, valkey):
        Pizza.objects.create(name="Margherita", base_price="12.99")
        # Had it been away from the start, sessions would be kept in memory.
        assert client.get("/ready").status_code == 200
        valkey.stop()

        response = client.get("/ready")

        valkey.start()
        assert response.status_code == 503
        assert response.json()["checks"] == {"database": True, "sessions": False}


@pytest.mark.django_db
def test_metrics_name_no_person(client):
    client.get("/menu/")

    text = client.get("/metrics").content.decode()

    assert "django_http_requests_total_by_method_total" in text


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/menu/", "/cart/", "/nothing/", "/api/menu/"])
def test_every_answer_protects_its_reader(client, path):
    response = client.get(path)

    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.django_db
def test_the_schema_is_served_and_documents_the_bearer(client):
    response = client.get("/api/schema/", headers={"Accept": "application/json"})

    schema = json.loads(response.content)
    assert schema["openapi"].startswith("3.1")
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert client.get("/api/docs/").status_code == 200
