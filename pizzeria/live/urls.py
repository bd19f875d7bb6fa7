from django.urls import path

from pizzeria.live import views

urlpatterns = [
    path("live/<str:feed>/", views.LiveStream.as_view(), name="live_stream"),
]
