import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.http import Http404
from rest_framework import exceptions

from pizzeria import exceptions as refusals
from pizzeria.api_errors import exception_handler


def answer(error):
    return exception_handler(error, {})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (refusals.EmptyOrder(), 400, "empty_order"),
        (refusals.PizzaSoldOut("Hawaiian"), 400, "sold_out"),
        (refusals.CartFull(), 400, "cart_full"),
        (refusals.CartChanged(), 409, "cart_changed"),
        (refusals.KeyReused(7), 422, "idempotency_key_reused"),
        (refusals.StatusConflict("Too late.", status="ready"), 409, "status_conflict"),
        (refusals.KitchenFull(capacity=5), 409, "kitchen_full"),
        (exceptions.NotFound(), 404, "not_found"),
        (Http404("No Order matches the given query."), 404, "not_found"),
        (PermissionDenied("the secret inside"), 403, "permission_denied"),
        (exceptions.ParseError(), 400, "parse_error"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.ValidationError("Bad."), 400, "invalid_input"),
        (exceptions.ValidationError({"size": ["Bad."]}), 400, "invalid_input"),
        (exceptions.Throttled(wait=7), 429, "throttled"),
    ],
)
def test_every_error_has_the_one_shape(error, status, code):
    response = answer(error)

    assert response.status_code == status
    assert response.data.keys() == {"code", "message", "extra"}
    assert response.data["code"] == code
    assert isinstance(response.data["message"], str)
    assert isinstance(response.data["extra"], dict)
    assert "matches the given query" not in response.data["message"]
    assert "secret" not in response.data["message"]


def test_fields_are_named_with_what_is_wrong():
    response = answer(exceptions.ValidationError({"size": ["Bad."], "pizza": ["No."]}))

    assert response.data["message"] == "Please check: size, pizza."
    assert response.data["extra"] == {"size": ["Bad."], "pizza": ["No."]}


def test_a_throttled_caller_is_told_when_to_come_back():
    response = answer(exceptions.Throttled(wait=7))

    assert response["Retry-After"] == "7"
    assert response.data["extra"] == {"retry_after_seconds": 7}


def test_a_login_is_asked_for_with_its_challenge():
    error = exceptions.NotAuthenticated()
    # As REST framework's views set it.
    vars(error)["auth_header"] = 'Bearer realm="pizzeria"'

    response = answer(error)

    assert response["WWW-Authenticate"] == 'Bearer realm="pizzeria"'
    assert response.data["code"] == "not_authenticated"


def test_what_nobody_expected_goes_on():
    assert answer(ZeroDivisionError("the secret inside")) is None


@pytest.mark.parametrize(
    "refusal",
    [
        refusal
        for refusal in vars(refusals).values()
        if isinstance(refusal, type) and issubclass(refusal, refusals.PizzeriaError)
    ],
)
def test_the_tree_of_refusals_is_drawn_in_full(refusal):
    assert refusal.__name__ in refusals.__doc__


def test_the_schema_is_made_without_a_warning(tmp_path):
    path = tmp_path / "schema.yml"

    call_command("spectacular", "--validate", "--fail-on-warn", f"--file={path}")

    schema = path.read_text()
    for route in ("menu/", "cart/", "cart/items/", "orders/", "kitchen/orders/"):
        assert f"/api/{route}:" in schema


@pytest.mark.django_db
def test_deep_nesting_is_a_mistake_of_the_caller(api_of, peach):
    response = api_of(peach).post(
        "/api/orders/", data="[" * 50_000, content_type="application/json"
    )

    assert response.status_code == 400
    assert response.json()["code"] == "parse_error"
