"""
Every way in which the shop says no.

PizzeriaError
+- CartRefused           what was to go into the cart cannot
|  +- CartFull
|  +- TooManyOfOnePizza
|  +- PizzaSoldOut       also when it is to be ordered
|     +- OutOfSeason
+- OrderRefused          what is in the cart cannot be ordered
|  +- EmptyOrder
|  +- KeyReused          the idempotency key names another order
|  +- VoucherRefused     the code in the cart does not hold
|  +- RefundRefused      more is to be given back than was paid
|  +- NotServed          the restaurant does not take such an order
|     +- BelowMinimum
|     +- DeliveryTooFar
+- TooMuchKept           there is a limit to what is kept
|  +- AddressBookFull
|  +- TooManyFavourites
|  +- MenuFull
+- Conflict              somebody or something else was faster
   +- CartChanged
   +- PriceChanged
   +- Closed
   +- MenuChanged
   +- ChangedMeanwhile   what a form was filled in for is not what is stored
   +- StatusConflict
   +- NotAllBack         a pizza of the order that is to be changed is not to be had
   +- OrderUnderWay
   +- KitchenFull
   +- TourFull
   +- RatingClosed       it was rated more than a day ago

LoggedOut                the login ended before what was asked for was committed

An error knows its code and its sentence for people, not how it travels: the API
chooses the status in `api_errors`, a page shows the sentence.
"""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any


class PizzeriaError(Exception):
    """Something the shop refuses, and why, in words for the person who asked."""

    code = "refused"
    message = "This cannot be done."

    def __init__(self, message: str = "", **extra: Any) -> None:
        self.message = message or self.message
        self.extra = extra
        super().__init__(self.message)


class CartRefused(PizzeriaError):
    code = "cart_refused"
    message = "This cannot go into the cart."


class CartFull(CartRefused):
    code = "cart_full"
    message = "Your cart is full. Order what is in it first, or remove a pizza."


class TooManyOfOnePizza(CartRefused):
    code = "too_many"

    def __init__(self, name: str, *, limit: int) -> None:
        super().__init__(
            f"{limit} of one pizza are the most that one order can hold. "
            f"Your cart keeps the {name} it had.",
            limit=limit,
        )


class PizzaSoldOut(CartRefused):
    code = "sold_out"
    _state = "sold out today"

    def __init__(self, *names: str) -> None:
        verb = "is" if len(names) == 1 else "are"
        super().__init__(
            f"{' and '.join(names)} {verb} {self._state}. "
            "Everything else in your cart is kept.",
            pizzas=list(names),
        )


class OutOfSeason(PizzaSoldOut):
    code = "out_of_season"
    _state = "out of season"


class OrderRefused(PizzeriaError):
    code = "order_refused"
    message = "This cannot be ordered."


class EmptyOrder(OrderRefused):
    code = "empty_order"
    message = "There is no pizza in your cart yet, so there is nothing to order."


class KeyReused(OrderRefused):
    """The same idempotency key came with another request."""

    code = "idempotency_key_reused"

    def __init__(self, order: int) -> None:
        super().__init__(
            f"This key was used for order {order}, with other details. "
            "A new order needs a new key.",
            order=order,
        )


class LoggedOut(Exception):
    """No refusal for a view to explain: who asked is somebody else by now."""

    code = "logged_out"
    message = "You were logged out meanwhile, so nothing was changed."


class VoucherRefused(OrderRefused):
    def __init__(self, code: str, message: str, **extra: Any) -> None:
        self.code = code
        # Without what to do, for a page where the code is not in the cart yet.
        self.reason = message
        super().__init__(
            f"{message} Take the code out of your cart to order without it.", **extra
        )

    @classmethod
    def unknown(cls, code: str) -> "VoucherRefused":
        return cls("voucher_unknown", f"There is no voucher “{code[:30]}”.")


class RefundRefused(OrderRefused):
    code = "refund_refused"

    def __init__(self, *, most: Decimal) -> None:
        super().__init__(
            f"Between $0.01 and ${most} can be given back for this order.",
            most=str(most),
        )


class NotServed(OrderRefused):
    code = "not_served"


class BelowMinimum(NotServed):
    code = "below_minimum"

    def __init__(self, *, amount: Decimal, minimum: Decimal) -> None:
        super().__init__(
            f"A delivery begins at ${minimum}, and your pizzas cost ${amount}. Add "
            f"${minimum - amount}, or pick them up; your cart is kept.",
            minimum=str(minimum),
            amount=str(amount),
        )


class DeliveryTooFar(NotServed):
    code = "delivery_too_far"

    def __init__(self, postcode: str | None, *, area: Collection[str]) -> None:
        begins = ", ".join(area)
        if postcode is None:
            told = "Please write the postcode along with the address"
        else:
            told = f"Our drivers do not go to {postcode}"
        super().__init__(
            f"{told}. They go where postcodes begin with {begins}. You can choose "
            "another address, or pick-up; your cart is kept.",
            area=list(area),
        )


class TooMuchKept(PizzeriaError):
    code = "too_much_kept"
    message = "There is no room for more. Please remove something first."


class AddressBookFull(TooMuchKept):
    code = "address_book_full"
    message = "Your address book is full. Please remove an address first."


class MenuFull(TooMuchKept):
    code = "menu_full"
    message = "The menu is full. Take a pizza off it first."


class TooManyFavourites(TooMuchKept):
    code = "too_many_favourites"
    message = "These are many favourites. Please remove one first."


class Conflict(PizzeriaError):
    code = "conflict"
    message = "Somebody else was faster. Please look again."


class CartChanged(Conflict):
    code = "cart_changed"
    message = (
        "Something in your cart is no longer on the menu and was taken out. "
        "Please look at what is left before you order."
    )

    def __init__(self, message: str = "", *, line_ids: Collection[str] = ()) -> None:
        super().__init__(message)
        # What has to leave the cart, if the cart cannot tell by itself.
        self.line_ids = line_ids


class PriceChanged(Conflict):
    code = "price_changed"

    def __init__(self, total: Decimal) -> None:
        super().__init__(
            f"The total is {total} now: a price or the cart changed since you looked. "
            "Nothing was ordered yet.",
            total_amount=str(total),
        )


class Closed(Conflict):
    code = "closed"

    def __init__(
        self, words: str, *, opens_at: datetime | None, kept: str = "Your cart is kept"
    ) -> None:
        super().__init__(
            f"The restaurant is closed now ({words}). {kept} until then.",
            opens_at=opens_at.isoformat() if opens_at else None,
        )


class MenuChanged(Conflict):
    code = "menu_changed"

    def __init__(self, name: str, *, version: int) -> None:
        super().__init__(
            f"Somebody changed {name} since you opened this page. "
            "Nothing of yours was saved; look at what it is now.",
            version=version,
        )


class ChangedMeanwhile(Conflict):
    code = "changed_meanwhile"
    message = (
        "Somebody changed this since you opened the page. "
        "Nothing of yours was saved; look at what it is now."
    )


class OrderUnderWay(Conflict):
    code = "order_under_way"
    message = (
        "An order of yours is still under way. "
        "Once it has arrived, your data can be erased."
    )


class StatusConflict(Conflict):
    """The order is in a state from which the wanted one cannot be reached."""

    code = "status_conflict"


class NotAllBack(Conflict):
    code = "not_all_back"

    def __init__(self, order: int, names: Collection[str]) -> None:
        super().__init__(
            f"{' and '.join(names)} cannot go into your cart now, so order {order} "
            "stays as it is. You can cancel it, or make another order beside it.",
            order=order,
            pizzas=list(names),
        )


class KitchenFull(Conflict):
    code = "kitchen_full"

    def __init__(self, *, capacity: int) -> None:
        super().__init__(
            f"All {capacity} places in the oven are taken. "
            "Finish an order before you start the next.",
            capacity=capacity,
        )


class TourFull(Conflict):
    code = "tour_full"

    def __init__(self, *, limit: int) -> None:
        super().__init__(
            f"Your tour has {limit} stops already. Hand one over first.", limit=limit
        )


class RatingClosed(Conflict):
    code = "rating_closed"

    def __init__(self, order: int) -> None:
        super().__init__(
            f"Order {order} was rated more than a day ago; that stays as it is.",
            order=order,
        )
