"""The words that greet the person once everything answers."""

from collections.abc import Mapping

from mario.demo import console
from mario.demo.options import Options
from mario.demo.state import Running

_DEMO = """
  The shop          {shop}
  The login realm   {realm}

  Log in as customer, chef, driver, manager, admin or user; the password is: test

  Every session is one readable record in Redis ({redis}):
    .venv/bin/python manage.py sessions list
    .venv/bin/python manage.py sessions show HANDLE
    {redis_cli}

  A second copy of the shop     make run-copy PORT={copy_port}
  Ports, memory, session store  .venv/bin/python manage.py demo --status
  What the servers wrote        var/log/

  Ctrl-C ends everything.
"""

_COPY = """
  A copy of the shop  {url}
  The first one       {first}
  Both keep their sessions in the same Valkey and their orders in one database.

  Ctrl-C ends this copy only.
"""

_KEYCLOAK = """
  Keycloak  {url}
  The shop  make run PORT={port} KEYCLOAK_SERVER_URL={url}

  Ctrl-C ends it.
"""


def show_demo(wanted: Options, settings: Mapping[str, str]) -> None:
    redis_cli = f"redis-cli -p {wanted.valkey_port} KEYS 'mario_session:*'"
    if wanted.redis_url:
        redis_cli = "redis-cli -u \"$REDIS_URL\" KEYS 'mario_session:*'"
    console.say(
        _DEMO.format(
            shop=wanted.shop_url,
            realm=settings["KEYCLOAK_PUBLIC_URL"],
            redis="the one of REDIS_URL" if wanted.redis_url else settings["REDIS_URL"],
            redis_cli=redis_cli,
            copy_port=wanted.copy_port,
        )
    )


def show_copy(url: str, demo: Running, port: int) -> None:
    console.say(_COPY.format(url=url, first=demo.shop_url))
    if port != demo.copy_port:
        console.complain(
            f"  Log in at {demo.shop_url}: the realm lets logins return only there and "
            f"to port {demo.copy_port}.\n  `make run COPY_PORT={port}` would let them "
            "return here."
        )


def show_keycloak(wanted: Options) -> None:
    url = f"http://localhost:{wanted.realm_port}"
    console.say(_KEYCLOAK.format(url=url, port=wanted.port))
