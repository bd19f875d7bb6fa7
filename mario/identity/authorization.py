"""
What a request says about its token, before anybody looks at the token (RFC 6750).

Each refusal is an answer with a status and a challenge of its own; the body has the
shape that every error of the API has.
"""

import string
from http import HTTPStatus

from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import APIException
from rest_framework.request import Request

REALM = 'Bearer realm="pizzeria"'
_SCHEME = b"bearer"
# What a token is made of, before the `=` at its end (RFC 6750, 2.1).
_SIGNS = string.ascii_letters.encode() + string.digits.encode() + b"-._~+/"
_FORM = "application/x-www-form-urlencoded"
# RFC 6750, 2.2 and 2.3: addresses end in logs, and forms need no header.
_PARAMETER = "access_token"


class Refusal(APIException):
    """`auth_header` is what Django REST framework answers as WWW-Authenticate."""

    default_code: str
    auth_header = REALM

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail)
        if self.default_code:
            self.auth_header = f'{REALM}, error="{self.default_code}"'


class InvalidRequest(Refusal):
    status_code = HTTPStatus.BAD_REQUEST
    default_code = "invalid_request"
    default_detail = "The Authorization header is not `Bearer`, a space and one token."


class TokenRefused(Refusal):
    status_code = HTTPStatus.UNAUTHORIZED
    default_code = "invalid_token"
    default_detail = "The access token is not valid."


class BoundTokenRefused(TokenRefused):
    """RFC 9449, 7.2: a token that is bound to a key comes as `DPoP`, with a proof."""

    default_detail = "The access token is bound to a key; this API takes no proofs."

    def __init__(self) -> None:
        super().__init__()
        self.auth_header += ', DPoP error="invalid_token"'


class InsufficientScope(Refusal):
    status_code = HTTPStatus.FORBIDDEN
    default_code = "insufficient_scope"
    default_detail = "The access token is not for this."

    def __init__(self, scope: str) -> None:
        super().__init__()
        if scope:
            self.auth_header += f', scope="{scope}"'


def bearer_token(request: Request) -> str | None:
    """
    Return the request's one token, or None if it has none.

    :raises InvalidRequest: if there are two, or the token is not where it belongs
    """
    if _PARAMETER in request.query_params or _is_in_form(request):
        raise InvalidRequest("A token belongs into the Authorization header only.")
    header = get_authorization_header(request)
    scheme, _, token = header.partition(b" ")
    if scheme.lower() != _SCHEME:
        # Servers join the lines of one header by commas, which no token has.
        parts = (part.strip().lower() for part in header.split(b","))
        if any(part.startswith(_SCHEME) for part in parts):
            raise InvalidRequest
        return None
    signs = token.rstrip(b"=")
    if not signs or signs.translate(None, delete=_SIGNS):
        raise InvalidRequest
    return token.decode("ascii")


def _is_in_form(request: Request) -> bool:
    django_request = request._request  # noqa: SLF001
    return django_request.content_type == _FORM and _PARAMETER in django_request.POST
