"""Every page of the shop, who sees it, and the template that it is made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mario.identity.interrupted import in_words

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pages"
PAGES_OF_DOCS = ROOT / "docs" / "pages.md"
VISITOR, CUSTOMER, CHEF, DRIVER, MANAGER = None, "peach", "luigi", "yoshi", "daisy"
ADMIN = "mario"


@dataclass(frozen=True)
class ShopPage:
    """A page at an address, as one person sees it."""

    name: str
    template: str
    path: str
    person: str | None = VISITOR
    status: int = 200

    def __str__(self) -> str:
        return self.name


PAGES = [
    ShopPage("start", "menu/home.html", "/"),
    ShopPage("menu", "menu/menu.html", "/menu/"),
    ShopPage("menu-search", "menu/menu.html", "/menu/?vegetarian=on&q=olives"),
    ShopPage("pizza", "menu/menu_pizza.html", "/menu/{pizza}/?extra_toppings=Olives"),
    ShopPage("cart-empty", "cart/cart.html", "/cart/"),
    ShopPage("tracking", "orders/track.html", "{track}"),
    ShopPage("logged-out", "identity/logged_out.html", "/auth/logged-out"),
    ShopPage("menu-of-customer", "menu/menu.html", "/menu/", CUSTOMER),
    ShopPage("cart", "cart/cart.html", "/cart/", CUSTOMER),
    ShopPage("cart-change", "menu/menu_pizza.html", "{change}", CUSTOMER),
    ShopPage("checkout", "orders/checkout.html", "/checkout/", CUSTOMER),
    ShopPage("orders", "orders/order_list.html", "/orders/", CUSTOMER),
    ShopPage("order", "orders/order_detail.html", "/orders/{order}/", CUSTOMER),
    ShopPage("order-pickup", "orders/order_detail.html", "/orders/{pickup}/", CUSTOMER),
    ShopPage(
        "notifications",
        "notifications/notification_list.html",
        "/notifications/",
        CUSTOMER,
    ),
    ShopPage("profile", "customers/profile.html", "/profile/", CUSTOMER),
    ShopPage("profile-change", "customers/form.html", "/profile/edit/", CUSTOMER),
    ShopPage(
        "address", "customers/form.html", "/profile/addresses/{address}/", CUSTOMER
    ),
    ShopPage("address-new", "customers/form.html", "/profile/addresses/add/", CUSTOMER),
    ShopPage("be-forgotten", "customers/erase.html", "/profile/erase/", CUSTOMER),
    ShopPage("account", "account/account.html", "/account/", CUSTOMER),
    ShopPage(
        "account-sessions", "account/sessions.html", "/account/sessions/", CUSTOMER
    ),
    ShopPage("kitchen", "kitchen/kitchen_board.html", "/kitchen/", CHEF),
    ShopPage("kitchen-hours", "kitchen/kitchen_hours.html", "/kitchen/hours/", CHEF),
    ShopPage(
        "kitchen-tickets", "kitchen/kitchen_tickets.html", "/kitchen/tickets/", CHEF
    ),
    ShopPage("kitchen-of-manager", "kitchen/kitchen_board.html", "/kitchen/", MANAGER),
    ShopPage("delivery", "delivery/delivery_board.html", "/delivery/", DRIVER),
    ShopPage(
        "delivery-of-manager", "delivery/delivery_board.html", "/delivery/", MANAGER
    ),
    ShopPage(
        "drivers", "delivery/delivery_drivers.html", "/delivery/drivers/", MANAGER
    ),
    ShopPage(
        "management", "management/management_dashboard.html", "/management/", MANAGER
    ),
    ShopPage(
        "operations",
        "management/management_operations.html",
        "/management/operations/?period=month",
        MANAGER,
    ),
    ShopPage(
        "analytics",
        "management/management_analytics.html",
        "/management/analytics/",
        MANAGER,
    ),
    ShopPage("menu-management", "menu/manage/menu.html", "/management/menu/", MANAGER),
    ShopPage("pizza-new", "menu/manage/pizza.html", "/management/menu/add/", MANAGER),
    ShopPage(
        "pizza-change", "menu/manage/pizza.html", "/management/menu/{pizza}/", MANAGER
    ),
    ShopPage(
        "restaurant", "restaurant/restaurant.html", "/management/restaurant/", MANAGER
    ),
    ShopPage(
        "vouchers", "vouchers/voucher_list.html", "/management/vouchers/", MANAGER
    ),
    ShopPage(
        "voucher",
        "vouchers/voucher_form.html",
        "/management/vouchers/{voucher}/",
        MANAGER,
    ),
    ShopPage("rate", "ratings/rate.html", "/orders/{eaten}/rate/", CUSTOMER),
    ShopPage("refund", "orders/refund.html", "/orders/{eaten}/refund/", MANAGER),
    ShopPage("staff-logins", "account/staff.html", "/account/staff/", MANAGER),
    ShopPage("error-403", "403.html", "/kitchen/", CUSTOMER, status=403),
    ShopPage("offline", "offline.html", "/offline/"),
    ShopPage("error-404", "404.html", "/calzone/", status=404),
]
SENT = [
    ("customer_phone", "+1 202 555 0143"),
    ("customer_address", "1 Castle Road, Toadstool"),
    ("order_key", "c3ff1bdc"),
]
# What a shop that runs well does not show: drawn from the template alone.
DRAWN: dict[str, tuple[str, dict[str, Any]]] = {
    "error-400": ("400.html", {}),
    "error-403-old-page": ("403_csrf.html", {}),
    "error-413": ("413.html", {}),
    "error-429": ("429.html", {"seconds": 12}),
    "error-500": ("500.html", {}),
    "error-503": ("503.html", {}),
    "sessions-away": ("sessions_backend/unavailable.html", {}),
    "not-staff": ("identity/not_staff.html", {}),
    "renewal-failed": ("identity/renewal_failed.html", {}),
    "login-failed": (
        "identity/login_failed.html",
        {"reason": "The login took too long. Please start again.", "retry_url": "/"},
    ),
    "send-again": (
        "identity/interrupted.html",
        {"path": "/checkout/", "fields": SENT, "shown": in_words(SENT)},
    ),
}
EVERY_PAGE = [
    *PAGES,
    *(
        ShopPage(name, template, f"/drawn/{name}/")
        for name, (template, _) in DRAWN.items()
    ),
]

# What stands in a frame of other people's (django-unfold, Swagger UI): a list and a
# page of each part of the shop. The frame's HTML and weight are theirs.
API_DOCS = ShopPage("api-docs", "", "/api/docs/")
FRAMED = [
    API_DOCS,
    ShopPage("admin", "", "/admin/", ADMIN),
    *(
        ShopPage(f"admin-{name}", "", f"/admin/{path}", ADMIN)
        for name, path in {
            "orders": "orders/order/",
            "order": "orders/order/{order}/change/",
            "customers": "customers/customerprofile/",
            "customer": "customers/customerprofile/{profile}/change/",
            "menu": "menu/pizza/",
            "pizza": "menu/pizza/{pizza}/change/",
            "kitchens": "kitchen/kitchen/",
            "kitchen": "kitchen/kitchen/{kitchen}/change/",
            "restaurant": "restaurant/restaurant/",
            "vouchers": "vouchers/voucher/",
            "voucher": "vouchers/voucher/{voucher}/change/",
            "ratings": "ratings/rating/",
            "notifications": "notifications/notification/",
            "notification": "notifications/notification/{told}/change/",
            "events": "events/outboxevent/",
            "event": "events/outboxevent/{event}/change/",
            "audit": "account/auditentry/",
            "audit-entry": "account/auditentry/{entry}/change/",
            "sessions": "sessions_backend/session/",
        }.items()
    ),
    ShopPage("admin-session", "", "{session}", ADMIN),
]
# What axe finds in a frame and its maker alone can mend, by page.
NOT_OURS = {
    # Swagger UI 5: white on its greens and blues, buttons in the heads of operations,
    # groups of operations as h3 below the title's h1, its title outside its landmark.
    API_DOCS.name: {"color-contrast", "nested-interactive", "heading-order", "region"},
}


def templates_of_pages() -> set[str]:
    """Name every template that is a whole page."""
    folders = [*ROOT.glob("mario/**/templates"), *ROOT.glob("pizzeria/**/templates")]
    return {
        str(file.relative_to(folder))
        for folder in folders
        if "devrealm" not in folder.parts
        for file in folder.rglob("*.html")
        if file.read_text().startswith('{% extends "base') and file.name != "base.html"
    }


_INTRODUCTION = """\
# Every page, as it looks

Drawn by the tests on a Friday evening (`make screenshots`): the large picture on a desk
in the light, the small one on a phone in the dark. The same tests
(`tests/browser/test_every_page.py`) let axe look at each page in all four combinations,
check its HTML with the Nu Html Checker and weigh it. Errors and interruptions that a
shop which runs well does not show are drawn from their templates.
"""
_PEOPLE = {
    VISITOR: "Visitors",
    CUSTOMER: "Customers",
    CHEF: "Chefs",
    DRIVER: "Drivers",
    MANAGER: "Managers",
    ADMIN: "The admin",
}


def pages_of_docs() -> str:
    """Write the page of the docs that shows all of them."""
    parts = [_INTRODUCTION]
    shown = [*EVERY_PAGE, *FRAMED]
    headings = {page.name: _heading_of(page) for page in shown}
    for heading in [*_PEOPLE.values(), "When something is wrong"]:
        parts.append(f"## {heading}\n")
        parts += [
            f"### {_words(page.name)}\n\n{_address_of(page)}"
            f'<img src="pages/{page.name}-desktop.webp" width="620" '
            f'alt="{_words(page.name)}, on a desk"> '
            f'<img src="pages/{page.name}-phone.webp" width="200" '
            f'alt="{_words(page.name)}, on a phone">\n'
            for page in shown
            if headings[page.name] == heading
        ]
    return "\n".join(parts)


def _heading_of(page: ShopPage) -> str:
    if page.name in DRAWN or page.name.startswith("error-"):
        return "When something is wrong"
    return _PEOPLE[page.person]


def _words(name: str) -> str:
    return name.replace("-", " ").capitalize()


def _address_of(page: ShopPage) -> str:
    return "" if page.name in DRAWN else f"`{page.path}`\n\n"
