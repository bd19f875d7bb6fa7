"""The shop out of reach: one page is kept for that, and nothing of anybody."""

import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from mario import offline

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}
# What is kept, as text: the addresses, and all that the answers hold.
ALL_KEPT = """
  async () => {
    const found = {};
    for (const name of await caches.keys())
      for (const asked of await (await caches.open(name)).keys())
        found[new URL(asked.url).pathname] = await (await caches.match(asked)).text();
    return found;
  }
"""
IS_IN_CHARGE = "() => navigator.serviceWorker.controller !== null"


@pytest.fixture
def customer(window, peach, menu):
    """A window of Peach's, in which the worker is in charge."""
    opened = window(peach, viewport=PHONE, service_workers="allow")
    opened.see("/menu/")
    opened.page.wait_for_function(IS_IN_CHARGE)
    return opened


def kept_by(window):
    return window.page.evaluate(ALL_KEPT)


def test_a_page_says_so_and_going_on_needs_no_tap(customer):
    page = customer.page
    customer.context.set_offline(True)

    page.goto("/orders/", wait_until="load")

    assert page.get_by_role("heading", level=1).inner_text() == "You are offline"
    assert "Your cart and your login are kept" in page.inner_text("main")
    # It looks as everything else does, without the shop.
    assert page.evaluate("getComputedStyle(document.body).fontFamily").startswith("Fig")
    assert page.evaluate("document.fonts.check('16px Figtree')")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    customer.context.set_offline(False)
    page.get_by_role("heading", level=1, name="My orders").wait_for()
    assert page.url.endswith("/orders/")


def test_trying_again_asks_for_the_same_page(customer):
    customer.context.set_offline(True)
    customer.page.goto("/cart/?x=1", wait_until="load")

    customer.page.get_by_role("link", name="Try again").click()
    customer.page.get_by_role("heading", name="You are offline").wait_for()

    assert customer.page.url.endswith("/cart/?x=1")


def test_nothing_of_anybody_is_ever_kept(customer):
    for path in ("/profile/", "/cart/", "/orders/", "/api/orders/", "/notifications/"):
        customer.see(path)
    kept = kept_by(customer)

    files = {f"/static/{name}" for name in offline.FILES}
    assert kept.keys() == {"/offline/", *files}
    assert "Peach" not in "".join(kept.values())
    assert "csrf" not in kept["/offline/"]

    # The logout's answer clears what the browser stores, and leads to the realm.
    customer.see("/menu/")
    with customer.page.expect_response(re.compile("/auth/logout$")) as answer:
        customer.page.get_by_role("button", name="Log out").click()
    assert '"storage"' in answer.value.all_headers()["clear-site-data"]
    customer.page.goto("/offline/", wait_until="load")
    left = kept_by(customer)
    assert left.keys() <= kept.keys()
    assert "Peach" not in json.dumps(left)


def test_an_older_worker_leaves_nothing(customer):
    customer.page.evaluate("caches.open('mario-older')")
    customer.page.evaluate(
        "navigator.serviceWorker.getRegistration().then((one) => one.unregister())"
    )

    customer.see("/menu/")
    customer.page.wait_for_function(
        "async () => !(await caches.keys()).includes('mario-older')"
    )


def test_what_is_kept_is_there():
    assert all(finders.find(name) for name in offline.FILES)


class TestAnswers:
    def test_the_worker_is_looked_for_anew(self, client, db):
        answer = client.get("/service-worker.js")

        assert answer.headers["Content-Type"] == "text/javascript"
        assert "no-cache" in answer.headers["Cache-Control"]
        assert answer.content == client.get("/service-worker.js").content

    def test_the_page_knows_nobody_and_makes_no_session(self, client, db):
        answer = client.get("/offline/")

        assert answer.status_code == 200
        assert not answer.cookies
        assert "Request" not in answer.content.decode()

    def test_the_manifest_names_icons_that_are_there(self):
        found = finders.find("pizzeria/manifest.webmanifest")
        manifest = json.loads(Path(str(found)).read_text())

        for icon in manifest["icons"]:
            assert finders.find(f"pizzeria/{icon['src']}")
