from django.urls import path

from pizzeria.notifications import views

urlpatterns = [
    path("notifications/", views.notification_list, name="notification_list"),
    path("notifications/badge/", views.notification_badge, name="notification_badge"),
    path(
        "notifications/read/", views.notification_read_all, name="notification_read_all"
    ),
    path(
        "notifications/<int:notification_id>/read/",
        views.notification_read,
        name="notification_read",
    ),
    path(
        "notifications/<int:notification_id>/dismiss/",
        views.notification_dismiss,
        name="notification_dismiss",
    ),
]
