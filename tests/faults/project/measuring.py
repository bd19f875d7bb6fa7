"""Tell of each answer which worker gave it, and how long its session was waited for."""

import os
import time

from sessions_backend import budget


def measure(get_response):
    """Outside of the session's middleware: its own work is measured, too."""

    def middleware(request):
        began = time.monotonic()
        response = get_response(request)
        ended = time.monotonic()
        response.headers["X-Pid"] = str(os.getpid())
        # The same clock in all processes of a machine.
        response.headers["X-Began"] = f"{began:.6f}"
        response.headers["X-Spent-Ms"] = f"{(ended - began) * 1000:.3f}"
        waited, allowed = request.session_budget
        response.headers["X-Waited-Ms"] = f"{(allowed - waited.remaining) * 1000:.3f}"
        return response

    return middleware


def note_budget(get_response):
    """Inside of the session's middleware: the budget is this request's."""

    def middleware(request):
        of_request = budget.current()
        request.session_budget = of_request, of_request.remaining
        return get_response(request)

    return middleware
