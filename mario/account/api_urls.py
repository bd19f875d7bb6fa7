from django.urls import path

from mario.account import api

urlpatterns = [
    path(
        "account/sessions/", api.AccountSessions.as_view(), name="api_account_sessions"
    ),
    path(
        "account/sessions/<slug:handle>/",
        api.AccountSession.as_view(),
        name="api_account_session",
    ),
]
