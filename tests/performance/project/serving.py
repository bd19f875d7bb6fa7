"""gunicorn's configuration: two workers with four threads each."""

wsgi_app = "tests.performance.project.wsgi:application"
worker_class = "gthread"
workers = 2
threads = 4
keepalive = 75
graceful_timeout = 3
# Its default is one path in the home folder, for all gunicorns of a machine.
control_socket_disable = True
