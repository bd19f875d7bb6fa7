import json
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions_backend import failover, importing, operators
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.failover import Backend
from sessions_backend.operators import Found

_DEFAULT_LIMIT = 100
_PROGRESS_EVERY = 1000


class Command(BaseCommand):
    help = "See and end sessions, take them along, and say whether Redis serves them."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="Name the live sessions.")
        listing.add_argument("--limit", type=int, default=_DEFAULT_LIMIT)
        listing.add_argument("--json", action="store_true", dest="is_json")
        listing.add_argument("--user", help="only those of this user: name or id")
        for action, text in (
            ("show", "Print what a session holds, its secrets masked."),
            ("revoke", "End a session at once."),
        ):
            one = actions.add_parser(action, help=text)
            one.add_argument("session", help="its id, or the handle that list prints")
        everybody = actions.add_parser("revoke-user", help="End all of a user's.")
        everybody.add_argument("user", help="name or id")
        everybody.add_argument("--except", dest="kept", help="handle of one that stays")
        stats = actions.add_parser("stats", help="Count what is stored and known.")
        stats.add_argument("--json", action="store_true", dest="is_json")
        actions.add_parser("repair", help="Make the lists of users' sessions anew.")
        actions.add_parser("reseal", help="Seal every record with the first key.")
        importing = actions.add_parser("import", help="Take another engine's along.")
        importing.add_argument("--from", dest="engine", required=True)
        importing.add_argument("--dry-run", action="store_true", dest="is_dry_run")
        actions.add_parser("ping", help="Fail unless Redis serves sessions.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        failover.configure(announce=False)
        try:
            getattr(self, f"_{action.replace('-', '_')}")(**options)
        except StorageUnavailable as error:
            raise CommandError(str(error)) from error

    def _list(self, *, limit: int, is_json: bool, user: str | None, **_: Any) -> None:
        self._demand_redis()
        found = (
            operators.all_sessions(limit=limit)
            if user is None
            else operators.of_user(_user_id(user))[:limit]
        )
        rows = [_row(one) for one in found]
        if is_json:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        for row in rows:
            self.stdout.write(
                f"{row['handle']}  user {row['user'] or '-'}  "
                f"{row['seconds_left']} s left"
                + ("  damaged" if row["is_damaged"] else "")
            )
        self.stdout.write(f"{len(rows)} sessions" + _more(len(rows), limit))

    def _show(self, *, session: str, **_: Any) -> None:
        found = self._found(session)
        if found.record is None:
            raise CommandError("This session's record is damaged and cannot be shown.")
        shown = operators.masked(found.record)
        self.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False))

    def _revoke(self, *, session: str, **_: Any) -> None:
        found = self._found(session)
        operators.revoke(found)
        self.stdout.write(self.style.SUCCESS(f"Session {found.handle} has ended."))

    def _revoke_user(self, *, user: str, kept: str | None, **_: Any) -> None:
        self._demand_redis()
        keep = None if kept is None else self._found(kept).name
        count = operators.revoke_all(_user_id(user), keep=keep)
        self.stdout.write(self.style.SUCCESS(f"{count} sessions have ended."))

    def _stats(self, *, is_json: bool, **_: Any) -> None:
        self._demand_redis()
        figures = _figures()
        if is_json:
            self.stdout.write(json.dumps(figures, indent=2))
            return
        for name, figure in figures.items():
            self.stdout.write(f"{name.replace('_', ' '):24} {figure}")

    def _repair(self, **_: Any) -> None:
        self._demand_redis()
        count = operators.repair_lists(on_progress=self._progress)
        self.stdout.write(self.style.SUCCESS(f"{count} sessions are on their lists."))

    def _reseal(self, **_: Any) -> None:
        self._demand_redis()
        result = operators.reseal(on_progress=self._progress)
        self.stdout.write(
            f"{result.changed} of {result.seen} sessions were sealed anew."
        )
        if result.damaged:
            raise CommandError(
                f"{result.damaged} sessions cannot be read, and were left as they "
                "are. Is a key missing in SESSION_SEALING_KEYS?"
            )

    def _import(self, *, engine: str, is_dry_run: bool, **_: Any) -> None:
        self._demand_redis()
        try:
            former = importing.sessions_of(engine)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        new = seen = refused = 0
        for session in former:
            result = importing.take_along(session, is_dry_run=is_dry_run)
            seen, new = seen + 1, new + result.is_new
            if result.refusal:
                refused += 1
                self.stderr.write(f"{result.handle}: {result.refusal}")
            if seen % _PROGRESS_EVERY == 0:
                self._progress(seen)
        verb = "would be taken along" if is_dry_run else "were taken along"
        self.stdout.write(f"{new} of {seen} sessions {verb}, {refused} refused.")
        if refused:
            raise CommandError("Some sessions cannot be stored; see above.")

    def _progress(self, count: int) -> None:
        self.stderr.write(f"{count} …")

    def _ping(self, **_: Any) -> None:
        self._demand_redis()
        if not failover.ping():
            raise CommandError("Redis does not answer.")
        self.stdout.write(self.style.SUCCESS("Redis is serving sessions."))

    def _found(self, name: str) -> Found:
        self._demand_redis()
        found = operators.find(name)
        if found is None:
            raise CommandError("There is no session of this id or handle.")
        return found

    def _demand_redis(self) -> None:
        if failover.active_backend() is not Backend.REDIS:
            raise CommandError(
                "Sessions are not kept in Redis but within each serving process, "
                "which a command cannot see into. Check that Redis is enabled and "
                "that its address is right."
            )


def _user_id(name: str) -> str:
    """Return the id of a user named by id, or by the user name exactly."""
    if name.isdecimal() or not apps.is_installed("django.contrib.auth"):
        return name
    users = get_user_model()
    try:
        user = users._default_manager.get_by_natural_key(name)  # noqa: SLF001  # Django's public name
    except users.DoesNotExist as error:
        raise CommandError(f"There is no user {name!r}.") from error
    return str(user.pk)


def _figures() -> dict[str, Any]:
    figures: dict[str, Any] = {"sessions": 0, "bytes": 0, "damaged": 0, "users": 0}
    users = set()
    for found in operators.all_sessions(limit=operators.MOST_SEARCHED):
        figures["sessions"] += 1
        figures["bytes"] += len(json.dumps(found.record)) if found.record else 0
        figures["damaged"] += found.record is None
        users.add(found.user_id)
    figures["users"] = len(users - {None})
    figures["serving_store"] = failover.active_backend().value
    figures["degraded"] = failover.is_degraded()
    return figures


def _row(found: Found) -> dict[str, Any]:
    held = found.record
    return {
        "handle": found.handle,
        "user": found.user_id,
        "seconds_left": int(found.seconds_left),
        "keys": sorted(held or {}),
        "is_damaged": held is None,
    }


def _more(count: int, limit: int) -> str:
    return f", or more: --limit is {limit}" if count == limit else ""
