import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mario.settings")
application = get_wsgi_application()

from mario.startup import start  # noqa: E402  # needs the settings above

start()
