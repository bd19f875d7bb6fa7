"""GET parameters of the API, read by the same forms as those of the pages."""

from django import forms
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request


def read_query[F: forms.Form](form_class: type[F], request: Request) -> F:
    """:raises ValidationError: naming each parameter that cannot be understood"""
    form = form_class(request.query_params)
    if not form.is_valid():
        raise ValidationError(
            {name: [str(x) for x in told] for name, told in form.errors.items()}
        )
    return form
