from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage


class HostCookieStorage(CookieStorage):
    """Messages in a cookie that, with TLS, no neighbouring host can set."""

    cookie_name = "__Host-messages" if settings.SESSION_COOKIE_SECURE else "messages"
