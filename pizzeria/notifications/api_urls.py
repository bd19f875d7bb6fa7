from django.urls import path

from pizzeria.notifications import api

urlpatterns = [
    path("notifications/", api.Notifications.as_view(), name="api_notifications"),
    path(
        "notifications/read/",
        api.ReadAllNotifications.as_view(),
        name="api_notifications_read",
    ),
    path(
        "notifications/<int:notification_id>/read/",
        api.ReadNotification.as_view(),
        name="api_notification_read",
    ),
    path(
        "notifications/<int:notification_id>/dismiss/",
        api.DismissNotification.as_view(),
        name="api_notification_dismiss",
    ),
]
