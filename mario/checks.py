from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from mario.env import load


@register(Tags.security, deploy=True)
def check_identity(**_: Any) -> list[CheckMessage]:
    env = load()
    errors: list[CheckMessage] = []
    if env.dev_realm:
        errors.append(
            Error(
                "DEV_REALM is on: anybody can log in with the demo passwords.",
                hint="Unset DEV_REALM and point KEYCLOAK_SERVER_URL at a Keycloak.",
                id="mario.E001",
            )
        )
    if env.uses_development_secret:
        errors.append(
            Error(
                "KEYCLOAK_CLIENT_SECRET is the one of the published realm file.",
                hint="Make a new secret for the client in Keycloak and set it here.",
                id="mario.E002",
            )
        )
    return errors
