import json

import pytest
from rest_framework.test import APIClient

from pizzeria.menu.models import Pizza


@pytest.fixture
def api(api_of, peach):
    return api_of(peach)


def add(api, chosen, **fields):
    item = {"pizza": chosen.pk, "size": "medium", "quantity": 1, **fields}
    return api.post("/api/cart/items/", item, format="json")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/api/cart/"),
        ("delete", "/api/cart/"),
        ("post", "/api/cart/items/"),
        ("patch", "/api/cart/items/x/"),
        ("delete", "/api/cart/items/x/"),
    ],
)
def test_asks_for_a_login(client, db, method, path):
    response = getattr(client, method)(path)

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response.json() == {
        "code": "not_authenticated",
        "message": "Authentication credentials were not provided.",
        "extra": {},
    }


def test_an_empty_cart(api):
    response = api.get("/api/cart/")

    assert response.status_code == 200
    assert response.json() == {
        "items": [],
        "count": 0,
        "subtotal_amount": "0.00",
        "voucher_code": "",
        "voucher_problem": "",
        "discount_amount": "0.00",
        "total_amount": "0.00",
        "vat_amount": "0.00",
    }


def test_adds_and_sums_equal_pizzas(api, margherita):
    add(api, margherita, extra_toppings=["Ham"])
    response = add(api, margherita, quantity=2, extra_toppings=["Ham"])

    assert response.status_code == 201
    (item,) = response.json()["items"]
    key = item.pop("key")
    assert item == {
        "pizza": margherita.pk,
        "name": "Margherita",
        "size": "medium",
        "extra_toppings": ["Ham"],
        "quantity": 3,
        "unit_price": "19.39",
        "total": "58.17",
        "is_available": True,
    }
    assert response.json()["total_amount"] == "58.17"
    assert api.get("/api/cart/").json()["items"][0]["key"] == key


def test_the_page_shows_what_the_api_added(api, margherita):
    add(api, margherita, quantity=2)

    assert "33.78" in api.get("/cart/").content.decode()


def test_changes_and_removes_items(api, margherita, hawaiian):
    add(api, hawaiian)
    key = add(api, margherita).json()["items"][0]["key"]
    path = f"/api/cart/items/{key}/"

    changed = api.patch(path, {"quantity": 4}, format="json")
    assert changed.status_code == 200
    assert changed.json()["count"] == 5

    assert api.delete(path).status_code == 204
    assert api.get("/api/cart/").json()["count"] == 1
    assert api.delete(path).status_code == 404
    assert api.delete("/api/cart/").status_code == 204
    assert api.get("/api/cart/").json()["items"] == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"pizza": 999}, {"pizza"}),
        ({"pizza": 0}, {"pizza"}),
        ({"pizza": -1}, {"pizza"}),
        ({"pizza": 10**30}, {"pizza"}),
        ({"pizza": "1"}, {"pizza"}),
        ({"pizza": True}, {"pizza"}),
        ({"pizza": 1.0}, {"pizza"}),
        ({"pizza": None}, {"pizza"}),
        ({"pizza": [1]}, {"pizza"}),
        ({"size": "huge"}, {"size"}),
        ({"size": "MEDIUM"}, {"size"}),
        ({"size": ""}, {"size"}),
        ({"size": {"a": 1}}, {"size"}),
        ({"quantity": 0}, {"quantity"}),
        ({"quantity": -1}, {"quantity"}),
        ({"quantity": 1000}, {"quantity"}),
        ({"quantity": 10**30}, {"quantity"}),
        ({"quantity": "2"}, {"quantity"}),
        ({"quantity": True}, {"quantity"}),
        ({"quantity": 1.0}, {"quantity"}),
        ({"quantity": None}, {"quantity"}),
        ({"extra_toppings": ["Gold"]}, {"extra_toppings"}),
        ({"extra_toppings": "Ham"}, {"extra_toppings"}),
        ({"extra_toppings": [["Ham"]]}, {"extra_toppings"}),
        ({"extra_toppings": ["Ham"] * 1000}, {"extra_toppings"}),
        ({"size": "huge", "quantity": 0}, {"size", "quantity"}),
    ],
)
def test_bad_input_names_the_field_and_loses_nothing(api, margherita, fields, wrong):
    add(api, margherita)

    response = add(api, margherita, **fields)

    assert response.status_code == 400
    assert response.json()["code"] == "invalid_input"
    assert response.json()["extra"].keys() == wrong
    assert all(field in response.json()["message"] for field in wrong)
    assert api.get("/api/cart/").json()["count"] == 1


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[]", b'"text"', b"\xff", b"null", b"NaN"]
)
def test_a_body_that_is_no_object_is_refused(api, menu, body):
    response = api.post("/api/cart/items/", data=body, content_type="application/json")

    assert response.status_code == 400
    assert response.json().keys() == {"code", "message", "extra"}


@pytest.mark.parametrize("field", ["pizza", "size", "quantity", "extra_toppings"])
def test_half_a_character_is_refused_and_not_repeated(api, margherita, field):
    half = "\ud800"
    item = {"pizza": margherita.pk, "size": "small", "quantity": 1, field: half}
    if field == "extra_toppings":
        item[field] = [half]

    response = api.post(
        "/api/cart/items/",
        data=json.dumps(item).encode(),
        content_type="application/json",
    )

    assert response.status_code == 400
    assert response.json()["extra"].keys() == {field}


def test_other_media_types_are_refused(api, menu):
    response = api.post("/api/cart/items/", data="a=1", content_type="text/plain")

    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_media_type"


def test_other_methods_are_refused(api):
    response = api.put("/api/cart/", {}, format="json")

    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("quantity", [0, 100, "3", True, None, 2.0])
def test_a_bad_quantity_changes_nothing(api, margherita, quantity):
    key = add(api, margherita).json()["items"][0]["key"]

    response = api.patch(
        f"/api/cart/items/{key}/", {"quantity": quantity}, format="json"
    )

    assert response.status_code == 400
    assert response.json()["extra"].keys() == {"quantity"}
    assert api.get("/api/cart/").json()["count"] == 1


def test_an_unknown_item_is_not_found(api, margherita):
    response = api.patch("/api/cart/items/gone/", {"quantity": 1}, format="json")

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


def test_names_what_is_sold_out(api, margherita, hawaiian):
    add(api, margherita)
    Pizza.objects.filter(pk=hawaiian.pk).update(is_available=False)

    response = add(api, hawaiian)

    assert response.status_code == 400
    assert response.json()["code"] == "sold_out"
    assert response.json()["extra"] == {"pizzas": ["Hawaiian"]}
    assert api.get("/api/cart/").json()["count"] == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"quantity": 99}, "too_many"),
        ({"extra_toppings": ["Ham"]}, "cart_refused"),
    ],
)
def test_refusals_carry_their_code(api, hawaiian, fields, code):
    add(api, hawaiian)

    response = add(api, hawaiian, **fields)

    assert response.status_code == 400
    assert response.json()["code"] == code


def test_shows_what_is_left_when_a_pizza_left_the_menu(api, menu):
    add(api, menu["Margherita"])
    add(api, menu["Hawaiian"])
    menu["Hawaiian"].delete()

    cart = api.get("/api/cart/").json()

    assert [item["name"] for item in cart["items"]] == ["Margherita"]
    assert cart["count"] == 1


def test_the_cookie_needs_the_csrf_token(peach, margherita):
    strict = APIClient(enforce_csrf_checks=True)
    strict.force_login(peach)

    response = add(strict, margherita)

    assert response.status_code == 403
    assert response.json()["code"] == "permission_denied"
    assert "CSRF" in response.json()["message"]
