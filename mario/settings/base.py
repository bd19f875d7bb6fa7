"""Applications, middleware, templates, database, time, static files."""

from contextlib import suppress
from typing import Any

import dj_database_url
from django.templatetags.static import static

from mario.env import BASE_DIR, load_or_exit

env = load_or_exit()

# What a checkout keeps beside its code; a deployed image may be read-only.
VAR_DIR = BASE_DIR / "var"
with suppress(OSError):
    (VAR_DIR / "static").mkdir(parents=True, exist_ok=True)

SECRET_KEY = env.secret_key.get_secret_value()
DEBUG = env.debug
ALLOWED_HOSTS = env.allowed_hosts
ROOT_URLCONF = "mario.urls"
WSGI_APPLICATION = "mario.wsgi.application"

INSTALLED_APPS = [
    # Basic: the default configuration would put its own site over ours.
    "unfold.apps.BasicAppConfig",
    "mario.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_prometheus",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "sessions_backend",
    "mario.apps.MarioConfig",
    "mario.identity",
    "mario.account",
    "pizzeria",
    "pizzeria.menu",
    "pizzeria.cart",
    "pizzeria.orders",
    "pizzeria.customers",
    "pizzeria.kitchen",
    "pizzeria.events",
    "pizzeria.management",
    "pizzeria.live",
    "pizzeria.delivery",
    "pizzeria.notifications",
    "pizzeria.restaurant",
    "pizzeria.vouchers",
    "pizzeria.ratings",
]

MIDDLEWARE = [
    "mario.request_id.RequestIdMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "mario.bodies.BoundedBodyMiddleware",
    "mario.middleware.PrivatePagesMiddleware",
    "sessions_backend.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "mario.middleware.PublicPagesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "mario.identity.middleware.LoginMiddleware",
    "mario.middleware.LoginInForceMiddleware",
    "mario.account.devices.seen_middleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "mario" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"request_id": "mario.request_id"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.csp",
                "pizzeria.cart.context_processors.cart",
                "pizzeria.notifications.context_processors.notifications",
            ],
        },
    }
]

_database = dj_database_url.parse(env.database_url)
if _database["ENGINE"].endswith("sqlite3"):
    _name = str(_database["NAME"])
    if _name != ":memory:":
        _database["NAME"] = str(BASE_DIR / _name)
    # Readers never wait for the writer (WAL); a writer asks for its lock at once
    # (IMMEDIATE), so that two never find out half-way, and waits at most 5 s.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # The pool keeps connections, so CONN_MAX_AGE stays 0; those that a restart of the
    # server has ended are noticed when they are taken.
    _database["CONN_HEALTH_CHECKS"] = True
    _database["OPTIONS"] = {
        **_database.get("OPTIONS", {}),
        # A pool that has tried for longer waits twice as long each time, minutes in the
        # end, and would not notice that the server is back.
        "pool": {
            "min_size": 1,
            "max_size": 8,
            "timeout": 2,
            "reconnect_timeout": 1,
        },
        "connect_timeout": 5,
        "options": "-c statement_timeout=15000 -c lock_timeout=5000",
    }
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
# Times are stored in UTC and shown where the restaurant stands.
TIME_ZONE = "Europe/Rome"

# The tax that prices contain; an order keeps the rate of its day.
VAT_PERCENT = env.vat_percent

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
# Files are served from where they lie: nothing has to be collected before a run.
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 60
# Files are for pages of this shop alone, as everything else.
WHITENOISE_ALLOW_ALL_ORIGINS = False
# Messages ride in a cookie: a visitor who is told something needs no session.
MESSAGE_STORAGE = "mario.messages.HostCookieStorage"

# Fields of a form and bytes of a body; the shop uploads nothing.
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

UNFOLD = {
    "SITE_TITLE": "Mario's Pizzeria",
    "SITE_HEADER": "Mario's Pizzeria",
    "SITE_URL": "/",
    "SHOW_VIEW_ON_SITE": False,
    "SCRIPTS": [lambda request: static("pizzeria/js/admin.js")],
    "COLORS": {
        "primary": {
            "50": "#ffebee",
            "100": "#ffcdd2",
            "200": "#ef9a9a",
            "300": "#eb8f8d",
            "400": "#f07f7d",
            "500": "#ef5350",
            "600": "#c62828",
            "700": "#b71c1c",
            "800": "#8e1616",
            "900": "#661010",
            "950": "#3d0909",
        },
    },
}
