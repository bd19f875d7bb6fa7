"""Keycloak's own paths, so that the shop cannot tell the two apart."""

from django.urls import URLPattern, URLResolver, include, path

from mario.devrealm import control, login, logout, pages, protocol
from mario.devrealm.runtime import realm

_protocol = [
    path("auth", login.authorize, name="auth"),
    path("registrations", login.register, name="registrations"),
    path("token", protocol.token, name="token"),
    path("certs", protocol.certs, name="certs"),
    path("userinfo", protocol.userinfo, name="userinfo"),
    path("revoke", protocol.revoke, name="revoke"),
    path("logout", logout.logout, name="logout"),
    path("logout/logout-confirm", logout.confirm, name="logout_confirm"),
]
_realm: list[URLPattern | URLResolver] = [
    path(".well-known/openid-configuration", protocol.discovery, name="discovery"),
    path("protocol/openid-connect/", include(_protocol)),
    path("login-actions/authenticate", login.authenticate, name="authenticate"),
]
_control = [
    path("keys/rotate", control.rotate_keys),
    path("keys/forget", control.forget_old_keys),
    path("faults", control.faults),
    path("mint", control.mint),
    path("sign-out", control.sign_out),
    path("people", control.change_person),
]

urlpatterns = [
    path("", pages.front, name="front"),
    path("style.css", pages.style, name="style"),
    path("health/ready", pages.ready),
    path(f"realms/{realm().file.name}/", include(_realm)),
    path("control/", include(_control)),
]
handler404 = pages.not_found
handler500 = pages.broken
