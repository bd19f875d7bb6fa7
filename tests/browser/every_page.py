"""Every page of the shop, who sees it, and the template that it is made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pages"
PAGES_OF_DOCS = ROOT / "docs" / "pages.md"
VISITOR, CUSTOMER, CHEF, DRIVER, MANAGER = None, "peach", "luigi", "yoshi", "daisy"


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
    ShopPage("kitchen-of-manager", "kitchen/kitchen_board.html", "/kitchen/", MANAGER),
    ShopPage("delivery", "delivery/delivery_board.html", "/delivery/", DRIVER),
    ShopPage(
        "delivery-of-manager", "delivery/delivery_board.html", "/delivery/", MANAGER
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
    ShopPage("staff-logins", "account/staff.html", "/account/staff/", MANAGER),
    ShopPage("error-403", "403.html", "/kitchen/", CUSTOMER, status=403),
    ShopPage("error-404", "404.html", "/calzone/", status=404),
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
        {"path": "/checkout/", "fields": [("customer_phone", "+1 202 555 0143")]},
    ),
}
EVERY_PAGE = [
    *PAGES,
    *(
        ShopPage(name, template, f"/drawn/{name}/")
        for name, (template, _) in DRAWN.items()
    ),
]


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
}


def pages_of_docs() -> str:
    """Write the page of the docs that shows all of them."""
    parts = [_INTRODUCTION]
    headings = {page.name: _heading_of(page) for page in EVERY_PAGE}
    for heading in [*_PEOPLE.values(), "When something is wrong"]:
        parts.append(f"## {heading}\n")
        parts += [
            f"### {_words(page.name)}\n\n{_address_of(page)}"
            f'<img src="pages/{page.name}-desktop.webp" width="620" '
            f'alt="{_words(page.name)}, on a desk"> '
            f'<img src="pages/{page.name}-phone.webp" width="200" '
            f'alt="{_words(page.name)}, on a phone">\n'
            for page in EVERY_PAGE
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
