"""The login backend: mozilla-django-oidc's, made as strict as the specifications."""

from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from mario.identity import lifetimes, people, token_endpoint, validator
from mario.identity.exceptions import LoginRefused, ProviderUnavailable


class KeycloakBackend(OIDCAuthenticationBackend):  # type: ignore[misc]  # untyped
    """Recognise the person whom Keycloak sends back with a code."""

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        """
        Redeem the callback's code and return its user, or None for other logins.

        The token response is left on the user as `token_response`, the claims of
        the ID token and of the access token, which has the roles, as `claims`:
        they belong into the session, but only after the user was accepted.

        :raises InvalidToken: if Keycloak's tokens must not be believed
        :raises LoginRefused: if the code or the user is refused
        :raises ProviderUnavailable: if Keycloak does not answer as it should
        """
        if request is None or "code_verifier" not in kwargs:
            return None
        seconds: int | None = kwargs.pop("max_age", None)
        self.acr: str = kwargs.pop("acr", "")
        self.max_age = None if seconds is None else timedelta(seconds=seconds)
        user: User | None = super().authenticate(request, **kwargs)
        return user

    async def aauthenticate(
        self, request: HttpRequest | None, **kwargs: Any
    ) -> User | None:
        # ModelBackend's, which mozilla-django-oidc 5.0 inherits, takes passwords.
        return None

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        answer = token_endpoint.ask(payload)
        if not isinstance(answer.get("id_token"), str):
            raise ProviderUnavailable("the token endpoint sent no id_token")
        lifetimes.learn(answer)
        self.token_response = answer
        return answer

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        return validator.id_token(
            token,
            nonce=kwargs["nonce"],
            access_token=self.token_response["access_token"],
            max_age=self.max_age,
            acr=self.acr,
        )

    def store_tokens(self, access_token: str, id_token: str) -> None:
        # Called before the user is accepted: the callback stores them afterwards.
        pass

    def get_or_create_user(
        self, access_token: str, id_token: str, payload: dict[str, Any]
    ) -> User:
        """
        Find the user of (issuer, subject), and bring names and roles up to date.

        Keycloak puts realm roles into the access token only, so that is read with
        the same strictness; no call to the userinfo endpoint is needed.
        """
        access = validator.access_token(access_token)
        if (access["sub"], access.get("sid")) != (payload["sub"], payload.get("sid")):
            raise LoginRefused("the tokens are of two logins")
        claims = {**access, **payload}
        account = people.find_or_create_account(claims)
        user = account.user
        if not self.user_can_authenticate(user):
            raise LoginRefused("the account is switched off")
        people.update_user(account, claims)
        user.claims = claims  # type: ignore[attr-defined]
        user.token_response = self.token_response  # type: ignore[attr-defined]
        return user

    def get_user(self, user_id: int) -> User | None:
        # mozilla-django-oidc 5.0 returns users that were switched off (its issue 520).
        user = people.user_of_session(user_id)
        return user if user and self.user_can_authenticate(user) else None

    async def aget_user(self, user_id: int) -> User | None:
        return await sync_to_async(self.get_user)(user_id)
