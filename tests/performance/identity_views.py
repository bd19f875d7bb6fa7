"""One small view behind each way to know the caller; the URLs of bench_identity."""

from collections.abc import Sequence
from typing import Any

from django.urls import path
from mozilla_django_oidc.contrib.drf import OIDCAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication

from mario.identity.bearer import BearerTokenAuthentication


class Open(APIView):
    authentication_classes: Sequence[Any] = ()
    permission_classes: Sequence[Any] = (AllowAny,)

    def get(self, request: Request) -> Response:
        return Response({"name": "nobody"})


class Known(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"name": request.user.get_username()})


class Ours(Known):
    authentication_classes = (BearerTokenAuthentication,)

    def get(self, request: Request) -> Response:
        # The session that the browser has, too.
        return Response({"lines": len(request.session["cart"])})


class SimpleJwt(Known):
    authentication_classes = (JWTAuthentication,)


class Mozilla(Known):
    authentication_classes = (OIDCAuthentication,)


urlpatterns = [
    path("api/cart/open", Open.as_view()),
    path("api/cart/ours", Ours.as_view()),
    path("api/cart/simplejwt", SimpleJwt.as_view()),
    path("api/cart/mozilla", Mozilla.as_view()),
]
