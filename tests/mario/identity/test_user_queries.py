"""What a page asks the database about who somebody is: once, at most."""

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mario.identity.oidc import KeycloakBackend
from tests.mario.identity.issuer import Issuer
from tests.mario.identity.test_login import log_in

pytestmark = pytest.mark.django_db

PAGES = [
    *("/", "/menu/", "/cart/", "/orders/", "/profile/", "/notifications/"),
    *("/account/", "/account/sessions/", "/kitchen/", "/delivery/", "/management/"),
]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", ["customer", "manager"])
def test_a_page_asks_once_at_most(client, issuer: Issuer, path, role):
    log_in(client, issuer, realm_access={"roles": [role]})
    client.get(path)

    with CaptureQueriesContext(connection) as queries:
        response = client.get(path)

    assert response.status_code in (200, 403)
    asked = [query["sql"] for query in queries if _is_of_users(query["sql"])]
    assert len(asked) <= 1, asked


def test_what_somebody_may_do_is_what_django_says():
    luigi, toad = (User.objects.create_user(name) for name in ("luigi", "toad"))
    some, others = Permission.objects.all()[:7], Permission.objects.all()[5:12]
    luigi.user_permissions.add(*some)
    kitchen = Group.objects.create(name="kitchen")
    kitchen.permissions.add(*others)
    luigi.groups.add(kitchen, Group.objects.create(name="empty"))

    backend, django = KeycloakBackend(), ModelBackend()
    for person in (luigi, toad):
        known = backend.get_user(person.pk)
        assert known == person
        assert known.get_all_permissions() == django.get_all_permissions(person)
        assert (known.is_staff, known.is_active) == (False, True)
        assert known.date_joined == person.date_joined
    assert len(luigi.get_all_permissions()) == 12


def test_a_superuser_may_do_everything_and_who_is_switched_off_nothing():
    mario = User.objects.create_superuser("mario")
    bowser = User.objects.create_user("bowser", is_active=False)

    known = KeycloakBackend().get_user(mario.pk)

    assert known is not None
    assert known.get_all_permissions() == mario.get_all_permissions() != set()
    assert KeycloakBackend().get_user(bowser.pk) is None
    assert KeycloakBackend().get_user(4711) is None


def _is_of_users(sql: str) -> bool:
    """
    Orders name their drivers, too: that is a question about orders.

    So is a list of those whom a manager may give an order to.
    """
    is_list_of_staff = 'ORDER BY "auth_user"."first_name"' in sql
    is_of_users = sql.startswith('SELECT "auth_') or "auth_permission" in sql
    return is_of_users and not is_list_of_staff
