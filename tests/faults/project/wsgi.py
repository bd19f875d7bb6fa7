from django.core.wsgi import get_wsgi_application

from tests.faults.project import clock, names

names.install()
application = get_wsgi_application()
# After every module that asks for the time was imported.
clock.install()
