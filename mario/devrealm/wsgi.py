"""The realm as a WSGI application; ``python -m mario.devrealm`` serves it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "mario.devrealm.settings"
application = get_wsgi_application()
