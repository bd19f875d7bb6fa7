"""A shop on a Friday evening, as real processes, and windows into it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.template import loader
from playwright.sync_api import Browser, BrowserContext, Route

from tests.browser.every_page import DRAWN, ROOT, ShopPage
from tests.journeys.people import csrf_token
from tests.pizzeria.live_server import LiveServer
from tests.servers import Valkey, free_port
from tests.shop import Shop

PATIENCE_MS = 40_000


class Friday:
    """The shop, the people in it, and how each page is opened."""

    def __init__(
        self, browser: Browser, shop: Shop, live: LiveServer, made: dict[str, Any]
    ) -> None:
        self.browser = browser
        self.shop = shop
        self.live = live
        self.cookies: dict[str, str] = made["cookies"]
        self.values: dict[str, str] = made["values"]

    def path(self, page: ShopPage) -> str:
        return page.path.format(**self.values)

    def window(self, person: str | None, **options: Any) -> BrowserContext:
        """Open a fresh browser, as of somebody who comes for the first time."""
        # Playwright does not see what goes through a worker.
        options.setdefault("service_workers", "block")
        context = self.browser.new_context(base_url=self.shop.url, **options)
        context.set_default_timeout(PATIENCE_MS)
        for name, value in self._cookies_of(person).items():
            context.add_cookies([{"name": name, "value": value, "url": self.shop.url}])
        for name in DRAWN:
            context.route(f"**/drawn/{name}/", self._draw)
        return context

    def html(self, page: ShopPage) -> str:
        if page.name in DRAWN:
            return _drawn(page.name)
        with self._client(page.person) as client:
            answer = client.get(self.path(page))
        assert answer.status_code == page.status, page
        return answer.text

    def act(self, person: str, path: str, **fields: str) -> httpx.Response:
        """Send one of the shop's forms, from no window that is looked at."""
        with self._client(person) as client:
            token = csrf_token(client.get("/menu/").text)
            form = {"csrfmiddlewaretoken": token, **fields}
            answer = client.post(path, data=form)
        assert answer.status_code < 400, answer.text
        return answer

    def _client(self, person: str | None) -> httpx.Client:
        cookies = self._cookies_of(person)
        return httpx.Client(base_url=self.shop.url, cookies=cookies, timeout=40)

    def _cookies_of(self, person: str | None) -> dict[str, str]:
        if person is None:
            return {}
        return {settings.SESSION_COOKIE_NAME: self.cookies[person]}

    @staticmethod
    def _draw(route: Route) -> None:
        name = route.request.url.rstrip("/").rsplit("/", 1)[1]
        route.fulfill(content_type="text/html", body=_drawn(name))


def _drawn(name: str) -> str:
    template, context = DRAWN[name]
    return loader.render_to_string(template, context)


@contextmanager
def friday_evening(browser: Browser, folder: Path) -> Iterator[Friday]:
    with Valkey(folder / "valkey") as store:
        live = LiveServer(str(folder / "pizzeria.sqlite3"), folder)
        shop = Shop(
            free_port(),
            folder,
            REDIS_URL=store.url,
            LIVE_URL=live.url,
            # Nobody is there, and nobody asks: people are logged in already.
            KEYCLOAK_SERVER_URL="http://localhost:9",
        )
        live.environment |= shop.environment
        shop.manage("migrate", "--verbosity=0")
        made = subprocess.run(
            [sys.executable, "-m", "tests.browser.friday"],
            cwd=ROOT,
            env=shop.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert made.returncode == 0, made.stderr[-3000:]
        with shop, live:
            yield Friday(browser, shop, live, json.loads(made.stdout.splitlines()[-1]))
