from django.urls import path

from mario.identity import logout_views, views
from mario.identity.limits import limited

urlpatterns = [
    path("login", limited("login")(views.LoginView.as_view()), name="login"),
    path(
        "register",
        limited("login")(views.LoginView.as_view(is_registration=True)),
        name="register",
    ),
    path(
        "callback",
        limited("callback")(views.CallbackView.as_view()),
        name="callback",
    ),
    path("interrupted", views.interrupted_form, name="interrupted"),
    path("logout", logout_views.log_out, name="logout"),
    path("logged-out", logout_views.logged_out, name="logged_out"),
    path(
        "backchannel-logout",
        logout_views.back_channel_logout,
        name="back_channel_logout",
    ),
    path(
        "frontchannel-logout",
        logout_views.front_channel_logout,
        name="front_channel_logout",
    ),
]
