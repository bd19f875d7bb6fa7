"""gunicorn reads this file by itself when it is started in this folder."""

import os
from typing import Any

from prometheus_client import multiprocess

from mario.env import load_or_exit

# Here, in the master, a wrong setting ends the start with one line per mistake. In
# a worker gunicorn would start it again for ever.
load_or_exit()

wsgi_app = "mario.wsgi:application"
bind = "127.0.0.1:8080"
worker_class = "mario.worker.DeadlineWorker"
threads = 8
# Seconds; nothing that a request waits for takes longer.
timeout = 30
graceful_timeout = 20
keepalive = 5
# Query strings of the callback carry one-time codes: the path is enough.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(b)s %(M)sms [%({x-request-id}o)s]'


def child_exit(server: Any, worker: Any) -> None:
    # With several workers an operator sets this, and any of them answers for all.
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)
