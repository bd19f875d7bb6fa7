import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mario.settings")
application = get_asgi_application()

from mario.startup import start  # noqa: E402  # needs the settings above

start()
