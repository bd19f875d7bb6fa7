"""Browser windows on a running shop, and what people do in them."""

import re
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator

from tests.journeys.people import PASSWORD
from tests.shop import Shop

# Generous: a busy machine takes its time, and a state that comes ends the wait.
PATIENCE_MS = 40_000


class Window:
    """Somebody's browser window, with everything that its console complained of."""

    def __init__(self, browser: Browser, shop: Shop, **options: Any) -> None:
        # Playwright does not see what goes through a worker.
        options.setdefault("service_workers", "block")
        self.context = browser.new_context(base_url=shop.url, **options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    def log_in(self, name: str) -> None:
        self.page.goto("/menu/")
        self.page.get_by_label("Main").get_by_text("Log in").click()
        self.page.locator("input[name=username]").fill(name)
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator("input[name=password]").press("Enter")
        self.page.wait_for_url("**/menu/")

    def go_to(self, room: str) -> None:
        """Follow a link of the navigation."""
        self.page.get_by_label("Main").get_by_role("link", name=room).click()
        self.page.get_by_role("heading", level=1).wait_for()

    def choose(self, pizza: str) -> None:
        self.page.goto("/menu/")
        self.page.get_by_role("button", name=f"Add {pizza}").click()
        self.page.locator("#toasts", has_text=pizza).wait_for()

    def place_order(self) -> int:
        """Order what is in the cart, and return the order's number."""
        self.page.goto("/cart/")
        self.page.get_by_role("link", name="Order now").click()
        self.page.locator("[name=customer_phone]").fill("+1 202 555 0143")
        self.page.locator("[name=customer_address]").fill("1 Castle Road, Toadstool")
        self.page.locator("[name=payment_method][value=cash]").check()
        self.page.get_by_role("button", name="Place the order").click()
        self.page.wait_for_url(re.compile(r"/orders/\d+/"))
        return int(self.page.url.rstrip("/").rsplit("/", 1)[1])

    def tap(self, step: str, order: int, words: str) -> None:
        """Press one of a ticket's buttons, once it says these words."""
        self.page.locator(f"#{step}-{order}", has_text=words).click()

    def ticket(self, order: int, lane: str) -> Locator:
        return self.page.locator(f".lane-{lane} [data-ticket='{order}']")

    def wait_for_figure(self, label: str, value: str) -> None:
        """Wait until one of the manager's figures has a value."""
        self.page.locator(".figure").filter(
            has=self.page.locator("dt").get_by_text(label, exact=True)
        ).locator(".figure-value").get_by_text(value, exact=True).wait_for()

    def wait_for_status(self, stage: str) -> None:
        self.page.locator("#status .status").get_by_text(stage, exact=True).wait_for()

    def remember_this_page(self) -> None:
        """Leave a mark that a page keeps as long as it is not loaded again."""
        self.page.evaluate("document.body.dataset.same = 'page'")

    def is_still_the_same_page(self) -> bool:
        return bool(self.page.evaluate("document.body.dataset.same === 'page'"))
