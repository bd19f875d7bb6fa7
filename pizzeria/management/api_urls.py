from django.urls import path

from pizzeria.management import api

urlpatterns = [
    path("management/overview/", api.Overview.as_view(), name="api_overview"),
    path("management/analytics/", api.Analytics.as_view(), name="api_analytics"),
    path("management/operations/", api.Operations.as_view(), name="api_operations"),
]
