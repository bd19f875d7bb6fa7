"""Every page of a shop on a Friday evening: its HTML, its weight, and axe's word."""

import base64
import gzip
import json
import os
from http import HTTPStatus
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.every_page import (
    API_DOCS,
    EVERY_PAGE,
    FRAMED,
    NOT_OURS,
    PAGES_OF_DOCS,
    PICTURES,
    pages_of_docs,
    templates_of_pages,
)
from tests.browser.test_look import DESKTOP
from tests.markup import problems_of

# One shop for all of them.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("every_page")]

PHONE = {"width": 360, "height": 740}
AXE = Axe()
ONLY_COLOUR = {"runOnly": ["color-contrast"]}
MOST_HTML_BYTES = 60_000
MOST_BYTES = 300_000
MOST_SHIFT = 0.1
SETTLED_MS = 300
# A button is paler while what it sends is on its way, and on its way back from that.
IS_QUIET = """
  () => !document.querySelector(".htmx-request")
    && document.getAnimations().every((one) => !(one instanceof CSSTransition))
"""
MOST_BYTES_OF_PICTURES = 4_000_000
ADD_UP_SHIFTS = """
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const shift of list.getEntries())
      if (!shift.hadRecentInput) window.shifted += shift.value;
  }).observe({ type: "layout-shift", buffered: true });
"""
LOOKS = {
    "desktop": {"viewport": DESKTOP, "color_scheme": "light"},
    "phone": {"viewport": PHONE, "color_scheme": "dark"},
}


def settle(shown) -> None:
    """Wait until nothing is about to change any more."""
    shown.evaluate("document.fonts.ready.then(() => true)")
    shown.wait_for_function(IS_QUIET)
    if shown.locator("[data-live-state]").count():
        shown.locator("[data-live-state][data-state=live]").wait_for()
    shown.wait_for_timeout(SETTLED_MS)


def test_no_page_is_left_out():
    assert templates_of_pages() == {page.template for page in EVERY_PAGE}


@pytest.mark.java
def test_the_html_of_every_page_is_valid(friday, tmp_path):
    pages = {page.name: friday.html(page) for page in [*EVERY_PAGE, API_DOCS]}

    found = problems_of(pages, tmp_path)
    assert not found, "\n".join(found)


def found_by_axe(page, options=None) -> list[str]:
    violations = AXE.run(page, options=options).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:160]} {node.get('failureSummary', '')}"
        for violation in violations
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("page", EVERY_PAGE, ids=str)
def test_axe_finds_nothing(friday, page):
    context = friday.window(page.person, viewport=DESKTOP, reduced_motion="reduce")
    shown = context.new_page()
    answer = shown.goto(friday.path(page), wait_until="load")
    assert answer.status == page.status
    shown.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    shown.evaluate(
        "document.querySelectorAll('[data-from]').forEach(d => d.hidden = false)"
    )
    settle(shown)

    wrong = {"desktop, light": found_by_axe(shown)}
    shown.emulate_media(color_scheme="dark", reduced_motion="reduce")
    wrong["desktop, dark"] = found_by_axe(shown, ONLY_COLOUR)
    shown.set_viewport_size(PHONE)
    wrong["phone, dark"] = found_by_axe(shown)
    shown.emulate_media(color_scheme="light", reduced_motion="reduce")
    wrong["phone, light"] = found_by_axe(shown, ONLY_COLOUR)
    context.close()

    assert not any(wrong.values()), json.dumps(wrong, indent=1, ensure_ascii=False)


@pytest.mark.parametrize("page", FRAMED, ids=str)
@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_the_frames_of_others(friday, page, look):
    context = friday.window(page.person, reduced_motion="reduce", **LOOKS[look])
    shown = context.new_page()
    assert shown.goto(friday.path(page), wait_until="load").status == page.status
    settle(shown)
    if page is API_DOCS:
        shown.locator(".opblock").first.wait_for()

    wrong = found_by_axe(shown)
    context.close()

    theirs = tuple(NOT_OURS.get(page.name, ()))
    assert [one for one in wrong if not one.startswith(theirs)] == []


@pytest.mark.parametrize("page", EVERY_PAGE, ids=str)
def test_a_first_visit_is_light_steady_and_between_two(friday, page):
    context = friday.window(page.person, viewport=PHONE)
    context.add_init_script(ADD_UP_SHIFTS)
    shown = context.new_page()
    answers = []
    shown.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  # Playwright wants a function

    shown.goto(friday.path(page), wait_until="load")
    settle(shown)

    sizes = {
        answer.url: size_of(answer)
        for answer in answers
        if answer.ok and not answer.url.startswith(friday.live.url)
    }
    shift = shown.evaluate("window.shifted")
    asked = [answer.url for answer in answers]
    context.close()
    assert sum(sizes.values()) < MOST_BYTES, sizes
    assert len(friday.html(page).encode()) < MOST_HTML_BYTES
    assert shift < MOST_SHIFT
    own = (friday.shop.url, friday.live.url, "data:")
    assert [url for url in asked if not url.startswith(own)] == []


def size_of(answer) -> int:
    """Say what it weighs on its way, by a proxy that compresses what can be."""
    body = b"" if answer.status == HTTPStatus.NO_CONTENT else answer.body()
    return len(body) if answer.url.endswith(".woff2") else len(gzip.compress(body))


def test_its_pictures_are_drawn(friday, tmp_path):
    """A few, to know that it works; all, into `docs/`, for `make screenshots`."""
    wanted = os.environ.get("SCREENSHOTS", "").split()
    folder = PICTURES if wanted else tmp_path
    all_of_them = [*EVERY_PAGE, *FRAMED]
    chosen = [page for page in all_of_them if page.name in wanted or "all" in wanted]
    for page in chosen if wanted else EVERY_PAGE[:2]:
        for look, options in LOOKS.items():
            context = friday.window(page.person, reduced_motion="reduce", **options)
            shown = context.new_page()
            shown.goto(friday.path(page), wait_until="load")
            settle(shown)
            picture = folder / f"{page.name}-{look}.webp"
            picture.write_bytes(picture_of(shown))
            context.close()
            assert picture.stat().st_size > 2_000, picture
    if wanted:
        # One of a page that is gone is gone, too.
        for picture in set(PICTURES.iterdir()) - set(pictures_of(all_of_them)):
            picture.unlink()
        PAGES_OF_DOCS.write_text(pages_of_docs())


def pictures_of(pages) -> list[Path]:
    return [PICTURES / f"{page.name}-{look}.webp" for page in pages for look in LOOKS]


def picture_of(shown) -> bytes:
    """Draw a page as WebP, which is small; Playwright itself offers PNG and JPEG."""
    width, height = shown.viewport_size["width"], shown.viewport_size["height"]
    whole = shown.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": min(whole, 2 * height)}
    orders = {"format": "webp", "quality": 45, "captureBeyondViewport": True}
    answer = shown.context.new_cdp_session(shown).send(
        "Page.captureScreenshot", {**orders, "clip": {**clip, "scale": 1}}
    )
    return base64.b64decode(answer["data"])


def test_the_docs_show_every_page():
    sizes = [file.stat().st_size for file in PICTURES.iterdir()]

    assert PAGES_OF_DOCS.read_text() == pages_of_docs(), "run `make screenshots`"
    assert set(PICTURES.iterdir()) == set(pictures_of([*EVERY_PAGE, *FRAMED]))
    assert sum(sizes) < MOST_BYTES_OF_PICTURES
