from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from pizzeria.cart.cart import Cart
from pizzeria.exceptions import CartChanged, EmptyOrder, PizzaSoldOut, PriceChanged
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.orders.models import Order, OrderLine
from pizzeria.orders.ordering import order_cart
from pizzeria.orders.services import place_order
from sessions_backend.engine import SessionStore
from tests.pizzeria.conftest import CONTACT, FRIDAY_EVENING, cart_line


def place(customer, lines, **changes):
    return place_order(
        customer=customer,
        lines=lines,
        contact=CONTACT,
        placed_at=FRIDAY_EVENING,
        **changes,
    )


class TestPlaceOrder:
    def test_stores_what_was_ordered_as_it_was(self, peach, hawaiian):
        line = cart_line(
            hawaiian, size=Size.LARGE, extras=["Basil", "Olives"], quantity=3
        )

        order = place(peach, [line])
        Pizza.objects.filter(pk=hawaiian.pk).update(
            name="Aloha", base_price="99.00", toppings=["Ham"]
        )

        order = Order.objects.get(pk=order.pk)
        assert order.status == "confirmed"
        assert order.placed_at == order.confirmed_at == FRIDAY_EVENING
        assert order.customer_name == "Peach"
        assert order.customer_phone == "+12025550143"
        assert order.total_amount == 3 * Decimal("28.98")
        assert order.pizza_count == 3
        stored = order.lines.get()
        assert (stored.name, stored.size, stored.quantity) == ("Hawaiian", "large", 3)
        assert stored.toppings == ["Ham", "Pineapple"]
        assert stored.extra_toppings == ["Basil", "Olives"]
        assert stored.unit_price == Decimal("28.98")
        assert stored.total == order.total_amount

    def test_the_bill_is_the_sum_of_its_lines(self, peach, menu):
        lines = [
            cart_line(pizza, f"line-{number}", size, quantity=number + 1)
            for number, (pizza, size) in enumerate(
                zip(menu.values(), [*Size, *Size], strict=True)
            )
        ]

        order = place(peach, lines)

        assert order.total_amount == sum(line.total for line in order.lines.all())

    def test_shows_equal_lines_as_one_row(self, peach, menu):
        pizza = menu["Margherita"]
        lines = [
            cart_line(pizza, "a"),
            cart_line(menu["Hawaiian"], "b"),
            cart_line(pizza, "c", quantity=2),
            cart_line(pizza, "d", extras=["Ham"]),
        ]

        order = place(peach, lines)

        rows = [(row.name, row.quantity, row.extra_toppings) for row in order.rows]
        assert rows == [
            ("Margherita", 3, []),
            ("Hawaiian", 1, []),
            ("Margherita", 1, ["Ham"]),
        ]
        assert sum(row.total for row in order.rows) == order.total_amount

    def test_refuses_an_empty_order(self, peach):
        with pytest.raises(EmptyOrder):
            place(peach, [])

    def test_names_everything_that_is_sold_out_and_stores_nothing(self, peach, menu):
        Pizza.objects.filter(name__in=["Hawaiian", "Pepperoni"]).update(
            is_available=False
        )
        lines = [cart_line(pizza, f"line-{pizza.pk}") for pizza in menu.values()]

        with pytest.raises(PizzaSoldOut, match="Hawaiian and Pepperoni are sold out"):
            place(peach, lines)

        assert not Order.objects.exists()

    def test_refuses_a_pizza_that_left_the_menu(self, peach, menu):
        lines = [cart_line(menu["Margherita"], "a"), cart_line(menu["Hawaiian"], "b")]
        menu["Hawaiian"].delete()

        with pytest.raises(CartChanged):
            place(peach, lines)

        assert not Order.objects.exists()

    def test_refuses_another_total_than_the_customer_saw(self, peach, margherita):
        with pytest.raises(PriceChanged, match=r"16\.89 now"):
            place(peach, [cart_line(margherita)], seen_total=Decimal("12.99"))

        assert not Order.objects.exists()
        assert place(peach, [cart_line(margherita)], seen_total=Decimal("16.89"))

    def test_the_same_lines_again_are_the_same_order(self, peach, margherita):
        lines = [cart_line(margherita, "a"), cart_line(margherita, "b")]

        first, second = place(peach, lines), place(peach, lines)

        assert first == second
        assert OrderLine.objects.count() == 2

    def test_lines_that_were_partly_ordered_are_named(self, peach, margherita):
        old, new = cart_line(margherita, "old"), cart_line(margherita, "new")
        place(peach, [old])

        with pytest.raises(CartChanged, match="earlier order") as caught:
            place(peach, [old, new])

        assert set(caught.value.line_ids) == {"old"}
        assert Order.objects.count() == 1

    def test_nobody_gets_somebody_elses_order(self, peach, toad, margherita):
        place(peach, [cart_line(margherita)])

        with pytest.raises(CartChanged):
            place(toad, [cart_line(margherita)])

    def test_the_database_itself_takes_a_line_once(self, order_of, peach, margherita):
        order = order_of(peach, line_id="once")

        with pytest.raises(IntegrityError), transaction.atomic():
            OrderLine.objects.create(
                order=order,
                cart_line_id="once",
                pizza=margherita,
                name="Margherita",
                size="small",
                unit_price="12.99",
                quantity=1,
            )

    def test_what_the_database_refuses_for_another_reason_is_no_order(
        self, peach, margherita
    ):
        contact = replace(CONTACT, payment_method="gold")  # type: ignore[arg-type]

        with pytest.raises(IntegrityError):
            place_order(
                customer=peach,
                lines=[cart_line(margherita)],
                contact=contact,
                placed_at=FRIDAY_EVENING,
            )

        assert not Order.objects.exists()

    @pytest.mark.parametrize(
        "wrong", [{"quantity": 0}, {"unit_price": "0.00"}, {"size": "huge"}]
    )
    def test_the_database_itself_refuses_nonsense_lines(self, order_of, peach, wrong):
        order = order_of(peach)

        with pytest.raises(IntegrityError), transaction.atomic():
            order.lines.update(**wrong)

    @pytest.mark.parametrize(
        "wrong", [{"status": "eaten"}, {"total_amount": 0}, {"payment_method": "gold"}]
    )
    def test_the_database_itself_refuses_nonsense_orders(self, order_of, peach, wrong):
        order = order_of(peach)

        with pytest.raises(IntegrityError), transaction.atomic():
            Order.objects.filter(pk=order.pk).update(**wrong)

    def test_an_ordered_pizza_cannot_be_deleted(self, order_of, peach, margherita):
        order_of(peach)

        with pytest.raises(ProtectedError):
            margherita.delete()


class TestOrderCart:
    def order(self, session, customer, **changes):
        return order_cart(
            session=session,
            customer=customer,
            contact=CONTACT,
            placed_at=FRIDAY_EVENING,
            **changes,
        )

    def test_what_another_tab_adds_meanwhile_stays_in_the_cart(self, peach, margherita):
        session = SessionStore()
        Cart(session).add(pizza=margherita, size=Size.SMALL, quantity=1)
        session.save()
        key = session.session_key
        ordering, adding = SessionStore(key), SessionStore(key)
        Cart(adding).add(pizza=margherita, size=Size.LARGE, quantity=1)

        self.order(ordering, peach)
        adding.save()
        ordering.save()

        (row,) = Cart(SessionStore(key)).rows
        assert row.size == Size.LARGE

    def test_a_refused_order_keeps_the_cart(self, session, peach, margherita, hawaiian):
        cart = Cart(session)
        cart.add(pizza=margherita, size=Size.SMALL, quantity=1)
        cart.add(pizza=hawaiian, size=Size.SMALL, quantity=1)
        Pizza.objects.filter(pk=hawaiian.pk).update(is_available=False)

        with pytest.raises(PizzaSoldOut):
            self.order(session, peach)

        assert Cart(session).count == 2

    def test_what_cannot_be_ordered_leaves_and_the_rest_can_be(
        self, session, peach, margherita, hawaiian
    ):
        cart = Cart(session)
        cart.add(pizza=margherita, size=Size.SMALL, quantity=1)
        cart.add(pizza=hawaiian, size=Size.SMALL, quantity=1)
        hawaiian.delete()

        with pytest.raises(CartChanged):
            self.order(session, peach)
        order = self.order(session, peach)

        assert order.total_amount == Decimal("12.99")
        assert Cart(session).is_empty

    def test_a_session_that_was_not_saved_does_not_order_twice(
        self, session, peach, margherita
    ):
        Cart(session).add(pizza=margherita, size=Size.SMALL, quantity=1)
        before = dict(session["cart"])
        first = self.order(session, peach)
        # The store was away when the emptied cart was to be saved.
        session["cart"] = before

        second = self.order(session, peach)

        assert second == first
        assert Cart(session).is_empty
        assert Order.objects.count() == 1

    def test_new_pizzas_beside_ordered_ones_are_kept(self, session, peach, margherita):
        cart = Cart(session)
        cart.add(pizza=margherita, size=Size.SMALL, quantity=1)
        before = dict(session["cart"])
        self.order(session, peach)
        session["cart"] = before
        Cart(session).add(pizza=margherita, size=Size.LARGE, quantity=1)

        with pytest.raises(CartChanged):
            self.order(session, peach)

        (row,) = Cart(session).rows
        assert row.size == Size.LARGE


def test_orders_read_newest_first(order_of, peach):
    old = order_of(peach)
    new = order_of(peach, placed_at=FRIDAY_EVENING + timedelta(minutes=1))
    same_minute = order_of(peach, placed_at=FRIDAY_EVENING + timedelta(minutes=1))

    assert list(Order.objects.of(peach)) == [same_minute, new, old]
