import io
import logging

import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from mario.urls import *  # noqa: F403  # this module is a URLconf of its own
from mario.urls import urlpatterns as shop_urls


def fail(request: HttpRequest, kind: str) -> HttpResponse:
    raise {
        "bad": BadRequest,
        "forbidden": PermissionDenied,
        "broken": ZeroDivisionError,
    }[kind]("the secret inside")


urlpatterns = [
    *shop_urls,
    path("fail/<kind>/", fail),
    path("api/fail/<kind>/", fail),
]

STATUSES = [("bad", 400), ("forbidden", 403), ("broken", 500)]


@pytest.fixture
def visitor(settings):
    settings.ROOT_URLCONF = "tests.mario.test_errors"
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(("kind", "status"), STATUSES)
def test_pages_fail_with_a_page_that_tells_no_secret(visitor, kind, status):
    response = visitor.get(f"/fail/{kind}/")

    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")
    assert b"<h1" in response.content
    assert b"the secret inside" not in response.content


@pytest.mark.parametrize(("kind", "status"), STATUSES)
def test_the_api_fails_in_its_one_shape(visitor, kind, status):
    response = visitor.get(f"/api/fail/{kind}/")

    assert response.status_code == status
    assert response.json().keys() == {"code", "message", "extra"}
    assert b"the secret inside" not in response.content


def test_only_what_is_broken_leaves_a_traceback(visitor, monkeypatch):
    console = logging.getHandlerByName("console")
    refused, broken = io.StringIO(), io.StringIO()

    monkeypatch.setattr(console, "stream", refused)
    visitor.get("/fail/forbidden/")
    monkeypatch.setattr(console, "stream", broken)
    visitor.get("/fail/broken/")

    assert "/fail/forbidden/" in refused.getvalue()
    assert "Traceback" not in refused.getvalue()
    assert "Traceback" in broken.getvalue()


def test_unknown_addresses(visitor):
    assert b"<h1" in visitor.get("/nothing-here/").content
    unknown = visitor.get("/api/nothing-here/")
    assert unknown.status_code == 404
    assert unknown.json()["code"] == "not_found"


def test_error_pages_ask_neither_session_nor_database(visitor, redis_client):
    # No django_db mark: a query would fail the test.
    visitor.cookies["mario_session"] = "a" * 32
    # The first request of a process asks Redis whether it is there.
    visitor.get("/nothing-here/")
    before = redis_client.info("stats")["total_commands_processed"]

    visitor.get("/nothing-here/")

    after = redis_client.info("stats")["total_commands_processed"]
    assert after - before == 1
