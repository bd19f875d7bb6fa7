"""Django's settings for the realm's own small site. The shop has others."""

import os
import secrets
from urllib.parse import urlsplit

from mario.devrealm.environment import read_environment

ENVIRONMENT = read_environment()

# Authlib refuses plain http; this site exists on loopback alone.
os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")

# Nothing is signed with it: the site has no Django sessions and no CSRF cookie.
SECRET_KEY = secrets.token_urlsafe(32)
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", urlsplit(ENVIRONMENT.public_url).hostname]
ROOT_URLCONF = "mario.devrealm.urls"
WSGI_APPLICATION = "mario.devrealm.wsgi.application"
INSTALLED_APPS: list[str] = []
MIDDLEWARE = [
    "mario.devrealm.headers.SecurityHeaders",
    "mario.devrealm.faults.FaultsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [os.path.join(os.path.dirname(__file__), "templates")],  # noqa: PTH118, PTH120
    }
]
DATABASES: dict[str, dict[str, str]] = {}
USE_TZ = True
USE_I18N = False
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 65_536
DATA_UPLOAD_MAX_NUMBER_FIELDS = 50
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s realm: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        "mario.devrealm": {"handlers": ["console"], "level": "INFO"},
        "django": {"handlers": ["console"], "level": "ERROR", "propagate": False},
    },
}
