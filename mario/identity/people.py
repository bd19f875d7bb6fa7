"""From the claims of a verified token to a Django user and back."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

from django.contrib.auth.models import Group, Permission, User
from django.db import IntegrityError, connection, transaction
from django.db.models import OuterRef, Q, StringAgg, Subquery, Value
from django.db.models.functions import Concat

from mario.identity import roles
from mario.identity.models import Identity

# Lost to the same person's other request, or to somebody of the same name.
_MOST_RACES = 5
# What is read of a user, in the order of the model's fields; the rest comes when it is
# asked for.
_OF_USER = (
    "id",
    "password",
    "is_superuser",
    "username",
    "first_name",
    "last_name",
    "email",
    "is_staff",
    "is_active",
)
# What of a token's claims the session keeps as `user_info`.
_USER_INFO = (
    "iss",
    "sub",
    "sid",
    "auth_time",
    "acr",
    "preferred_username",
    "name",
    "given_name",
    "family_name",
    "email",
    "email_verified",
)


class Account(NamedTuple):
    """What each call of the API asks of an `Identity`, which takes longer to make."""

    identity_id: int
    claims_issued_at: int
    user: User


def find_or_create_account(
    claims: dict[str, Any], *, came_by: str = "browser"
) -> Account:
    """
    Return the account of the claims' issuer and subject, made at the first sight.

    Two first requests at once end with the same user: the database's unique key
    decides, and the slower one reads what the faster wrote.
    """
    wanted = {"issuer": claims["iss"], "subject": claims["sub"]}
    for _ in range(_MOST_RACES):
        if known := _known(**wanted):
            return known
        with suppress(IntegrityError), transaction.atomic():
            made = Identity.objects.create(user=_create_user(claims, came_by), **wanted)
            return Account(made.pk, made.claims_issued_at, made.user)
    raise RuntimeError("Others make the same user, or one of the same name, for ever.")


@transaction.atomic
def update_user(account: Account, claims: dict[str, Any]) -> None:
    """
    Bring name, address and roles of the user to what the claims say.

    What each role gives says OIDC_ROLES. Claims older than those that were followed
    last change nothing: a role that was taken away does not come back with a token
    from before.
    """
    issued_at: int = claims["iat"]
    is_newer = Identity.objects.filter(
        pk=account.identity_id, claims_issued_at__lte=issued_at
    ).update(claims_issued_at=issued_at)
    if not is_newer:
        return
    user = account.user
    wanted = {
        "first_name": _text(claims, "given_name", 150),
        "last_name": _text(claims, "family_name", 150),
        "email": _text(claims, "email", 254),
    }
    changed = [name for name, value in wanted.items() if getattr(user, name) != value]
    for name in changed:
        setattr(user, name, wanted[name])
    changed += roles.apply(user, claims)
    if changed:
        user.save(update_fields=changed)


def _known(*, issuer: str, subject: str) -> Account | None:
    # Every call of the API asks this. To compile the ORM's query takes five times as
    # long as to answer it.
    with connection.cursor() as cursor:
        cursor.execute(_lookup(), (issuer, subject))
        row = cursor.fetchone()
    if row is None:
        return None
    identity_id, claims_issued_at, *of_user = row
    return Account(identity_id, claims_issued_at, _user(of_user))


@cache
def _lookup() -> str:
    columns = ("id", "claims_issued_at", *(f"user__{name}" for name in _OF_USER))
    asked = Identity.objects.filter(issuer="", subject="").values_list(*columns)
    sql: str = asked.query.sql_with_params()[0]
    return sql


def user_of_session(user_id: int) -> User | None:
    """
    Return the user of a session, and what they may do, which most pages ask next.

    One query, where Django has three: each page of somebody logged in asks it.
    """
    sql, before, after = _user_lookup()
    with connection.cursor() as cursor:
        cursor.execute(sql, (*before, user_id, *after))
        row = cursor.fetchone()
    if row is None:
        return None
    user = _user(row[:-1])
    if not user.is_superuser:
        # Where ModelBackend keeps it once it was asked; a superuser is not asked.
        granted = set((row[-1] or "").split())
        user._perm_cache = granted  # type: ignore[attr-defined]  # noqa: SLF001
    return user


@cache
def _user_lookup() -> tuple[str, tuple[Any, ...], tuple[Any, ...]]:
    """Return the query, and its parameters before and after the user's id."""
    theirs = OuterRef(OuterRef("pk"))
    alone = User.user_permissions.through.objects.filter(user=theirs)
    by_group = Group.permissions.through.objects.filter(group__user=theirs)
    granted = Permission.objects.filter(
        Q(pk__in=alone.values("permission")) | Q(pk__in=by_group.values("permission"))
    )
    name = Concat("content_type__app_label", Value("."), "codename")
    names = (
        granted.order_by()
        .values(together=Value(1))
        .annotate(names=StringAgg(name, Value(" ")))
        .values("names")
    )
    asked = User.objects.filter(pk=-1).values_list(*_OF_USER, Subquery(names))
    sql, parameters = asked.query.sql_with_params()
    place = parameters.index(-1)
    return sql, parameters[:place], parameters[place + 1 :]


def _user(row: Sequence[Any]) -> User:
    user = User.from_db(connection.alias, _OF_USER, row)
    for name in ("is_superuser", "is_staff", "is_active"):
        # SQLite answers 0 and 1.
        setattr(user, name, bool(getattr(user, name)))
    return user


def user_info(claims: dict[str, Any]) -> dict[str, Any]:
    """Pick what the session keeps of the claims, the realm roles included."""
    known = {name: claims[name] for name in _USER_INFO if name in claims}
    return {**known, "roles": sorted(roles.realm_roles(claims))}


def _create_user(claims: dict[str, Any], came_by: str) -> User:
    users = User.objects
    # A service account has no name without the scope `profile`.
    wanted = _text(claims, "preferred_username") or _text(claims, "client_id") or "user"
    # As Django is about to spell it: another name, perhaps, and up to 18 times as long.
    username = User.normalize_username(wanted)[:120]
    if users.filter(username=username).exists():
        # The same name at another issuer, or one that changed hands.
        name = f"{claims['iss']}|{claims['sub']}".encode()
        username = f"{username}-{sha256(name).hexdigest()[:12]}"
    user = User(username=username)
    user.set_unusable_password()
    # For those who hear of a new user; it is not stored.
    user.came_by = came_by  # type: ignore[attr-defined]
    user.save(force_insert=True)
    return user


def _text(claims: dict[str, Any], name: str, longest: int | None = None) -> str:
    value = claims.get(name)
    # PostgreSQL's text has no room for NUL.
    return value.replace("\x00", "")[:longest] if isinstance(value, str) else ""
