import logging
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from mario.identity import (
    authorization,
    login_session,
    not_before,
    people,
    scopes,
    validator,
)
from mario.identity.authorization import BoundTokenRefused, TokenRefused
from mario.identity.exceptions import (
    BoundToken,
    InvalidToken,
    OutOfTime,
    ProviderUnavailable,
    SessionOfAnother,
)
from mario.identity.signals import login_refused, token_refused
from sessions_backend.middleware import attach

logger = logging.getLogger(__name__)


class TwoPeople(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "two_people"
    default_detail = (
        "The bearer token and the cookie belong to two people. Send one of them."
    )


class KeysUnavailable(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "login_unavailable"
    default_detail = "Tokens cannot be checked right now. Please try again shortly."
    # Seconds; Django REST framework makes it the Retry-After.
    wait = 10


class BearerTokenAuthentication(BaseAuthentication):
    """
    Recognise API callers by the access token that Keycloak gave them.

    The token is verified here, without asking Keycloak, and leads to the session
    of its login: the one that the browser has. The caller gets no cookie.
    """

    def authenticate(self, request: Request) -> tuple[User, validator.Claims] | None:
        """
        Return the caller and the token's claims, or None if no token was sent.

        None lets the next class, the browser's session, have its turn.

        :raises Refusal: if the request, the token or its scope is not as it must be
        :raises TwoPeople: if the request's cookie is of somebody else
        """
        token = authorization.bearer_token(request)
        if token is None:
            return None
        try:
            claims = validator.access_token(token)
            not_before.require(claims)
            scopes.require(request, claims)
            user = _active_user(claims)
            _refuse_two_people(request, user)
            session = login_session.open_for_bearer(user, claims)
        except InvalidToken as error:
            logger.info("A bearer token was refused: %s", error)
            if isinstance(error, SessionOfAnother):
                # Nobody can have such a token by mistake: it is written down.
                login_refused.send_robust(
                    BearerTokenAuthentication,
                    request=request._request,  # noqa: SLF001
                    reason=f"A token of {user} for the session of somebody else.",
                )
            elif not isinstance(error, OutOfTime):
                token_refused.send_robust(
                    BearerTokenAuthentication,
                    kind="bearer",
                    request=request._request,  # noqa: SLF001
                    reason=str(error),
                )
            is_bound = isinstance(error, BoundToken)
            raise (BoundTokenRefused() if is_bound else TokenRefused()) from error
        except ProviderUnavailable as error:
            raise KeysUnavailable from error
        attach(
            request,
            session or login_session.empty_session(),
            is_stored=session is not None,
        )
        return user, claims

    def authenticate_header(self, request: Request) -> str:
        """Make DRF answer 401 with this challenge instead of a bare 403."""
        return authorization.REALM


def _active_user(claims: validator.Claims) -> User:
    account = people.find_or_create_account(claims, came_by="api")
    if not account.user.is_active:
        raise InvalidToken("its user is switched off")
    # The same token says the same every time, and an older one has been overtaken.
    if claims["iat"] > account.claims_issued_at:
        people.update_user(account, claims)
    return account.user


def _refuse_two_people(request: Request, user: User) -> None:
    cookie_session = request._request.session  # noqa: SLF001
    owner = cookie_session.get(SESSION_KEY) if cookie_session.session_key else None
    if owner is not None and owner != str(user.pk):
        raise TwoPeople


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API's documentation describes the token."""

    target_class = BearerTokenAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
