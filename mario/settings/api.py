"""The API under /api/: Django REST framework and its documentation."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "mario.identity.bearer.BearerTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["pizzeria.parsers.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 20,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "pizzeria.api_errors.exception_handler",
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Mario's Pizzeria",
    "DESCRIPTION": (
        "Menu, cart and orders. A bearer token reaches the same session as the "
        "browser that the token's login belongs to."
    ),
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": ["mario.identity.bearer.BearerTokenAuthentication"],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "mario.api_schema.document_refusals",
    ],
    # One name for each list of words, whatever the field is called.
    "ENUM_NAME_OVERRIDES": {
        "OrderStatus": "pizzeria.orders.transitions.Status",
        "KitchenStep": "pizzeria.kitchen.forms.KITCHEN_STEPS",
        "Allergen": "pizzeria.menu.toppings.Allergen",
        "Topping": "pizzeria.menu.toppings.TOPPINGS",
    },
}
