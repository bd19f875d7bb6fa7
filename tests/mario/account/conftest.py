from tests.mario.identity.conftest import *  # noqa: F403  # the issuer of those tests
