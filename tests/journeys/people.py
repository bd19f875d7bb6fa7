"""People with a browser that speaks HTTP and runs no JavaScript."""

import re
from html import unescape
from typing import Any

import httpx

from tests.realms import log_in
from tests.shop import Shop

PASSWORD = "test"


class Person:
    """Somebody of the realm, before one shop's pages and API."""

    def __init__(self, name: str, shop: Shop) -> None:
        self.name = name
        self.shop = shop
        self.browser = httpx.Client(base_url=shop.url, timeout=20)

    def log_in(self) -> httpx.Response:
        login_url = f"{self.shop.url}/auth/login?next=/orders/"
        return log_in(self.browser, login_url, self.name, PASSWORD)

    def see(self, path: str) -> httpx.Response:
        return self.browser.get(path)

    def submit(self, path: str, **fields: str) -> httpx.Response:
        """Send a form as a browser does: with the page's own CSRF token."""
        token = self.browser.cookies.get("csrftoken", domain="localhost.local")
        if not token:
            self.see("/cart/")
            token = csrf_token(self.see("/menu/").text)
        headers = {"Referer": f"{self.shop.url}{path}"}
        return self.browser.post(
            path, data={"csrfmiddlewaretoken": token, **fields}, headers=headers
        )

    def order(self) -> httpx.Response:
        return self.submit(
            "/checkout/",
            customer_phone="+1 202 555 0143",
            customer_address="1 Castle Road, Toadstool",
            payment_method="cash",
        )

    def log_out(self) -> httpx.Response:
        return self.submit("/auth/logout")

    def is_logged_in(self) -> bool:
        return self.see("/orders/").status_code == 200


class ApiClient:
    """A program that has somebody's access token and nothing else."""

    def __init__(self, shop: Shop, token: str) -> None:
        self.http = httpx.Client(
            base_url=f"{shop.url}/api",
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
        )

    def pizza(self, name: str) -> dict[str, Any]:
        menu: list[dict[str, Any]] = self.http.get("/menu/").json()
        return next(pizza for pizza in menu if pizza["name"] == name)

    def add(self, name: str, size: str = "medium", quantity: int = 1) -> httpx.Response:
        item = {"pizza": self.pizza(name)["id"], "size": size, "quantity": quantity}
        return self.http.post("/cart/items/", json=item)


def csrf_token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, "the page has no form"
    return unescape(found[1])
