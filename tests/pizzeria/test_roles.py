from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from pizzeria.roles import GROUP_PERMISSIONS


def permissions_of(name):
    found = Group.objects.get(name=name).permissions.select_related("content_type")
    return {f"{p.content_type.app_label}.{p.codename}" for p in found}


def test_migrate_makes_every_group_with_its_permissions(db):
    for name, permissions in GROUP_PERMISSIONS.items():
        assert permissions_of(name) == permissions


def test_a_second_migrate_changes_nothing_and_keeps_what_was_given(db):
    extra = Permission.objects.get(codename="view_pizza")
    Group.objects.get(name="chef").permissions.add(extra)
    Group.objects.get(name="manager").delete()

    call_command("migrate", verbosity=0)

    assert permissions_of("chef") == GROUP_PERMISSIONS["chef"] | {"menu.view_pizza"}
    assert permissions_of("manager") == GROUP_PERMISSIONS["manager"]
    assert Group.objects.count() == len(GROUP_PERMISSIONS)


def test_who_may_cook(everybody):
    cooks = [person.username for person in everybody if person.has_perm("orders.cook")]

    assert cooks == ["luigi", "daisy"]
