from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse
from django.utils import timezone

from pizzeria.menu import pricing
from pizzeria.menu.models import Pizza
from pizzeria.menu.pricing import Size
from pizzeria.orders.contact import (
    MAX_ADDRESS_LENGTH,
    MAX_ALLERGY_LENGTH,
    MAX_NOTES_LENGTH,
    MAX_PHONE_LENGTH,
    PaymentMethod,
)
from pizzeria.orders.transitions import (
    FINAL,
    Fulfilment,
    HandedTo,
    Status,
    Step,
    find_step,
    steps_from,
)
from pizzeria.roles import COOK, OVERSEE
from pizzeria.vouchers.models import MAX_CODE_LENGTH, Voucher

MAX_REASON_LENGTH = 200


PICKUP_LABELS: dict[str, str] = {
    Status.READY: "Ready to pick up",
    Status.DELIVERED: "Picked up",
}


class OrderQuerySet(models.QuerySet["Order"]):
    def of(self, customer: User) -> "OrderQuerySet":
        return self.filter(customer=customer)

    def visible_to(self, user: User) -> "OrderQuerySet":
        """Everyone sees their own; the kitchen sees all."""
        return self.all() if user.has_perm(COOK) else self.of(user)

    def cooking(self) -> "OrderQuerySet":
        return self.filter(status=Status.COOKING)

    def with_lines(self) -> "OrderQuerySet":
        return self.prefetch_related("lines")


class Order(models.Model):
    """
    What somebody ordered, as it was on the menu and at the price it had then.

    Its status is changed by `services.move_order` alone.
    """

    # Nobody's, once its customer asked to be forgotten; the bill stays.
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="orders"
    )
    customer_name = models.CharField(max_length=310)
    customer_phone = models.CharField(max_length=MAX_PHONE_LENGTH, blank=True)
    customer_address = models.CharField(
        max_length=MAX_ADDRESS_LENGTH, blank=True, help_text="Empty for a pick-up."
    )
    fulfilment = models.CharField(
        max_length=10, choices=Fulfilment, default=Fulfilment.DELIVERY
    )
    payment_method = models.CharField(max_length=20, choices=PaymentMethod)
    notes = models.TextField(max_length=MAX_NOTES_LENGTH, blank=True)
    allergies = models.CharField(
        max_length=MAX_ALLERGY_LENGTH,
        blank=True,
        help_text="What must not be in it; the kitchen sees it as a banner.",
    )

    status = models.CharField(
        max_length=20, choices=Status, default=Status.CONFIRMED, editable=False
    )
    total_amount = models.DecimalField(
        max_digits=12, decimal_places=2, help_text="What is paid, less the discount."
    )
    voucher = models.ForeignKey(
        Voucher, models.PROTECT, null=True, blank=True, related_name="orders"
    )
    # As it was then: a voucher may be changed later.
    voucher_code = models.CharField(max_length=MAX_CODE_LENGTH, blank=True)
    discount_amount = models.DecimalField(
        max_digits=12, decimal_places=2, default=Decimal("0.00")
    )
    vat_percent = models.DecimalField(
        max_digits=4,
        decimal_places=2,
        default=Decimal("0.00"),
        help_text="The tax that the total contains, as it was then.",
    )

    placed_at = models.DateTimeField()
    promised_at = models.DateTimeField(
        null=True, blank=True, help_text="The latest time that the customer was told."
    )
    confirmed_at = models.DateTimeField(null=True, blank=True)
    cooking_at = models.DateTimeField(null=True, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    delivering_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    returned_at = models.DateTimeField(
        null=True, blank=True, help_text="When a driver brought it back last."
    )
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="When the kitchen took note of it."
    )

    cancel_reason = models.CharField(max_length=MAX_REASON_LENGTH, blank=True)
    return_reason = models.CharField(max_length=MAX_REASON_LENGTH, blank=True)
    handed_to = models.CharField(
        max_length=10, choices=HandedTo, blank=True, help_text="As the driver says."
    )
    delivery_note = models.CharField(max_length=MAX_REASON_LENGTH, blank=True)

    cooked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    readied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    driver = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="deliveries",
        help_text="Who has it on their tour.",
    )
    stop_number = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Its place in the driver's tour."
    )
    delivered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    # Payment is recorded here and happens elsewhere; so does giving it back.
    refunded_amount = models.DecimalField(
        max_digits=12, decimal_places=2, null=True, blank=True
    )
    refunded_at = models.DateTimeField(null=True, blank=True)
    refund_reason = models.CharField(max_length=MAX_REASON_LENGTH, blank=True)
    refunded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    # What the caller named this request, so that a repeated one orders once.
    idempotency_key = models.CharField(max_length=64, blank=True, editable=False)
    request_digest = models.CharField(max_length=64, blank=True, editable=False)

    objects = OrderQuerySet.as_manager()

    # What a board says of it; each board sets them for the moment it shows.
    age_minutes: int
    age: str
    due_minutes: int | None
    is_late: bool
    postcode: str | None
    is_on_the_way: bool
    batch: list["Order"]
    next_status: Status | None
    elsewhere: int

    class Meta:
        ordering = ["-placed_at", "-id"]
        permissions = [
            ("cook", "Can see the kitchen and cook"),
            ("deliver", "Can take orders to people"),
            ("cancel", "Can cancel anybody's order"),
            ("oversee", "Can cancel late and step in for a driver"),
            ("refund", "Can give money back"),
        ]
        indexes = [
            models.Index(
                fields=["customer", "-placed_at", "-id"], name="order_history"
            ),
            models.Index(fields=["status", "placed_at"], name="order_board"),
            models.Index(fields=["driver", "status"], name="order_tour"),
            models.Index(fields=["placed_at"], name="order_placed"),
            models.Index(
                fields=["refunded_at"],
                name="order_refunded",
                condition=models.Q(refunded_at__isnull=False),
            ),
            # All that "who ordered most" asks, so that no order itself is read.
            models.Index(
                fields=["placed_at", "customer", "total_amount"],
                name="order_sold",
                condition=~models.Q(status=Status.CANCELLED),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=Status.values), name="order_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(refunded_amount=None, refunded_at=None)
                | models.Q(
                    # An unknown amount would pass the next two.
                    refunded_amount__isnull=False,
                    refunded_amount__gt=0,
                    refunded_amount__lte=models.F("total_amount"),
                    refunded_at__isnull=False,
                ),
                name="order_refund_sensible",
            ),
            models.CheckConstraint(
                condition=models.Q(total_amount__gt=0), name="order_total_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(discount_amount__gte=0),
                name="order_discount_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(payment_method__in=PaymentMethod.values),
                name="order_payment_known",
            ),
            models.CheckConstraint(
                condition=models.Q(handed_to__in=["", *HandedTo.values]),
                name="order_handed_to_known",
            ),
            models.CheckConstraint(
                condition=models.Q(fulfilment__in=Fulfilment.values),
                name="order_fulfilment_known",
            ),
            models.UniqueConstraint(
                fields=["customer", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="order_once_per_key",
            ),
        ]

    def __str__(self) -> str:
        return f"Order {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("order_detail", args=[self.pk])

    @property
    def pizza_count(self) -> int:
        return sum(line.quantity for line in self.lines.all())

    @property
    def subtotal_amount(self) -> Decimal:
        """What its pizzas cost, before a voucher."""
        return self.total_amount + self.discount_amount

    @property
    def vat_amount(self) -> Decimal:
        """How much of the total is tax."""
        return pricing.vat_contained(self.total_amount, percent=self.vat_percent)

    @property
    def rows(self) -> list["OrderRow"]:
        """The lines for people: equal ones summed, in the order of the cart."""
        return _summed(self.lines.all())

    @property
    def is_finished(self) -> bool:
        """Whether all is done; a hand-over can be taken back for a while."""
        return self.status in FINAL

    @property
    def is_settled(self) -> bool:
        """Whether nothing can happen to it any more: its page need not look again."""
        if not self.is_finished:
            return False
        now = timezone.now()
        return not any(
            self.allows(step) and self.is_in_time(step, now=now)
            for step in steps_from(Status(self.status))
        )

    @property
    def handover_in_words(self) -> str:
        """How it was handed over; empty where nobody said so."""
        said = (self.get_handed_to_display(), self.delivery_note)
        return ": ".join(part for part in said if part)

    @property
    def due_in_words(self) -> str:
        """How long there is until the promised time, as a board says it."""
        if self.due_minutes is None:
            return ""
        if self.due_minutes < 0:
            return f"{-self.due_minutes} min over"
        return f"due in {self.due_minutes} min"

    @property
    def is_pending(self) -> bool:
        """Whether somebody of the restaurant has to accept it first."""
        return self.status == Status.PENDING

    @property
    def is_pickup(self) -> bool:
        return self.fulfilment == Fulfilment.PICKUP

    @property
    def stage_label(self) -> str:
        """Its status, in the words that fit a pick-up, too."""
        if self.is_pickup:
            return PICKUP_LABELS.get(self.status, self.get_status_display())
        return self.get_status_display()

    def steps_for(self, actor: User) -> list[Step]:
        """The steps of the table that this person may take now."""
        now = timezone.now()
        return [
            step
            for step in steps_from(Status(self.status))
            if self.allows(step)
            and self.is_in_time(step, now=now)
            and self.lets(actor, step)
        ]

    @property
    def is_refundable(self) -> bool:
        """Whether money can be given back for it: it is over, and none was yet."""
        over = {Status.DELIVERED, Status.CANCELLED}
        return self.refunded_at is None and self.status in over

    def is_changeable_by(self, person: User) -> bool:
        """Whether it is this person's, and they may still take it back."""
        step = find_step(Status(self.status), Status.CANCELLED)
        is_theirs = self.customer_id is not None and self.customer_id == person.pk
        return is_theirs and step is not None and step.by_owner

    def allows(self, step: Step) -> bool:
        """Whether the step is one for such an order, whoever asks."""
        return step.only_for in (None, self.fulfilment)

    def is_in_time(self, step: Step, *, now: datetime) -> bool:
        """Whether it is early enough to take a hand-over back."""
        if step.within is None:
            return True
        # Nobody knows any more where the order of an erased customer was to go.
        if self.customer_id is None or self.delivered_at is None:
            return False
        if self.refunded_at is not None:
            return False
        return now - self.delivered_at <= step.within

    def lets(self, actor: User, step: Step) -> bool:
        """Whether the step is this person's to take."""
        if step.by_owner and self.customer_id == actor.pk:
            return True
        if step.by_own_driver and self.driver_id != actor.pk:
            return actor.has_perm(OVERSEE)
        return actor.has_perm(step.permission)


class OrderLine(models.Model):
    """
    One line of the cart that was ordered, and what it was then.

    The database takes the id of a cart's line once: a double click makes one order.
    """

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    cart_line_id = models.CharField(max_length=64, unique=True)
    pizza = models.ForeignKey(Pizza, models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    size = models.CharField(max_length=10, choices=Size)
    toppings = models.JSONField(default=list, help_text="The pizza's own.")
    extra_toppings = models.JSONField(default=list)
    unit_price = models.DecimalField(max_digits=8, decimal_places=2)
    quantity = models.PositiveSmallIntegerField()
    ticked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the kitchen ticked it off."
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1), name="line_quantity_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(unit_price__gt=0), name="line_price_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(size__in=Size.values), name="line_size_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.get_size_display()} {self.name}"

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity


def full_name(person: User) -> str:
    return person.get_full_name() or person.get_username()


@dataclass
class OrderRow:
    """Equal lines of an order as one."""

    name: str
    size: str
    toppings: list[str]
    extra_toppings: list[str]
    unit_price: Decimal
    quantity: int = 0

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity


def _summed(lines: Iterable[OrderLine]) -> list[OrderRow]:
    rows: dict[tuple[object, ...], OrderRow] = {}
    for line in lines:
        toppings, extras = list(line.toppings), list(line.extra_toppings)
        what = (line.name, line.size, *toppings, None, *extras, line.unit_price)
        row = OrderRow(line.name, line.size, toppings, extras, line.unit_price)
        rows.setdefault(what, row).quantity += line.quantity
    return list(rows.values())
