"""`live.js` in a real browser: what the stream brings, and what is done without it."""

import re

import pytest

# One shop for all of them, whose orders each test finds as the seed left them.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live_pages")]

LIVE = "[data-live-state][data-state=live]"
RECONNECTING = "[data-live-state][data-state=polling]"


@pytest.fixture
def look(friday):
    """Open a page of somebody's, and mark it, to know it again after a while."""
    contexts = []

    def look(person: str, path: str):
        context = friday.window(person)
        contexts.append(context)
        page = context.new_page()
        page.goto(path, wait_until="load")
        page.evaluate("document.body.dataset.same = 'page'")
        return page

    yield look
    for context in contexts:
        context.close()


def is_same(page) -> bool:
    return bool(page.evaluate("document.body.dataset.same === 'page'"))


def ready(board, number: str):
    return board.locator(f".lane-ready [data-ticket='{number}']")


def cook(friday, number: str) -> None:
    friday.act("luigi", f"/kitchen/{number}/advance/", to="cooking")
    friday.act("luigi", f"/kitchen/{number}/advance/", to="ready")


def order_again(friday) -> str:
    """Order what is in the cart's place: one Margherita, to be picked up."""
    friday.act("peach", "/cart/add/", pizza="1", size="small", quantity="1")
    answer = friday.act(
        "peach",
        "/checkout/",
        customer_phone="+12025550143",
        fulfilment="pickup",
        payment_method="cash",
    )
    return str(answer.headers["location"]).rstrip("/").rsplit("/", 1)[1]


class TestAStream:
    def test_brings_what_others_do(self, friday, look):
        board = look("luigi", "/kitchen/")
        board.locator(LIVE).wait_for()
        number = order_again(friday)
        board.locator(f".lane-confirmed [data-ticket='{number}']").wait_for()

        cook(friday, number)

        ready(board, number).wait_for()
        assert board.locator("[data-live-state]").inner_text() == "Live"
        assert is_same(board)

    def test_makes_the_bell_count_on_a_page_that_has_no_timer(self, friday, look):
        number = order_again(friday)
        page = look("peach", "/menu/")
        before = int(page.locator("#unread").inner_text().split()[0])

        cook(friday, number)

        page.locator("#unread", has_text=str(before + 2)).wait_for()
        assert is_same(page)

    def test_marks_what_is_new_and_lets_it_ring(self, friday, look):
        board = look("luigi", "/kitchen/")
        board.locator(LIVE).wait_for()
        sound = board.locator("[data-sound]")
        assert sound.get_attribute("aria-pressed") == "false"
        sound.click()
        assert sound.get_attribute("aria-pressed") == "true"

        number = order_again(friday)

        board.locator(f"[data-ticket='{number}'].is-new").wait_for()
        # What was renewed remembers the choice.
        assert sound.get_attribute("aria-pressed") == "true"
        assert sound.inner_text() == "Sound is on"

    def test_loses_nothing_that_happens_while_the_page_looks(self, friday, look):
        board = look("luigi", "/kitchen/")
        board.locator(LIVE).wait_for()
        orders = []

        def see_the_first_and_hear_of_the_second(route) -> None:
            before = route.fetch()
            orders.append(order_again(friday))
            # Its message comes before the answer that does not show it.
            board.wait_for_timeout(1500)
            route.fulfill(response=before)

        board.route("**/kitchen/", see_the_first_and_hear_of_the_second, times=1)
        orders.append(order_again(friday))

        for number in orders:
            board.locator(f"[data-ticket='{number}']").wait_for()
        assert len(orders) == 2

    def test_leaves_what_somebody_types(self, friday, look):
        board = look("daisy", "/kitchen/")
        board.locator(LIVE).wait_for()
        board.get_by_text("Change", exact=True).click()
        board.get_by_label("Places in the oven").fill("9")

        number = order_again(friday)

        board.locator(f"[data-ticket='{number}']").wait_for()
        assert board.get_by_label("Places in the oven").input_value() == "9"


class TestWithoutAStream:
    def test_a_page_says_so_looks_by_itself_and_finds_back(self, friday, look):
        board = look("luigi", "/kitchen/")
        board.locator(LIVE).wait_for()
        number = order_again(friday)
        board.locator(f"[data-ticket='{number}']").wait_for()

        friday.live.terminate()
        state = board.locator(RECONNECTING)
        state.wait_for()
        assert re.fullmatch(
            r"Reconnecting, last updated \d+ (s|min) ago", state.inner_text()
        )
        cook(friday, number)
        ready(board, number).wait_for()

        friday.live.__enter__()
        board.locator(LIVE).wait_for()
        other = order_again(friday)
        board.locator(f"[data-ticket='{other}']").wait_for()
        assert is_same(board)


class TestALogout:
    def test_puts_away_what_other_windows_show(self, friday, look):
        board = look("yoshi", "/delivery/")
        board.locator(LIVE).wait_for()
        assert board.locator("[data-ticket]").count() > 0

        # It looks again, to be sent to the login; here it stays, to be looked at.
        board.route(
            "**",
            lambda route: (
                route.fulfill(status=204)
                if route.request.is_navigation_request()
                else route.continue_()
            ),
        )
        with board.expect_request(lambda request: request.is_navigation_request()):
            friday.act("yoshi", "/auth/logout")
            board.get_by_text("Your login ended").wait_for()
            assert board.locator("[data-ticket]").count() == 0
