"""The shop, with a session that each page reads and writes where there is one."""

from mario.settings import *  # noqa: F403  # all of them
from mario.settings import MIDDLEWARE as SHOPS_MIDDLEWARE

MIDDLEWARE = [*SHOPS_MIDDLEWARE, "tests.performance.project.visits.count"]
