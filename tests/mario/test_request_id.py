import asyncio
import io
import logging
import re

import pytest
from django.test import AsyncClient

from tests.mario.test_errors import visitor

__all__ = ["visitor"]


def test_is_on_the_page_in_the_answer_and_in_the_log(visitor, monkeypatch):
    console = logging.getHandlerByName("console")
    written = io.StringIO()
    monkeypatch.setattr(console, "stream", written)

    response = visitor.get("/fail/broken/", headers={"X-Request-Id": "forged"})

    name = response["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{12}", name)
    assert f"Request {name}" in response.content.decode()
    assert f"[{name}] Internal Server Error: /fail/broken/" in written.getvalue()


def test_is_another_for_each_request(visitor):
    answers = [visitor.get("/fail/bad/")["X-Request-Id"] for _ in range(2)]

    assert answers[0] != answers[1]


def test_is_there_in_an_event_loop(settings):
    settings.ROOT_URLCONF = "tests.mario.test_errors"

    response = asyncio.run(AsyncClient().get("/fail/bad/"))

    assert f"Request {response['X-Request-Id']}" in response.content.decode()


@pytest.mark.django_db
def test_leaves_pages_that_went_well_the_same_for_everybody(client):
    pages = [client.get("/menu/").content for _ in range(2)]

    assert b"Request " not in pages[0]


def test_a_line_beside_requests_has_none(caplog, monkeypatch):
    console = logging.getHandlerByName("console")
    written = io.StringIO()
    monkeypatch.setattr(console, "stream", written)

    logging.getLogger("mario").warning("by itself")

    assert written.getvalue().endswith("WARNING by itself\n")
