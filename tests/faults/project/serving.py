"""gunicorn's configuration, so that it does not read the shop's own."""

wsgi_app = "tests.faults.project.wsgi:application"
worker_class = "gthread"
# Connections stay open through an outage: each belongs to one worker.
keepalive = 1800
timeout = 30
graceful_timeout = 1
# Its default is one path in the home folder, for all gunicorns of a machine.
control_socket_disable = True
