from django.urls import path

from mario.account import views

urlpatterns = [
    path("", views.account, name="account"),
    path("sessions/", views.account_sessions, name="account_sessions"),
    path("sessions/end/", views.account_session_end, name="account_session_end"),
    path("staff/", views.account_staff, name="account_staff"),
    path("staff/end/", views.account_staff_end, name="account_staff_end"),
]
