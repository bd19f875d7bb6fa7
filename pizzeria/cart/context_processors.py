from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from pizzeria.cart.cart import Cart


def cart(request: HttpRequest) -> dict[str, Any]:
    """Give every template the visitor's cart, read when a template looks at it."""
    return {"cart": SimpleLazyObject(lambda: Cart(request.session))}
