import asyncio
import json
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import Context, Engine, engines
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from sessions_backend import failover
from sessions_backend.engine import SessionStore
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.middleware import SessionMiddleware, attach
from tests.sessions_backend.misbehaving import HANG, MODES, PASS, TRUNCATE

COOKIE = "mario_session"


def read(request):
    return HttpResponse(str(request.session.get("cart")))


def write(request):
    request.session.setdefault("cart", {})[request.GET["line"]] = 1
    return HttpResponse("written")


def write_deep(request):
    request.session["cart"]["deep"] = 1
    return HttpResponse("written")


def untouched(request):
    return HttpResponse("untouched")


def fails(request):
    request.session["cart"] = {"lost": 1}
    return HttpResponse(status=500)


def ends_meanwhile(request):
    request.session["cart"] = {"late": 1}
    SessionStore(request.session.session_key).delete()
    return HttpResponse("answer")


def logs_out(request):
    request.session.flush()
    return HttpResponse("bye")


def asks_first(request):
    known = request.session.is_available
    return HttpResponse("known" if known else "unknown")


def swallows(request):
    """Do what Django's own `if` tag does with every error."""
    template = Engine().from_string("{% if s.cart or no %}in{% else %}out{% endif %}")
    return HttpResponse(template.render(Context({"s": request.session})))


def renders_late(request):
    template = engines["django"].from_string("{{ s.cart }}")
    return TemplateResponse(request, template, {"s": request.session})


def breaks_after_reading(request):
    assert request.session["cart"]
    proxy_of_the_test.mode = HANG
    request.session["cart"] = {"changed": 1}
    return HttpResponse("changed")


def breaks_before_renewal(request):
    text = str(request.session["cart"])
    request.session._remaining = 1
    proxy_of_the_test.mode = HANG
    return HttpResponse(text)


def renewal_is_due(request):
    text = str(request.session["cart"])
    request.session._remaining = 1
    return HttpResponse(text)


def by_token(request):
    attach(request, SessionStore(request.GET["id"]))
    request.session.get("cart")
    if line := request.GET.get("line"):
        request.session["cart"] = {line: 1}
    return JsonResponse({"cart": request.session.get("cart")})


def transient(request):
    attach(request, SessionStore(), is_stored=False)
    request.session["cart"] = {"nowhere": 1}
    return HttpResponse("answer")


def raises(request):
    raise StorageUnavailable("its index does not answer", retry_after=7)


async def reads_async(request):
    return HttpResponse(str(await request.session.aget("cart")))


async def writes_async(request):
    await request.session.aset("cart", {"async": 1})
    return HttpResponse("written")


async def untouched_async(request):
    return HttpResponse("untouched")


async def ends_meanwhile_async(request):
    await request.session.aset("cart", {"late": 1})
    await SessionStore(request.session.session_key).adelete()
    return HttpResponse("answer")


async def breaks_after_reading_async(request):
    assert await request.session.aget("cart")
    proxy_of_the_test.mode = HANG
    await request.session.aset("cart", {"changed": 1})
    return HttpResponse("changed")


async def renewal_is_due_async(request):
    text = str(await request.session.aget("cart"))
    request.session._remaining = 1
    return HttpResponse(text)


async def breaks_before_renewal_async(request):
    response = await renewal_is_due_async(request)
    proxy_of_the_test.mode = HANG
    return response


def lasts_as_long_as_the_browser(request):
    request.session.set_expiry(0)
    return HttpResponse("till then")


urlpatterns = [
    path(f"{view.__name__}/", view)
    for view in (
        read,
        write,
        write_deep,
        untouched,
        fails,
        ends_meanwhile,
        logs_out,
        asks_first,
        swallows,
        renders_late,
        breaks_after_reading,
        breaks_before_renewal,
        renewal_is_due,
        by_token,
        transient,
        raises,
        reads_async,
        writes_async,
        untouched_async,
        ends_meanwhile_async,
        breaks_after_reading_async,
        renewal_is_due_async,
        breaks_before_renewal_async,
        lasts_as_long_as_the_browser,
    )
]
proxy_of_the_test: Any = None

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def _only_this_middleware():
    with override_settings(
        MIDDLEWARE=["sessions_backend.middleware.SessionMiddleware"]
    ):
        yield


@pytest.fixture
def mario():
    """A browser that has a session with a cart."""
    client = Client(raise_request_exception=False)
    client.get("/write/?line=a")
    return client


@pytest.fixture
def outage(proxy):
    global proxy_of_the_test  # noqa: PLW0603  # the views need it
    proxy_of_the_test = proxy
    return proxy


def session_id(client):
    return client.cookies[COOKIE].value


def get_async(client, page):
    """Visit a page in an event loop, with the cookies of a browser."""

    async def get():
        browser = AsyncClient(raise_request_exception=False)
        browser.cookies[COOKIE] = session_id(client)
        return await browser.get(page)

    return asyncio.run(get())


def stored(client):
    return SessionStore(session_id(client)).get("cart")


@pytest.mark.usefixtures("any_store")
class TestAUsualRequest:
    def test_without_a_session_makes_none_and_sets_no_cookie(self, redis_client):
        response = Client().get("/read/")

        assert not response.cookies
        assert redis_client.keys("mario_session:*") == []
        assert response["Vary"] == "Cookie"

    def test_that_touches_no_session_does_not_vary(self, mario):
        response = mario.get("/untouched/")

        assert not response.cookies
        assert "Vary" not in response

    def test_that_writes_sets_the_cookie_as_told(self):
        response = Client().get("/write/?line=a")

        cookie = response.cookies[COOKIE]
        assert cookie["max-age"] == settings.SESSION_COOKIE_AGE
        assert cookie["httponly"] is True
        assert cookie["samesite"] == "Lax"
        assert response["Vary"] == "Cookie"

    def test_that_only_reads_sets_no_cookie(self, mario):
        response = mario.get("/read/")

        assert response.content == b"{'a': 1}"
        assert not response.cookies

    def test_keeps_a_change_deep_inside(self, mario):
        mario.get("/write_deep/")

        assert stored(mario) == {"a": 1, "deep": 1}

    def test_that_fails_keeps_nothing(self, mario):
        mario.get("/fails/")

        assert stored(mario) == {"a": 1}

    def test_with_an_unknown_id_loses_its_cookie(self):
        client = Client()
        client.cookies[COOKIE] = "unknown-session-id"

        response = client.get("/read/")

        assert response.cookies[COOKIE]["max-age"] == 0

    def test_that_logs_out_loses_its_cookie(self, mario):
        former = session_id(mario)

        response = mario.get("/logs_out/")

        assert response.cookies[COOKIE]["max-age"] == 0
        assert not SessionStore().exists(former)

    def test_whose_session_was_deleted_meanwhile_ends_quietly(self, mario):
        former = session_id(mario)

        response = mario.get("/ends_meanwhile/")

        assert response.status_code == 200
        assert response.content == b"answer"
        assert response.cookies[COOKIE]["max-age"] == 0
        assert not SessionStore().exists(former)

    def test_renews_a_session_that_was_only_read(self, mario):
        response = mario.get("/renewal_is_due/")

        assert response.cookies[COOKIE]["max-age"] == settings.SESSION_COOKIE_AGE
        assert response.cookies[COOKIE].value == session_id(mario)

    def test_that_says_so_sets_a_cookie_that_ends_with_the_browser(self, mario):
        response = mario.get("/lasts_as_long_as_the_browser/")

        assert response.cookies[COOKIE].value == session_id(mario)
        assert response.cookies[COOKIE]["max-age"] == ""
        assert response.cookies[COOKIE]["expires"] == ""

    def test_of_an_id_that_was_rotated_sets_no_cookie(self, mario):
        """The browser has been given the new one by then."""
        going_on = SessionStore(session_id(mario))
        going_on.cycle_key()

        response = mario.get("/write/?line=late")

        assert response.content == b"written"
        assert not response.cookies
        assert SessionStore(going_on.session_key)["cart"] == {"a": 1, "late": 1}

    def test_without_any_session_is_answered(self):
        response = HttpResponse("answer")
        middleware = SessionMiddleware(lambda _: response)

        assert middleware.process_response(HttpRequest(), response) is response

    def test_is_the_same_in_an_event_loop(self, mario):
        assert get_async(mario, "/untouched_async/").content == b"untouched"
        renewed = get_async(mario, "/renewal_is_due_async/")
        assert renewed.cookies[COOKIE].value == session_id(mario)
        ended = get_async(mario, "/ends_meanwhile_async/")
        assert ended.content == b"answer"
        assert ended.cookies[COOKIE]["max-age"] == 0
        gone = get_async(mario, "/reads_async/")
        assert gone.cookies[COOKIE]["max-age"] == 0

    def test_runs_async_as_well(self):
        async def run():
            client = AsyncClient()
            await client.get("/writes_async/")
            return await client.get("/reads_async/")

        assert asyncio.run(run()).content == b"{'async': 1}"


@pytest.mark.usefixtures("any_store")
class TestASessionAttachedByAToken:
    def test_is_read_and_sets_no_cookie(self, mario):
        response = Client().get(f"/by_token/?id={session_id(mario)}")

        assert response.json() == {"cart": {"a": 1}}
        assert not response.cookies

    def test_is_saved_and_sets_no_cookie(self, mario):
        response = Client().get(f"/by_token/?id={session_id(mario)}&line=api")

        assert stored(mario) == {"api": 1}
        assert not response.cookies

    def test_that_is_unknown_deletes_no_cookie(self, mario):
        response = mario.get("/by_token/?id=unknown-session-id")

        assert not response.cookies

    def test_that_is_deleted_meanwhile_deletes_no_cookie(self, mario, monkeypatch):
        other = SessionStore()
        other["cart"] = {}
        other.save()
        save = SessionStore.save

        def save_late(session, *arguments):
            other.delete()
            return save(session, *arguments)

        monkeypatch.setattr(SessionStore, "save", save_late)
        response = mario.get(f"/by_token/?id={other.session_key}&line=b")

        assert response.status_code == 200
        assert not response.cookies

    def test_that_is_transient_is_not_stored(self, redis_client):
        response = Client().get("/transient/")

        assert response.content == b"answer"
        assert not response.cookies
        assert redis_client.keys("mario_session:*") == []


class TestAnOutage:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        "page", ["read", "write", "logs_out", "swallows", "renders_late", "by_token"]
    )
    def test_answers_503_and_leaves_the_cookie_alone(self, outage, mario, page, mode):
        outage.mode = mode

        query = {"line": "b", "id": session_id(mario)}
        response = mario.get(f"/{page}/", query)

        assert response.status_code == 503
        assert int(response["Retry-After"]) > 0
        assert not response.cookies
        outage.mode = PASS
        # A truncated answer to a logout is the answer to one that was done.
        if (page, mode) != ("logs_out", TRUNCATE):
            assert stored(mario) == {"a": 1}

    def test_answers_json_to_an_api_client(self, outage, mario):
        outage.mode = HANG

        response = mario.get("/read/", headers={"accept": "application/json"})

        assert response.status_code == 503
        problem = json.loads(response.content)
        assert problem["code"] == "session_storage_unavailable"
        assert set(problem) == {"code", "message", "extra"}

    def test_answers_a_page_to_a_browser(self, outage, mario):
        outage.mode = HANG

        response = mario.get("/read/", headers={"accept": "text/html,*/*;q=0.8"})

        assert response.status_code == 503
        assert b"<html" in response.content

    @override_settings(TEMPLATES=[])
    def test_answers_a_sentence_where_there_are_no_templates(self, outage, mario):
        outage.mode = HANG

        response = mario.get("/read/", headers={"accept": "text/html"})

        assert response.status_code == 503
        assert b"try again" in response.content

    def test_while_saving_replaces_the_answer(self, outage, mario):
        response = mario.get("/breaks_after_reading/")

        assert response.status_code == 503
        assert response.content != b"changed"
        outage.mode = PASS
        assert stored(mario) == {"a": 1}

    def test_while_renewing_costs_nothing_but_the_renewal(self, outage, mario):
        response = mario.get("/breaks_before_renewal/")

        assert response.status_code == 200
        assert response.content == b"{'a': 1}"
        assert not response.cookies

    def test_is_as_bad_in_an_event_loop(self, outage, mario):
        assert get_async(mario, "/breaks_after_reading_async/").status_code == 503
        outage.mode = PASS
        assert stored(mario) == {"a": 1}

        response = get_async(mario, "/breaks_before_renewal_async/")

        assert response.content == b"{'a': 1}"
        assert not response.cookies

    def test_is_unknown_to_a_page_that_touches_no_session(self, outage, mario):
        outage.mode = HANG

        assert mario.get("/untouched/").content == b"untouched"

    def test_is_known_to_a_page_that_asks_first(self, outage, mario):
        assert mario.get("/asks_first/").content == b"known"
        outage.mode = HANG

        response = mario.get("/asks_first/")

        assert response.content == b"unknown"
        assert not response.cookies

    def test_that_a_view_tells_of_says_when_to_come_back(self):
        response = Client(raise_request_exception=False).get("/raises/")

        assert response.status_code == 503
        assert response["Retry-After"] == "7"

    def test_answers_503_async_as_well(self, outage, mario):
        outage.mode = HANG

        async def run():
            client = AsyncClient(raise_request_exception=False)
            client.cookies[COOKIE] = session_id(mario)
            return await client.get("/reads_async/")

        response = asyncio.run(run())
        assert response.status_code == 503
        assert not response.cookies

    def test_makes_no_second_session(self, outage, mario, redis_client):
        outage.mode = HANG
        for _ in range(3):
            mario.get("/write/?line=b")
        outage.mode = PASS

        assert redis_client.keys("mario_session:*") == [
            f"mario_session:{session_id(mario)}"
        ]


def test_a_menu_without_a_session_costs_no_command(redis_client):
    client = Client()
    client.get("/untouched/")
    failover.active_backend()
    redis_client.config_resetstat()

    client.get("/untouched/")
    client.get("/read/")

    commands = redis_client.info("commandstats")
    assert set(commands) <= {"cmdstat_info", "cmdstat_config|resetstat"}
