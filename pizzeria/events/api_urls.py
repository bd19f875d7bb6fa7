from django.urls import path

from pizzeria.events import api

urlpatterns = [path("events/", api.Events.as_view(), name="api_events")]
