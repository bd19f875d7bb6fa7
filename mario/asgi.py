import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mario.settings")
_pages = get_asgi_application()

from mario.bodies import bounded  # noqa: E402
from mario.startup import start  # noqa: E402  # needs the settings above
from pizzeria.live.application import LiveApplication  # noqa: E402

application = LiveApplication(bounded(_pages))

start()
