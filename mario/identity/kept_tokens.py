"""The tokens of a login as its session keeps them, and when they are due."""

from dataclasses import dataclass
from typing import Any, Self

from django.conf import settings

type Record = dict[str, Any]

TOKENS = "tokens"
# A share of their life that is enough to fetch the next ones in.
_EARLY_SHARE = 5
_LONGEST_LIFE = 31 * 24 * 3600


@dataclass(frozen=True)
class KeptTokens:
    """The token response under its OAuth names, and what was noted beside it."""

    response: Record
    # Unix time.
    expires_at: float
    generation: int

    @classmethod
    def of(cls, record: Any) -> Self | None:
        """
        Read them from a session; None where there are none.

        A session that a bearer token has opened holds none, and one that somebody has
        edited by hand may hold anything.
        """
        tokens = record.get(TOKENS)
        if not isinstance(tokens, dict):
            return None
        expires_at, generation = tokens.get("expires_at"), tokens.get("generation")
        if not isinstance(expires_at, int | float) or not isinstance(generation, int):
            return None
        return cls(tokens, float(expires_at), generation)

    @classmethod
    def new(
        cls,
        response: Record,
        claims: Record,
        *,
        now: float,
        former: Self | None = None,
    ) -> Self:
        """
        Make them of a token response; what a refresh leaves out stays as it was.

        The time is counted from now by the shop's own clock, whatever Keycloak's says.
        """
        life = response.get("expires_in")
        if type(life) is not int or not 0 < life <= _LONGEST_LIFE:
            life = claims["exp"] - claims["iat"]
        kept: Record = {
            name: former.response[name]
            for name in ("refresh_token", "id_token")
            if former and name in former.response
        }
        generation = former.generation + 1 if former else 1
        given = {name: value for name, value in response.items() if value is not None}
        return cls({**kept, **given, "expires_in": life}, now + life, generation)

    def as_stored(self) -> Record:
        return {
            **self.response,
            "expires_at": int(self.expires_at),
            "generation": self.generation,
        }

    @property
    def life(self) -> int:
        """Seconds that the access token was given; 0 if nothing says so."""
        life = self.response.get("expires_in")
        return life if type(life) is int else 0

    def is_due(self, now: float) -> bool:
        """Say whether it is time to fetch the next ones."""
        early = min(settings.OIDC_REFRESH_EARLY, self.life / _EARLY_SHARE)
        return now >= self.expires_at - early

    def has_expired(self, now: float) -> bool:
        return now >= self.expires_at

    def is_within_grace(self, now: float) -> bool:
        """Say whether the login goes on although Keycloak cannot be asked."""
        return now < self.expires_at + settings.OIDC_REFRESH_GRACE

    def text(self, name: str) -> str:
        """Return one of the tokens; empty where there is none."""
        value = self.response.get(name)
        return value if isinstance(value, str) else ""
