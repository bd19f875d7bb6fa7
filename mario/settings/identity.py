"""Login by Keycloak: mozilla-django-oidc's settings, and ours."""

from typing import Any

from mario.settings.base import env

_public = f"{env.public_url}/realms/{env.keycloak_realm}/protocol/openid-connect"
_internal = (
    f"{env.keycloak_server_url}/realms/{env.keycloak_realm}/protocol/openid-connect"
)

AUTHENTICATION_BACKENDS = ["mario.identity.oidc.KeycloakBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

OIDC_OP_ISSUER = env.issuer
OIDC_OP_PUSHED_ENDPOINT = f"{_internal}/ext/par/request"
OIDC_PUSHES_REQUESTS = env.keycloak_pushed_requests
OIDC_OP_AUTHORIZATION_ENDPOINT = f"{_public}/auth"
OIDC_OP_REGISTRATION_ENDPOINT = f"{_public}/registrations"
OIDC_OP_LOGOUT_ENDPOINT = f"{_public}/logout"
OIDC_OP_REVOCATION_ENDPOINT = f"{_internal}/revoke"
OIDC_OP_TOKEN_ENDPOINT = f"{_internal}/token"
OIDC_OP_USER_ENDPOINT = f"{_internal}/userinfo"
OIDC_OP_JWKS_ENDPOINT = f"{_internal}/certs"
OIDC_OP_DISCOVERY_ENDPOINT = (
    f"{env.keycloak_server_url}/realms/{env.keycloak_realm}"
    "/.well-known/openid-configuration"
)
OIDC_RP_CLIENT_ID = env.keycloak_client_id
OIDC_RP_CLIENT_SECRET = env.keycloak_client_secret.get_secret_value()
OIDC_LOGOUT_WIDENS_TO_SUBJECT = env.keycloak_logout_widens_to_subject
OIDC_FRONTCHANNEL_LOGOUT = env.keycloak_frontchannel_logout
OIDC_RP_SCOPES = "openid profile email"
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_USE_PKCE = True
OIDC_USE_NONCE = True
# Seconds, for a whole answer.
OIDC_TIMEOUT = 4

# Seconds. Tokens are renewed so long before the access token ends (or a fifth of its
# life before, if that is less). While Keycloak cannot be asked, a login goes on for the
# grace afterwards: a request waits for new tokens only so long then, and longer later.
OIDC_REFRESH_EARLY = 60
OIDC_REFRESH_GRACE = 300
OIDC_REFRESH_PATIENCE = 1.5
OIDC_REFRESH_LONGEST_PATIENCE = 6

OIDC_AUTHENTICATION_CALLBACK_URL = "callback"
OIDC_AUTHENTICATE_CLASS = "mario.identity.views.LoginView"
OIDC_CALLBACK_CLASS = "mario.identity.views.CallbackView"

# Whose access tokens may call the API: the shop's own, and those named beside it.
OIDC_BEARER_CLIENTS = frozenset({env.keycloak_client_id, *env.keycloak_api_clients})
# What a token must be for, by the part of the API that it calls: the word after
# /api/. A part without a line takes no tokens. Where anybody may read, a token need
# not be for anything.
OIDC_API_SCOPES = {
    "account": "account",
    "cart": "cart",
    "delivery": "delivery",
    "docs": "",
    "events": "management",
    "kitchen": "kitchen",
    "management": "management",
    "menu": "",
    "notifications": "orders",
    "orders": "orders",
    "profile": "account",
    "restaurant": "",
    "schema": "",
}
# The media types in an access token's header, in lower case. Keycloak writes JWT, or
# what RFC 9068 asks for where its client says so; then "jwt" can go.
OIDC_ACCESS_TOKEN_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})

# What each role of a token gives: a realm role by its name, a role of a client as
# `client:role`. `groups`, `permissions` ("orders.view_order"), `is_staff` and
# `is_superuser` that stand here are also taken away with their role.
OIDC_ROLES: dict[str, dict[str, Any]] = {
    "customer": {"groups": ["customer"]},
    "chef": {"groups": ["chef"]},
    "delivery_driver": {"groups": ["delivery_driver"]},
    "manager": {
        "groups": ["manager"],
        "permissions": ["account.end_staff_sessions"],
    },
    "admin": {"is_staff": True, "is_superuser": True},
}
# Where people change what Keycloak knows of them; the development realm has no such
# page.
OIDC_ACCOUNT_URL = "" if env.dev_realm else f"{env.issuer}/account/"
# Whose sessions a manager sees and ends.
STAFF_GROUPS = ["chef", "delivery_driver", "manager"]
# How long ago a password may have been typed by whoever does what matters.
RECENT_LOGIN_SECONDS = 300
# And at which level of the realm's; any when empty.
RECENT_LOGIN_ACR = env.keycloak_step_up_acr

# How the shop asks for a recent login before it hands out or erases personal data.
RECENT_LOGIN = "mario.identity.recent_login"
