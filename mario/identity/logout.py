from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import logout as forget_user
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from mario.identity import login_session


def log_out_here(request: HttpRequest) -> str:
    """
    End the login in this shop, and return where Keycloak ends its own.

    Local first: whoever closes the browser at Keycloak's page is logged out here.
    The address is built from the ID token before that is gone (OpenID Connect
    RP-Initiated Logout 2); a visitor without a login is only sent home.
    """
    address = _keycloak_logout(request, request.session)
    login_session.close(request.session)
    forget_user(request)
    return address


def _keycloak_logout(request: HttpRequest, session: SessionBase) -> str:
    home = request.build_absolute_uri(settings.LOGOUT_REDIRECT_URL)
    tokens = login_session.section(session, login_session.TOKENS)
    if not tokens.get("id_token"):
        return settings.LOGOUT_REDIRECT_URL
    query = urlencode(
        {
            "id_token_hint": tokens["id_token"],
            "client_id": settings.OIDC_RP_CLIENT_ID,
            "post_logout_redirect_uri": home,
        }
    )
    return f"{settings.OIDC_OP_LOGOUT_ENDPOINT}?{query}"
