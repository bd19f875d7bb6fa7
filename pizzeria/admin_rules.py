"""What the admin's pages of the shop have in common: no way around its rules."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest


class ReadOnly:
    """To be looked at; what may be done with it is an action that asks a service."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def person_at(request: HttpRequest) -> User:
    person = request.user
    assert isinstance(person, User)  # noqa: S101  # the admin asks for a login
    return person
