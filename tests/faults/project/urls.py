from django.urls import path

from tests.faults.project import views

urlpatterns = [
    path("plain", views.plain),
    path("store", views.store),
    path("begin", views.begin),
    path("write", views.write),
    path("read", views.read),
    path("login", views.log_in),
    path("logout", views.log_out),
    path("rotate", views.rotate),
    path("calls", views.calls),
    path("metrics", views.metrics),
    path("mine", views.mine),
    path("clock", views.clock),
]
