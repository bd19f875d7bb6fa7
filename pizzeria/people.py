"""Who calls the API."""

from django.contrib.auth.models import User
from rest_framework.request import Request


def person_of(request: Request) -> User:
    """Return the caller, of whom the view has asked a login."""
    person = request.user
    assert isinstance(person, User)  # noqa: S101  # every caller asks for a login
    return person
