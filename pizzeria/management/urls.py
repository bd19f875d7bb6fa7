from django.urls import path

from pizzeria.management import views

urlpatterns = [
    path("management/", views.management_dashboard, name="management_dashboard"),
    path(
        "management/operations/",
        views.management_operations,
        name="management_operations",
    ),
    path(
        "management/analytics/",
        views.management_analytics,
        name="management_analytics",
    ),
    path(
        "management/analytics/<slug:table>.csv",
        views.management_export,
        name="management_export",
    ),
]
