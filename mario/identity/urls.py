from django.urls import path

from mario.identity import views

urlpatterns = [
    path("login", views.LoginView.as_view(), name="login"),
    path("callback", views.CallbackView.as_view(), name="callback"),
    path("logout", views.log_out, name="logout"),
    path("backchannel-logout", views.back_channel_logout, name="back_channel_logout"),
]
