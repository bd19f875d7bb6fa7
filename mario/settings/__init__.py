"""The project's settings, a module per topic; `mario.env` is what they read."""

from mario.settings.api import *
from mario.settings.base import *
from mario.settings.boards import *
from mario.settings.events import *
from mario.settings.identity import *
from mario.settings.live import *
from mario.settings.logs import *
from mario.settings.notifications import *
from mario.settings.security import *
from mario.settings.sessions import *
