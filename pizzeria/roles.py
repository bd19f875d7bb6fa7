"""
The people of the restaurant: what the group of each role may do.

Groups carry the names of the realm's roles. Whoever is logged in may order,
whatever their role; a superuser may do everything.
"""

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission
from django.db import transaction

COOK = "orders.cook"
DELIVER = "orders.deliver"
CANCEL = "orders.cancel"
VIEW_FIGURES = "management.view_figures"
# Steps in where a cook or a driver may not: late cancellations, others' tours.
OVERSEE = "orders.oversee"
REFUND = "orders.refund"
SEND_EVENTS = "events.receive"
ADD_TO_MENU = "menu.add_pizza"
CHANGE_MENU = "menu.change_pizza"
CHANGE_RULES = "restaurant.change_restaurant"
CHANGE_VOUCHERS = "vouchers.change_voucher"

GROUP_PERMISSIONS: dict[str, frozenset[str]] = {
    "customer": frozenset(),
    "chef": frozenset({COOK, CANCEL}),
    "delivery_driver": frozenset({DELIVER}),
    "manager": frozenset(
        {
            COOK,
            DELIVER,
            CANCEL,
            OVERSEE,
            REFUND,
            SEND_EVENTS,
            VIEW_FIGURES,
            "orders.view_order",
            ADD_TO_MENU,
            CHANGE_MENU,
            CHANGE_RULES,
            CHANGE_VOUCHERS,
            "menu.view_pizza",
        }
    ),
}


def make_groups(*, sender: AppConfig, using: str, **_: object) -> None:
    """
    Make the groups and give them what they may do with the sender's models.

    Called after every `migrate`, once for each app. It only adds: a permission
    that somebody gave to a group by hand stays.
    """
    with transaction.atomic(using=using):
        for name, permissions in GROUP_PERMISSIONS.items():
            group, _was_made = Group.objects.using(using).get_or_create(name=name)
            codenames = [
                permission.partition(".")[2]
                for permission in permissions
                if permission.startswith(f"{sender.label}.")
            ]
            group.permissions.add(
                *Permission.objects.using(using).filter(
                    content_type__app_label=sender.label, codename__in=codenames
                )
            )
