from django.urls import path

from pizzeria.menu import views

urlpatterns = [
    path("", views.home, name="home"),
    path("menu/", views.menu, name="menu"),
]
