"""
A year of a restaurant that never was: the same for the same seed, size and last day.

Orders are written as they would have ended, without the services that would tell
people and other systems of each: nobody is to be notified of last year's pizza.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import Group, User
from django.db import transaction

from pizzeria.exceptions import Conflict
from pizzeria.management.models import ClosedDay
from pizzeria.management.periods import Period, midnight
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.menu.seed import seed_menu
from pizzeria.menu.toppings import TOPPINGS
from pizzeria.orders.contact import PaymentMethod
from pizzeria.orders.models import Order, OrderLine, full_name
from pizzeria.orders.transitions import Status

MARK = "demo"
_BATCH = 2000
_ORDERS_PER_CUSTOMER = 12
_MOST_CUSTOMERS = 20_000
_FIRST_NAMES = ("Ada", "Bruno", "Carla", "Dario", "Elena", "Fabio", "Gina", "Hugo")
_LAST_NAMES = (
    "Rossi",
    "Verdi",
    "Bianchi",
    "Ricci",
    "Marino",
    "Greco",
    "Conti",
    "Gallo",
)
_COOKS = (("Luca", "Forno"), ("Marta", "Brace"), ("Pino", "Lievito"))
_DRIVERS = (("Nico", "Strada"), ("Olga", "Vespa"), ("Rita", "Ponte"), ("Tino", "Curva"))
_STREETS = ("Via Roma", "Corso Italia", "Via Garibaldi", "Piazza Dante", "Via Verdi")
# From 11 to 22 o'clock, and Monday to Sunday: how busy it is.
_HOURS = (1, 4, 5, 2, 1, 1, 2, 5, 8, 7, 4, 1)
_WEEKDAYS = (6, 6, 7, 8, 12, 13, 9)
_OPENS = 11
_CANCELLED = 0.03


class DayClosed(Conflict):
    code = "day_closed"


@dataclass(frozen=True)
class Cast:
    customers: list[User]
    cooks: list[User]
    drivers: list[User]
    pizzas: list[Pizza]


def seed_orders(
    *,
    orders: int,
    days: int,
    last_day: date,
    seed: int,
    on_progress: Callable[[int], None],
) -> int:
    """
    Write about `orders` orders, spread over the days as people order; return how many.

    Each day is one transaction, and one that has such orders is left alone: what was
    interrupted can be begun again.

    :raises DayClosed: if a day without such orders is closed: they would not count
    """
    cast = make_cast(customers=_customers_for(orders))
    period = Period.until(last_day, days=days)
    closed_until = ClosedDay.last()
    done = 0
    for day, number in _spread(period, orders):
        # A generator of its own for each day, so that a day is the same alone.
        chance = random.Random(f"{seed}:{day}")  # noqa: S311  # not a secret
        with transaction.atomic():
            if not _has_demo_orders(day):
                if closed_until is not None and day <= closed_until:
                    raise DayClosed(f"The books of {day:%d %b %Y} are closed.")
                _write_day(day, number, cast, chance)
        done += number
        on_progress(done)
    return done


def make_cast(*, customers: int) -> Cast:
    """Return the people of the demo, who are made when they are missing."""
    seed_menu()
    return Cast(
        customers=_people("customer", customers, _customer_name, group=None),
        cooks=_people("cook", len(_COOKS), _COOKS.__getitem__, group="chef"),
        drivers=_people(
            "driver", len(_DRIVERS), _DRIVERS.__getitem__, group="delivery_driver"
        ),
        # A year knows no season: what comes and goes is not among its orders.
        pizzas=list(
            Pizza.objects.filter(available_from=None, available_until=None).order_by(
                "pk"
            )
        ),
    )


def _customers_for(orders: int) -> int:
    return max(20, min(orders // _ORDERS_PER_CUSTOMER, _MOST_CUSTOMERS))


def _customer_name(number: int) -> tuple[str, str]:
    last, first = divmod(number, len(_FIRST_NAMES))
    return _FIRST_NAMES[first], _LAST_NAMES[last % len(_LAST_NAMES)]


def _people(
    part: str, wanted: int, name_of: Callable[[int], tuple[str, str]], group: str | None
) -> list[User]:
    known = {
        person.username: person
        for person in User.objects.filter(username__startswith=f"{MARK}-{part}-")
    }
    names = [f"{MARK}-{part}-{number}" for number in range(wanted)]
    missing = []
    for number, name in enumerate(names):
        if name not in known:
            first, last = name_of(number)
            # "!" is no password: nobody logs in as one of these.
            missing.append(
                User(username=name, first_name=first, last_name=last, password="!")  # noqa: S106
            )
    made = User.objects.bulk_create(missing, batch_size=_BATCH)
    if group:
        Group.objects.get_or_create(name=group)[0].user_set.add(*made)
    known |= {person.username: person for person in made}
    return [known[name] for name in names]


def _spread(period: Period, orders: int) -> Iterator[tuple[date, int]]:
    """Give each day its part: more on weekends, and a little more each month."""
    weights = [
        _WEEKDAYS[day.weekday()] * (1 + 0.3 * number / period.days)
        for number, day in enumerate(period)
    ]
    given, total, sofar = 0, sum(weights), 0.0
    for day, weight in zip(period, weights, strict=True):
        sofar += weight
        number = round(orders * sofar / total) - given
        given += number
        yield day, number


def _has_demo_orders(day: date) -> bool:
    return OrderLine.objects.filter(cart_line_id=_line_id(day, 0, 0)).exists()


def _line_id(day: date, number: int, line: int) -> str:
    return f"{MARK}-{day:%Y%m%d}-{number}-{line}"


def _write_day(day: date, orders: int, cast: Cast, chance: random.Random) -> None:
    opens = midnight(day) + timedelta(hours=_OPENS)
    moments = sorted(
        opens + timedelta(hours=hour, seconds=chance.randrange(3600))
        for hour in chance.choices(range(len(_HOURS)), _HOURS, k=orders)
    )
    written, lines = [], []
    for number, placed_at in enumerate(moments):
        order, bill = _order(day, number, placed_at, cast, chance)
        written.append(order)
        lines += bill
    Order.objects.bulk_create(written, batch_size=_BATCH)
    OrderLine.objects.bulk_create(lines, batch_size=_BATCH)


def _order(
    day: date, number: int, placed_at: datetime, cast: Cast, chance: random.Random
) -> tuple[Order, list[OrderLine]]:
    # Some people come again and again.
    place = int(len(cast.customers) * chance.random() ** 2)
    customer = cast.customers[place]
    order = Order(
        customer=customer,
        customer_name=full_name(customer),
        customer_phone=f"+3906{place:07}",
        customer_address=f"{_STREETS[place % len(_STREETS)]} {place % 90 + 1}, Roma",
        payment_method=chance.choice(PaymentMethod.values),
        placed_at=placed_at,
        promised_at=placed_at + timedelta(minutes=45),
        confirmed_at=placed_at,
    )
    lines = [
        _line(order, _line_id(day, number, line), cast, chance)
        for line in range(chance.choices((1, 2, 3), (6, 3, 1))[0])
    ]
    order.total_amount = sum((line.total for line in lines), Decimal(0))
    _finish(order, cast, chance)
    return order, lines


def _line(order: Order, line_id: str, cast: Cast, chance: random.Random) -> OrderLine:
    weights = range(len(cast.pizzas) + 1, 1, -1)
    pizza = chance.choices(cast.pizzas, weights)[0]
    size = chance.choices(list(Size), (2, 5, 3))[0]
    extras = chance.sample(TOPPINGS, chance.choices((0, 1, 2), (7, 2, 1))[0])
    return OrderLine(
        order=order,
        cart_line_id=line_id,
        pizza=pizza,
        name=pizza.name,
        size=size,
        toppings=pizza.toppings,
        extra_toppings=extras,
        unit_price=pizza.unit_price(size, extras),
        quantity=chance.choices((1, 2, 3), (8, 2, 1))[0],
    )


def _finish(order: Order, cast: Cast, chance: random.Random) -> None:
    def after(moment: datetime, low: float, high: float) -> datetime:
        return moment + timedelta(seconds=round(60 * chance.uniform(low, high)))

    if chance.random() < _CANCELLED:
        order.status = Status.CANCELLED
        order.cancelled_at = order.cancelled_seen_at = after(order.placed_at, 1, 5)
        return
    order.status = Status.DELIVERED
    order.cooked_by = order.readied_by = chance.choice(cast.cooks)
    order.driver = order.delivered_by = chance.choice(cast.drivers)
    order.cooking_at = after(order.placed_at, 1, 8)
    order.ready_at = after(order.cooking_at, 6, 14)
    order.delivering_at = after(order.ready_at, 1, 10)
    order.delivered_at = after(order.delivering_at, 5, 20)
