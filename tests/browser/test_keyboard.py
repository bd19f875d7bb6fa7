"""The shop with a keyboard alone: every page can be walked, and an order placed."""

import re

import pytest

from tests.browser.every_page import CUSTOMER, EVERY_PAGE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("keyboard")]

# What can be reached: radio buttons of one name are one stop, as browsers have it.
STOPS = """[...document.querySelectorAll(
  "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
)].filter((part) => part.checkVisibility() && !part.disabled)
  .filter((part) => part.type !== "radio" || part.checked)
  .length"""
FOCUSED = """(() => {
  const part = document.activeElement;
  if (part === document.body) return null;
  part.dataset.stop ??= document.querySelectorAll("[data-stop]").length;
  const box = part.closest("label")?.getBoundingClientRect()
    ?? part.getBoundingClientRect();
  const look = (one, pseudo) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one, pseudo);
    return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0)
      || boxShadow !== "none";
  };
  const label = part.closest("label");
  const shown = look(part) || look(part, "::after") || (label && look(label));
  const inSight = box.bottom > 0 && box.top < innerHeight && box.right > 0;
  const html = part.outerHTML.slice(0, 120);
  return { stop: part.dataset.stop, html, shown, inSight };
})()"""


def walk(page) -> list[dict[str, object]]:
    """Press Tab until the page has been gone through."""
    stops: list[dict[str, object]] = []
    for _ in range(page.evaluate(STOPS) + 20):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None or (len(stops) > 1 and focused["stop"] == "0"):
            return stops
        # A date has a stop for each of its parts.
        if not stops or stops[-1]["stop"] != focused["stop"]:
            stops.append(focused)
    raise AssertionError(f"There is no way out: {stops[-3:]}")


@pytest.mark.parametrize("shown", EVERY_PAGE, ids=str)
def test_every_stop_is_reached_once_and_seen(friday, shown):
    # Without a script nothing moves under the walk's feet; the next test has one.
    context = friday.window(shown.person, reduced_motion="reduce")
    context.route("**/js/live.js", lambda route: route.abort())
    page = context.new_page()
    page.goto(friday.path(shown), wait_until="load")

    stops = walk(page)

    assert "Skip to the content" in str(stops[0]["html"])
    assert len({stop["stop"] for stop in stops}) == len(stops)
    assert len(stops) >= page.evaluate(STOPS)
    assert [stop for stop in stops if not stop["shown"]] == []
    assert [stop for stop in stops if not stop["inSight"]] == []
    context.close()


def press_until(page, what: str, key: str = "Tab") -> None:
    """Go on from stop to stop until the focus is on what a selector names."""
    for _ in range(120):
        if page.evaluate(f"document.activeElement.matches({what!r})"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{what} cannot be reached")


def test_an_order_is_placed_with_the_keyboard_alone(friday):
    context = friday.window(CUSTOMER)
    page = context.new_page()
    page.goto("/menu/", wait_until="load")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    press_until(page, ".dish [name=size]")
    page.keyboard.press("ArrowRight")
    press_until(page, ".dish summary")
    page.keyboard.press("Enter")
    press_until(page, ".dish [name=extra_toppings]")
    page.keyboard.press("Space")
    press_until(page, ".dish .btn-add")
    page.keyboard.press("Enter")
    page.locator("#toasts [data-toast]").wait_for()

    page.goto("/cart/", wait_until="load")
    press_until(page, "a[href='/checkout/']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/checkout/")
    press_until(page, "[name=fulfilment]")
    page.keyboard.press("ArrowDown")
    press_until(page, "[name=customer_phone]")
    page.keyboard.type("+1 202 555 0143")
    press_until(page, "[type=submit].btn-big")
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile(r"/orders/\d+/"))
    assert "Ready to pick up" in page.inner_text("main")
    context.close()
