"""
A project of somebody else's, with the names its README gives and no others.

Run as a program: `python stranger.py REDIS_URL`. Prints what a person would see.
"""

import json
import sys
from types import ModuleType

import django
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import path


def count(request: HttpRequest) -> JsonResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"]})


def look(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"visits": request.session.get("visits")})


def main(redis_url: str) -> None:
    urls = ModuleType("stranger_urls")
    urls.urlpatterns = [path("count/", count), path("look/", look)]  # type: ignore[attr-defined]  # a module made here
    sys.modules["stranger_urls"] = urls
    settings.configure(
        SECRET_KEY="strange" * 8,
        ALLOWED_HOSTS=["testserver"],
        ROOT_URLCONF="stranger_urls",
        INSTALLED_APPS=["sessions_backend"],
        MIDDLEWARE=["sessions_backend.middleware.SessionMiddleware"],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
            }
        ],
        CACHES={
            "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
            "redis-of-the-stranger": {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": redis_url,
            },
        },
        SESSION_ENGINE="sessions_backend.engine",
        SESSION_CACHE_ALIAS="redis-of-the-stranger",
    )
    django.setup()

    from django.core.management import call_command  # noqa: PLC0415  # after setup
    from django.test import Client  # noqa: PLC0415  # after setup

    call_command("check")
    client = Client()
    visits = [client.get("/count/").json()["visits"] for _ in range(3)]
    page = client.get("/look/", headers={"accept": "text/html"})
    json.dump(
        {
            "visits": visits,
            "seen": page.json(),
            "cookie": client.cookies["sessionid"].value,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1])
