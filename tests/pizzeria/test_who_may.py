"""Every address of the shop answers every role as the docs' page says."""

import time
from http import HTTPStatus

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import converters

from docs import access as page
from pizzeria.access import needs_of
from pizzeria.roles import GROUP_PERMISSIONS

pytestmark = pytest.mark.django_db

ROLES = [None, "nobody's role", *GROUP_PERMISSIONS, "admin"]
# What stands for each part of an address: something that is not there.
SAMPLES = {
    converters.IntConverter: "999999999",
    converters.SlugConverter: "no-such-thing",
    converters.StringConverter: "no-such-thing",
    converters.UUIDConverter: "00000000-0000-4000-8000-000000000000",
}


def address(route, pattern):
    for name, converter in pattern.pattern.converters.items():
        before, _, rest = route.partition("<")
        inside, _, after = rest.partition(">")
        assert name in inside
        route = before + SAMPLES[type(converter)] + after
    return route


def client_of(role):
    client = Client()
    if role is None:
        return client, None
    person = (
        User.objects.create_superuser("mario")
        if role == "admin"
        else User.objects.create_user("somebody")
    )
    if role in GROUP_PERMISSIONS:
        person.groups.add(Group.objects.get(name=role))
    client.force_login(person)
    session = client.session
    # Some of it asks for a recent login besides.
    session["user_info"] = {"auth_time": int(time.time())}
    session.save()
    return client, person


def may(person, needs):
    if needs is None:
        return True
    return person is not None and (not needs or person.has_perm(needs))


def is_refusal(answer, person):
    if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return True
    target = answer.headers.get("Location", answer.headers.get("HX-Redirect", ""))
    return person is None and target.startswith("/auth/login")


def methods(view):
    """Pages take two; of the API it is known which."""
    wanted = ("get", "post", "put", "patch", "delete")
    api_view = getattr(view, "cls", None)
    return [x for x in wanted if hasattr(api_view, x)] if api_view else wanted[:2]


CALLS = [
    (method, address(route, pattern), needs_of(pattern.callback))
    for route, pattern in page.shop_routes()
    for method in methods(pattern.callback)
]


def test_there_is_something_to_walk():
    assert len(CALLS) > 40


@pytest.mark.parametrize("role", ROLES)
def test_every_address_lets_in_whom_it_says(role):
    wrong = []
    for method, path, needs in CALLS:
        # Anew each time: some of them log out, or erase who asks.
        client, person = client_of(role)
        answer = getattr(client, method)(path)
        is_there = answer.status_code != HTTPStatus.METHOD_NOT_ALLOWED
        if is_there and is_refusal(answer, person) == may(person, needs):
            wrong.append(f"{method.upper()} {path}: {answer.status_code}")
        if person is not None:
            User.objects.filter(pk=person.pk).delete()

    assert wrong == []


def test_the_page_is_the_one_that_the_table_makes():
    assert page.PAGE.read_text() == page.page(), (
        "docs/who-may-do-what.md is not up to date: run `make docs`"
    )
