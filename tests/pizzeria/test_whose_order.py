"""A cook takes an order, a manager assigns it, and nobody is kept from starting it."""

import pytest
from django.contrib.auth.models import User

from pizzeria.kitchen.models import Assignment
from pizzeria.orders.services import move_order
from pizzeria.orders.transitions import Status
from tests.pizzeria.conftest import FRIDAY_EVENING


@pytest.fixture
def marta(luigi):
    """Cooks, too."""
    marta = User.objects.create_user("marta", first_name="Marta")
    marta.groups.set(luigi.groups.all())
    return marta


@pytest.fixture
def order(order_of, peach):
    return order_of(peach)


def cook_of(order):
    return User.objects.filter(assignments__order=order).first()


class TestPage:
    def test_a_cook_takes_one_and_gives_it_back(self, browser_of, luigi, order):
        board = browser_of(luigi)
        path = f"/kitchen/{order.pk}/cook/"
        assert "I take it" in board.get("/kitchen/").content.decode()

        taken = board.post(f"{path}?mine=on", {"cook": "me"})

        assert taken.status_code == 303
        assert taken.url == "/kitchen/?mine=on"
        assert cook_of(order) == luigi
        page = board.get("/kitchen/?mine=on").content.decode()
        assert "Give back" in page
        board.post(path, {"cook": ""})
        assert cook_of(order) is None

    def test_shows_ones_own_alone(
        self, browser_of, luigi, marta, order, order_of, peach
    ):
        other = order_of(peach)
        browser_of(marta).post(f"/kitchen/{other.pk}/cook/", {"cook": "me"})
        board = browser_of(luigi)
        board.post(f"/kitchen/{order.pk}/cook/", {"cook": "me"})

        def shown(path):
            columns = board.get(path).context["columns"]
            return [x.pk for column in columns for x in column["orders"]]

        assert shown("/kitchen/?mine=on") == [order.pk]
        assert shown("/kitchen/") == [order.pk, other.pk]
        assert "For <b>Marta</b>" in board.get("/kitchen/").content.decode()

    def test_a_manager_assigns_and_another_may_start_it(
        self, browser_of, daisy, luigi, marta, order
    ):
        manager = browser_of(daisy)
        assert (
            f'<option value="{luigi.pk}"' in manager.get("/kitchen/").content.decode()
        )

        for cook in (luigi, marta):
            manager.post(f"/kitchen/{order.pk}/cook/", {"cook": cook.pk})
            assert cook_of(order) == cook
        moved = move_order(
            order_id=order.pk, to=Status.COOKING, actor=luigi, now=FRIDAY_EVENING
        )

        assert moved.cooked_by == luigi
        assert cook_of(order) == marta

    def test_what_is_anothers_is_told(self, browser_of, luigi, marta, order):
        path = f"/kitchen/{order.pk}/cook/"
        browser_of(marta).post(path, {"cook": "me"})

        for cook in ("me", ""):
            refused = browser_of(luigi).post(path, {"cook": cook})
            assert refused.status_code == 409
            assert "is Marta’s already" in refused.content.decode()
        assert cook_of(order) == marta

    def test_what_is_done_needs_no_cook(self, browser_of, luigi, order):
        for to in (Status.COOKING, Status.READY):
            move_order(order_id=order.pk, to=to, actor=luigi, now=FRIDAY_EVENING)

        refused = browser_of(luigi).post(f"/kitchen/{order.pk}/cook/", {"cook": "me"})

        assert refused.status_code == 409
        assert not Assignment.objects.exists()

    @pytest.mark.parametrize(
        ("cook", "status"), [("x", 400), ("-1", 400), ("9" * 40, 400), ("999999", 404)]
    )
    def test_nonsense_is_refused(self, browser_of, daisy, order, cook, status):
        path = f"/kitchen/{order.pk}/cook/"

        assert browser_of(daisy).post(path, {"cook": cook}).status_code == status
        assert not Assignment.objects.exists()

    def test_only_a_manager_says_for_others_and_only_cooks_get_one(
        self, browser_of, daisy, luigi, marta, yoshi, order
    ):
        path = f"/kitchen/{order.pk}/cook/"

        assert browser_of(luigi).post(path, {"cook": marta.pk}).status_code == 403
        assert browser_of(daisy).post(path, {"cook": yoshi.pk}).status_code == 403
        assert browser_of(yoshi).post(path, {"cook": "me"}).status_code == 403
        assert not Assignment.objects.exists()


class TestApi:
    def test_takes_gives_back_and_lists(self, api_of, luigi, order, order_of, peach):
        order_of(peach)
        api = api_of(luigi)
        path = f"/api/kitchen/orders/{order.pk}/cook/"

        assert api.post(path).json()["assigned_to"] == "Luigi"
        mine = api.get("/api/kitchen/orders/?mine=true").json()["results"]
        every = api.get("/api/kitchen/orders/").json()["results"]
        back = api.post(path, {"cook": None}, format="json")

        assert [x["id"] for x in mine] == [order.pk]
        assert [x["assigned_to"] for x in every] == ["Luigi", None]
        assert back.json()["assigned_to"] is None

    def test_refuses_as_the_page_does(self, api_of, luigi, marta, daisy, order):
        path = f"/api/kitchen/orders/{order.pk}/cook/"
        other = {"cook": marta.pk}

        assert api_of(luigi).post(path, other, format="json").status_code == 403
        assert api_of(daisy).post(path, other, format="json").status_code == 200
        assert api_of(luigi).post(path).status_code == 409
        none = "/api/kitchen/orders/999999/cook/"
        assert api_of(luigi).post(none).status_code == 404
        for wrong in ("x", 0, 1.5, True):
            told = api_of(luigi).post(path, {"cook": wrong}, format="json")
            assert told.status_code == 400
