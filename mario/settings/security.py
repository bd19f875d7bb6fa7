"""Headers and cookies that protect people."""

from urllib.parse import urlsplit

from django.utils.csp import CSP

from mario.settings.base import env

_keycloak = urlsplit(env.public_url)
KEYCLOAK_ORIGIN = f"{_keycloak.scheme}://{_keycloak.netloc}"

SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "connect-src": [CSP.SELF, *([env.live_url] if env.live_url else [])],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    # A logout form ends at Keycloak; browsers check where a form's answer leads.
    "form-action": [CSP.SELF, KEYCLOAK_ORIGIN],
}
CSRF_COOKIE_SECURE = env.is_secure
CSRF_COOKIE_NAME = "__Host-csrftoken" if env.is_secure else "csrftoken"
CSRF_TRUSTED_ORIGINS = [env.app_url]
SECURE_HSTS_SECONDS = 31_536_000 if env.is_secure else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.is_secure
SECURE_HSTS_PRELOAD = env.is_secure
SECURE_SSL_REDIRECT = env.is_secure
SECURE_REDIRECT_EXEMPT = [r"^health$", r"^ready$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.is_secure else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

TRUSTED_PROXIES = env.trusted_proxies
# Requests in so many seconds, for each address and each person who is logged in.
RATE_LIMITS: dict[str, tuple[int, int]] = {
    "login": (env.logins_per_minute, 60),
    "callback": (env.logins_per_minute, 60),
    # Keycloak sends one for each session that it ends.
    "back_channel_logout": (1200, 60),
    "front_channel_logout": (env.logins_per_minute, 60),
    "account": (60, 60),
    # Codes of vouchers can be guessed.
    "voucher": (20, 60),
}
# What counts for the shop, which does not know how clients are told apart.
RATE_LIMITER = "mario.identity.limits"
