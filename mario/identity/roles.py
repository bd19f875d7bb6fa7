"""
From the roles of a token to what a user may do here, by the one table OIDC_ROLES.

A realm role stands there by its name, a role of a client as `client:role`. What the
table can give, it also takes away: a group or permission that no role of the token
gives is lost at the next login, refresh or bearer request. Others are left alone.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q

# A token of 8 kB could name a thousand; the realm has seven.
_MOST_ROLES = 200


type Role = dict[str, Any]


def realm_roles(claims: dict[str, Any]) -> list[str]:
    """Read `realm_access.roles`, in which Keycloak lists a user's realm roles."""
    return _listed(claims.get("realm_access"))


def roles_of(claims: dict[str, Any]) -> set[str]:
    """Return realm roles by name, and roles of clients as `client:role`."""
    clients = claims.get("resource_access")
    return set(realm_roles(claims)) | {
        f"{client}:{role}"
        for client, access in (clients if isinstance(clients, dict) else {}).items()
        for role in _listed(access)
    }


def apply(user: User, claims: dict[str, Any]) -> list[str]:
    """
    Give the user what the roles of the claims give, and take the rest of the table.

    Groups and permissions are stored; the names of the fields of the user that were
    changed are returned, for the caller to store with others.
    """
    table: dict[str, Role] = settings.OIDC_ROLES
    names = roles_of(claims)
    given = [role for name, role in table.items() if name in names]
    _bring_groups(user, _all("groups", table.values()), _all("groups", given))
    _bring_permissions(
        user, _all("permissions", table.values()), _all("permissions", given)
    )
    wanted = {
        name: any(role.get(name, False) for role in given)
        for name in ("is_staff", "is_superuser")
    }
    changed = [name for name, value in wanted.items() if getattr(user, name) != value]
    for name in changed:
        setattr(user, name, wanted[name])
    return changed


def _bring_groups(user: User, managed: set[str], wants: set[str]) -> None:
    has = set(user.groups.filter(name__in=managed).values_list("name", flat=True))
    if more := wants - has:
        user.groups.add(*(Group.objects.get_or_create(name=name)[0] for name in more))
    if less := has - wants:
        user.groups.remove(*Group.objects.filter(name__in=less))


def _bring_permissions(user: User, managed: set[str], wants: set[str]) -> None:
    if not managed:
        return
    present = user.user_permissions.filter(_named(managed))
    has = {
        f"{app}.{codename}"
        for app, codename in present.values_list("content_type__app_label", "codename")
    }
    if more := wants - has:
        user.user_permissions.add(*Permission.objects.filter(_named(more)))
    if less := has - wants:
        user.user_permissions.remove(*Permission.objects.filter(_named(less)))


def _all(kind: str, roles: Iterable[Role]) -> set[str]:
    return {name for role in roles for name in role.get(kind, ())}


def _named(permissions: Iterable[str]) -> Q:
    asked = Q(pk__in=())
    for permission in permissions:
        app, _, codename = permission.partition(".")
        asked |= Q(content_type__app_label=app, codename=codename)
    return asked


def _listed(access: object) -> list[str]:
    roles = access.get("roles") if isinstance(access, dict) else None
    if not isinstance(roles, list):
        return []
    return [role for role in roles[:_MOST_ROLES] if isinstance(role, str)]
