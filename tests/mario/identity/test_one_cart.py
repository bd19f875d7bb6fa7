"""One cart, and three who add to it at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client

from pizzeria.menu.models import Pizza
from pizzeria.menu.seed import seed_menu
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_bearer import add
from tests.mario.identity.test_login import log_in

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = 5


@pytest.mark.parametrize("round_number", range(3))
def test_two_tabs_and_a_bearer_that_add_the_same_pizza_lose_nothing(
    client, issuer: Issuer, round_number
):
    seed_menu()
    pizza = Pizza.objects.get(name="Margherita")
    log_in(client, issuer)
    second_tab = Client()
    second_tab.cookies = client.cookies
    token = issuer.sign(issuer.claims())
    chosen = {"pizza": pizza.pk, "size": "medium"}
    start = Barrier(3)

    def several_times(adding):
        start.wait(timeout=20)
        try:
            return [adding().status_code for _ in range(TIMES)]
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as people:
        answers = list(
            people.map(
                several_times,
                [
                    lambda: client.post("/cart/add/", chosen),
                    lambda: second_tab.post("/cart/add/", chosen),
                    lambda: add(token, pizza),
                ],
            )
        )

    assert answers == [[303] * TIMES, [303] * TIMES, [201] * TIMES]
    (row,) = client.get("/cart/").context["cart"].rows
    assert row.quantity == 3 * TIMES
