from django.core.wsgi import get_wsgi_application

from tests.faults.project import names

names.install()
application = get_wsgi_application()
