"""How much a request may bring, under WSGI, under ASGI and for JSON."""

import io

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings

from mario.bodies import bounded
from pizzeria.parsers import BoundedJSONParser, TooLarge

MOST = settings.DATA_UPLOAD_MAX_MEMORY_SIZE


@pytest.mark.parametrize("path", ["/cart/add/", "/api/cart/items/", "/admin/", "/no/"])
def test_more_than_the_limit_is_read_by_nobody(client, path):
    answer = client.post(path, b"x" * (MOST + 1), content_type="application/json")

    assert answer.status_code == 413
    if path.startswith("/api/"):
        assert answer.json().keys() == {"code", "message", "extra"}


@pytest.mark.django_db
def test_as_much_as_the_limit_is_read(client):
    answer = client.post(
        "/api/cart/items/", b" " * MOST, content_type="application/json"
    )

    assert answer.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("length", ["many", "-5"])
def test_a_length_is_a_number(client, length):
    answer = client.post("/api/cart/items/", CONTENT_LENGTH=length)

    assert answer.status_code in {400, 411}


class TestUnderASGI:
    def ask(self, *headers):
        sent, passed = [], []

        async def application(scope, receive, send):
            passed.append(scope)

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "headers": list(headers)}
        async_to_sync(bounded(application))(scope, None, send)
        return [message.get("status") for message in sent], bool(passed)

    def test_refuses_what_is_too_large(self):
        too_large = (b"content-length", str(MOST + 1).encode())

        assert self.ask(too_large) == ([413, None], False)

    def test_refuses_what_has_no_length(self):
        assert self.ask((b"transfer-encoding", b"chunked")) == ([411, None], False)

    def test_passes_the_rest(self):
        assert self.ask() == ([], True)
        assert self.ask((b"content-length", b"7")) == ([], True)


def test_the_parser_reads_no_more_whatever_was_told():
    stream = io.BytesIO(b'"' + b"x" * MOST * 2 + b'"')

    with pytest.raises(TooLarge):
        BoundedJSONParser().parse(stream, "application/json")

    assert stream.tell() == MOST + 1
