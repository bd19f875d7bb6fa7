"""A person has a name and entries; each entry is an acknowledged write."""

import time

from django.contrib.auth import get_user_model, login, logout
from django.http import JsonResponse
from prometheus_client import CollectorRegistry, generate_latest, multiprocess

from sessions_backend import failover, operators
from sessions_backend.engine import SessionStore


def plain(request):
    """Need no session."""
    return JsonResponse({})


def store(request):
    return JsonResponse({"store": failover.active_backend().value, **failover.status()})


def clock(request):
    return JsonResponse({"now": time.time()})


def metrics(request):
    """Show what all workers have counted, as Prometheus is shown it."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return JsonResponse({"text": generate_latest(registry).decode()})


def mine(request):
    """List the sessions of whose session this is."""
    return JsonResponse(
        {
            "owner": request.session["owner"],
            "sessions": [
                found.name
                for found in operators.of_user(request.session["_auth_user_id"])
            ],
        }
    )


def begin(request):
    request.session["owner"] = request.GET["owner"]
    request.session["entries"] = {}
    request.session["padding"] = "x" * int(request.GET.get("padding", "200"))
    return JsonResponse({"owner": request.GET["owner"]})


def write(request):
    session = request.session
    if "owner" not in session:
        return JsonResponse({"owner": None}, status=403)
    # Nested, and nobody says `modified = True`.
    session["entries"][request.GET["entry"]] = 1
    return JsonResponse({"owner": session["owner"]})


def read(request):
    session = request.session
    if "owner" not in session:
        return JsonResponse({"owner": None}, status=403)
    user = request.user.get_username() if "_auth_user_id" in session else None
    return JsonResponse(
        {
            "owner": session["owner"],
            "entries": list(session["entries"]),
            "user": user,
            "padding": len(session["padding"]),
        }
    )


def log_in(request):
    name = request.GET["name"]
    user, _ = get_user_model().objects.get_or_create(username=name)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return JsonResponse({"owner": request.session["owner"], "user": name})


def log_out(request):
    logout(request)
    return JsonResponse({"owner": None})


def rotate(request):
    request.session.cycle_key()
    return JsonResponse({"owner": request.session["owner"]})


def calls(request):
    """Time loads of the session, one by one, each as the only one of a request."""
    milliseconds = []
    for _ in range(20):
        began = time.perf_counter()
        SessionStore(request.COOKIES["sessionid"]).load()
        milliseconds.append((time.perf_counter() - began) * 1000)
    return JsonResponse({"milliseconds": milliseconds})
