"""The pages in a real browser: how they look, read and behave."""

import re
from itertools import product

import pytest

from pizzeria.orders.transitions import Status

PHONE = {"width": 320, "height": 640}
TABLET = {"width": 820, "height": 1180}
DESKTOP = {"width": 1280, "height": 800}


def assert_well_made(window, path: str) -> None:
    """Nothing complains, the landmarks stand, and nothing is wider than the window."""
    page = window.page
    window.see(path)

    assert window.complaints == [], path
    assert page.locator("h1:visible").count() == 1, path
    assert page.locator("main").count() == 1, path
    assert page.locator("header").count() >= 1, path
    assert page.title().endswith("Mario’s Pizzeria"), path
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], path
    unlabelled = page.evaluate(
        """[...document.querySelectorAll("input, textarea, select")]
        .filter(field => field.type !== "hidden" && !field.labels.length
                         && !field.ariaLabel).length"""
    )
    assert unlabelled == 0, path


@pytest.mark.browser
class TestEveryPage:
    @pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
    def viewport(self, request):
        return request.param

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_of_a_visitor_is_well_made(self, window, viewport, scheme):
        visitor = window(viewport=viewport, color_scheme=scheme)

        for path in ("/", "/menu/", "/cart/"):
            assert_well_made(visitor, path)
        visitor.fill_cart()
        for path in ("/", "/menu/", "/cart/"):
            assert_well_made(visitor, path)

    def test_of_a_customer_is_well_made(self, window, viewport, peach, order_of):
        customer = window(peach, viewport=viewport)
        assert_well_made(customer, "/orders/")
        order = order_of(peach)
        customer.fill_cart()

        for path in ("/", "/checkout/", "/orders/", f"/orders/{order.pk}/"):
            assert_well_made(customer, path)

    @pytest.mark.parametrize(
        "viewport", [PHONE, TABLET, DESKTOP], ids=["phone", "tablet", "desktop"]
    )
    def test_of_the_kitchen_is_well_made(
        self, window, viewport, peach, luigi, order_of
    ):
        chef = window(luigi, viewport=viewport)
        assert_well_made(chef, "/kitchen/")
        for minutes, status in product((1, 9, 20), (Status.CONFIRMED, Status.READY)):
            order_of(peach, minutes=minutes, status=status)
        order_of(peach, minutes=4, status=Status.COOKING)

        for path in ("/kitchen/", "/kitchen/tickets/", "/kitchen/hours/"):
            assert_well_made(chef, path)

    def test_that_is_not_there_says_so(self, window, viewport):
        visitor = window(viewport=viewport)

        response = visitor.page.goto("/calzone/")

        # The browser itself notes that the page it shows came with a 404.
        visitor.complaints.clear()
        assert response.status == 404
        assert visitor.page.locator("h1").count() == 1
        width = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"]

    def test_starts_with_a_way_past_the_navigation(self, window):
        visitor = window()
        visitor.see("/menu/")

        visitor.page.keyboard.press("Tab")
        focused = "document.activeElement"
        assert visitor.page.evaluate(f"{focused}.textContent") == "Skip to the content"
        visitor.page.keyboard.press("Enter")

        assert visitor.page.evaluate(f"{focused}.id") == "main"

    def test_shows_a_notice_from_its_moment_on(self, window):
        visitor = window()
        visitor.see("/menu/")
        visitor.page.evaluate(
            """() => {
              const notice = document.createElement("p");
              notice.dataset.from = new Date(Date.now() + 1500).toISOString();
              notice.textContent = "It is time.";
              notice.hidden = true;
              document.querySelector("main").append(notice);
            }"""
        )

        visitor.page.get_by_text("It is time.").wait_for()

    def test_says_where_one_is(self, window):
        visitor = window()
        visitor.see("/menu/")

        here = visitor.page.locator("[aria-current=page]")

        assert here.inner_text() == "Menu"


@pytest.mark.browser
class TestMenu:
    def test_price_and_picture_follow_what_is_chosen(self, window):
        visitor = window()
        visitor.see("/menu/")
        dish = visitor.dish("Margherita")
        price = dish.locator("[data-price]")
        assert price.inner_text() == "$16.89"

        dish.get_by_label("Large").check()
        assert price.inner_text() == "$20.78"
        assert dish.locator(".pizza").get_attribute("data-size") == "large"

        dish.get_by_text("Extra toppings").first.click()
        dish.get_by_label("Mushrooms").check()
        dish.get_by_label("Tomato Sauce").check()
        assert price.inner_text() == "$25.78"
        drawn = [
            use.get_attribute("href") for use in dish.locator(".pizza-disc use").all()
        ]
        assert drawn == [
            "#base-margherita",
            "#t-tomato-sauce",
            "#t-mushrooms",
            "#t-basil",
        ]

        dish.locator("[name=quantity]").fill("2")
        assert price.inner_text() == "$51.56"
        dish.get_by_label("Mushrooms").uncheck()
        assert price.inner_text() == "$46.56"
        assert dish.locator("use[href='#t-mushrooms']").count() == 0
        assert visitor.complaints == []

    def test_the_price_on_the_button_is_the_price_in_the_cart(self, window):
        visitor = window()
        visitor.see("/menu/")
        for dish in visitor.page.locator(".dish").all():
            dish.get_by_label("Large").check()
            dish.get_by_text("Extra toppings").first.click()
            dish.get_by_label("Spinach").check()
            promised = dish.locator("[data-price]").inner_text()
            dish.get_by_role("button", name="Add").click()
            visitor.page.locator(".slip-lines li", has_text=promised).last.wait_for()
            visitor.page.locator(".htmx-request").wait_for(state="detached")

        assert visitor.page.locator(".slip-lines li").count() == 6
        assert visitor.complaints == []

    def test_adding_is_told_and_counted_without_a_reload(self, window):
        visitor = window()
        visitor.see("/menu/")
        visitor.page.evaluate("document.body.dataset.same = 'page'")

        visitor.page.get_by_role("button", name="Add Hawaiian").click()

        visitor.page.locator("#toasts", has_text="Hawaiian").wait_for()
        assert visitor.page.locator("#cart-count").inner_text().startswith("1")
        assert visitor.page.evaluate("document.body.dataset.same") == "page"
        assert visitor.complaints == []

    def test_a_refusal_is_told_and_nothing_is_added(self, window, menu):
        visitor = window()
        visitor.see("/menu/")
        sold_out = menu[3]
        sold_out.is_available = False
        sold_out.save()

        visitor.page.get_by_role("button", name=f"Add {sold_out.name}").click()

        visitor.page.locator(".toast-error", has_text="sold out").wait_for()
        assert visitor.page.locator("#cart-count").inner_text() == ""
        assert visitor.page.locator(".toast").count() == 1

    def test_a_sold_out_pizza_cannot_be_added(self, window, menu):
        menu[0].is_available = False
        menu[0].save()
        visitor = window()
        visitor.see("/menu/")

        dish = visitor.dish("Margherita")

        assert "Sold out today" in dish.inner_text()
        assert dish.get_by_role("button").count() == 0

    def test_an_empty_menu_says_so(self, window, menu):
        for pizza in menu:
            pizza.delete()
        visitor = window()

        assert_well_made(visitor, "/menu/")

        assert "The menu is being written" in visitor.page.inner_text("main")


@pytest.mark.browser
class TestCart:
    def test_quantities_change_without_a_reload(self, window):
        visitor = window()
        visitor.fill_cart()
        visitor.see("/cart/")
        visitor.page.evaluate("document.body.dataset.same = 'page'")

        visitor.page.get_by_role("button", name="One Pepperoni more").click()

        visitor.page.locator(".row-total", has_text="$43.98").wait_for()
        assert visitor.page.locator("#cart-count").inner_text().startswith("2")
        assert visitor.page.evaluate("document.body.dataset.same") == "page"
        assert visitor.complaints == []

    def test_what_was_removed_can_be_put_back(self, window):
        visitor = window()
        visitor.fill_cart()
        visitor.see("/cart/")

        visitor.page.get_by_role("button", name="Remove Pepperoni").click()
        visitor.page.get_by_text("Nothing on the plate yet").wait_for()
        visitor.page.get_by_role("button", name="Undo").click()

        visitor.page.locator(".row-item", has_text="plus olives").wait_for()
        assert visitor.complaints == []

    def test_works_without_javascript(self, window):
        visitor = window(java_script_enabled=False)
        visitor.see("/menu/")
        dish = visitor.dish("Pepperoni")
        dish.get_by_label("Large").check()
        dish.get_by_text("Extra toppings").first.click()
        dish.get_by_label("Olives").check()
        dish.get_by_role("button", name="Add Pepperoni").click()

        row = visitor.page.locator(".row-item")
        assert "Large, plus olives" in row.inner_text()
        assert row.locator("use[href='#t-olives']").count() == 1
        assert "added" in visitor.page.locator("#toasts").inner_text()

        visitor.page.get_by_role("button", name="One Pepperoni more").click()
        assert visitor.page.locator(".row-total").inner_text() == "$52.96"
        visitor.page.get_by_role("button", name="Remove Pepperoni").click()
        assert "Nothing on the plate yet" in visitor.page.inner_text("main")


@pytest.mark.browser
class TestCheckout:
    def test_errors_are_named_and_lead_to_their_fields(self, window, peach):
        customer = window(peach)
        customer.fill_cart()
        customer.see("/checkout/")
        page = customer.page
        page.locator("[name=customer_address]").fill("1 Castle Road")

        page.get_by_role("button", name="Place the order").click()

        problem = page.locator("#form-problem")
        problem.wait_for()
        assert page.evaluate("document.activeElement.id") == "form-problem"
        assert page.locator("[name=customer_address]").input_value() == "1 Castle Road"
        problem.get_by_role("link", name="Phone").click()
        assert page.evaluate("document.activeElement.name") == "customer_phone"
        phone = page.locator("[name=customer_phone]")
        assert phone.get_attribute("aria-invalid") == "true"
        described_by = phone.get_attribute("aria-describedby").split()
        assert all(page.locator(f"#{name}").count() == 1 for name in described_by)


@pytest.mark.browser
class TestOrder:
    def test_follows_the_kitchen_by_itself(self, window, peach, order_of):
        order = order_of(peach)
        customer = window(peach)
        customer.see(f"/orders/{order.pk}/")
        assert "Confirmed" in customer.page.locator("#status .status").inner_text()

        order.status = Status.READY
        order.save()

        customer.page.locator("#status .status-ready").wait_for()
        assert customer.complaints == []

    def test_prints_a_receipt_and_nothing_else(self, window, peach, order_of):
        order = order_of(peach)
        customer = window(peach)
        customer.see(f"/orders/{order.pk}/")

        customer.page.emulate_media(media="print")

        assert customer.page.locator(".receipt-table").is_visible()
        for part in (".front", ".foot", ".actions", "#status", "[data-print]"):
            assert not customer.page.locator(part).first.is_visible(), part


@pytest.mark.browser
class TestKitchen:
    def test_one_tap_moves_a_ticket(self, window, peach, luigi, order_of):
        order = order_of(peach, minutes=3)
        chef = window(luigi)
        chef.see("/kitchen/")

        for lane, step in (("cooking", "Into the oven"), ("ready", "Ready")):
            chef.page.get_by_role("button", name=f"{step}, order {order.pk}").click()
            chef.page.locator(f".lane-{lane} [data-ticket='{order.pk}']").wait_for()

        assert chef.complaints == []

    def test_can_be_hit_with_floury_hands(self, window, peach, luigi, order_of):
        order_of(peach)
        chef = window(luigi, viewport=PHONE)
        chef.see("/kitchen/")

        small = chef.page.evaluate(
            """[...document.querySelectorAll("a, button, input:not([type=hidden])")]
            .filter(target => target.checkVisibility() && !target.matches(".skip"))
            .filter(target => target.getBoundingClientRect().height < 44)
            .map(target => target.textContent)"""
        )

        assert small == []

    def test_age_is_colour_shape_and_words(self, window, peach, luigi, order_of):
        for minutes in (2, 9, 15):
            order_of(peach, minutes=minutes)
        chef = window(luigi)
        chef.see("/kitchen/")

        ages = chef.page.locator(".age")

        assert ages.all_inner_texts() == ["Late, 15 min", "Hurry, 9 min", "2 min"]
        looks = ages.evaluate_all(
            """ages => ages.map(age => {
              const shape = getComputedStyle(age, "::before");
              return [getComputedStyle(age).backgroundColor,
                      shape.clipPath + shape.borderRadius + shape.transform];
            })"""
        )
        assert len({colour for colour, _ in looks}) == 3
        assert len({shape for _, shape in looks}) == 3

    def test_a_second_screen_is_told_that_the_first_was_faster(
        self, window, peach, luigi, order_of
    ):
        order = order_of(peach)
        chef = window(luigi)
        # Nothing is asked for in between: this screen shows what was.
        chef.see("/kitchen/")
        chef.page.route("**/kitchen/", lambda route: route.abort())
        order.status = Status.READY
        order.save()

        name = f"Into the oven, order {order.pk}"
        chef.page.get_by_role("button", name=name).click()

        chef.page.locator(".toast-warning").wait_for()
        chef.page.locator(f".lane-ready [data-ticket='{order.pk}']").wait_for()

    def test_says_how_old_it_is_while_the_shop_does_not_answer(self, window, luigi):
        chef = window(luigi)
        chef.see("/kitchen/")
        notice = chef.page.locator("[data-stale]")
        assert not notice.is_visible()

        chef.context.set_offline(True)
        notice.wait_for(state="visible")
        assert re.search(r"Last updated \d+ s ago, reconnecting", notice.inner_text())

        chef.context.set_offline(False)
        notice.wait_for(state="hidden")


@pytest.mark.browser
class TestMotion:
    def test_there_is_none_for_those_who_asked_for_none(self, window):
        visitor = window(reduced_motion="reduce")
        visitor.see("/menu/")

        durations = visitor.page.evaluate(
            """[...document.querySelectorAll("*")].flatMap(part => {
              const { transitionDuration, animationDuration } = getComputedStyle(part);
              return [transitionDuration, animationDuration];
            })"""
        )

        parts = {part for duration in durations for part in duration.split(", ")}
        assert parts == {"0s"}
