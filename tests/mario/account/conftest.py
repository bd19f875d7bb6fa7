# The issuer of those tests, and a process that has seen nothing yet.
from tests.mario.identity.conftest import *  # noqa: F403
from tests.mario.identity.conftest import _fresh_process  # noqa: F401
