import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions_backend import failover, operators
from sessions_backend.exceptions import StorageUnavailable
from sessions_backend.failover import Backend
from sessions_backend.operators import Found

_DEFAULT_LIMIT = 100


class Command(BaseCommand):
    help = "List, show and revoke sessions; say whether Redis serves them."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="Name the live sessions.")
        listing.add_argument("--limit", type=int, default=_DEFAULT_LIMIT)
        listing.add_argument("--json", action="store_true", dest="is_json")
        for action, text in (
            ("show", "Print what a session holds, its secrets masked."),
            ("revoke", "End a session at once."),
        ):
            one = actions.add_parser(action, help=text)
            one.add_argument("session", help="its id, or the handle that list prints")
        actions.add_parser("ping", help="Fail unless Redis serves sessions.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        failover.configure(announce=False)
        try:
            getattr(self, f"_{action}")(**options)
        except StorageUnavailable as error:
            raise CommandError(str(error)) from error

    def _list(self, *, limit: int, is_json: bool, **_: Any) -> None:
        self._demand_redis()
        rows = [_row(found) for found in operators.all_sessions(limit=limit)]
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


def _row(found: Found) -> dict[str, Any]:
    held = found.record
    return {
        "handle": found.handle,
        "user": (held or {}).get("_auth_user_id"),
        "seconds_left": int(found.seconds_left),
        "keys": sorted(held or {}),
        "is_damaged": held is None,
    }


def _more(count: int, limit: int) -> str:
    return f", or more: --limit is {limit}" if count == limit else ""
