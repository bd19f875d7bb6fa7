from django.urls import path

from pizzeria.kitchen import views

urlpatterns = [
    path("kitchen/", views.kitchen_board, name="kitchen_board"),
    path("kitchen/hours/", views.kitchen_hours, name="kitchen_hours"),
    path("kitchen/tickets/", views.kitchen_tickets, name="kitchen_tickets"),
    path("kitchen/<int:order_id>/ticket/", views.kitchen_ticket, name="kitchen_ticket"),
    path("kitchen/capacity/", views.kitchen_capacity, name="kitchen_capacity"),
    path(
        "kitchen/<int:order_id>/advance/", views.kitchen_advance, name="kitchen_advance"
    ),
    path("kitchen/<int:order_id>/cook/", views.kitchen_cook, name="kitchen_cook"),
    path("kitchen/<int:order_id>/seen/", views.kitchen_seen, name="kitchen_seen"),
    path(
        "kitchen/<int:order_id>/lines/<int:line_id>/tick/",
        views.kitchen_tick,
        name="kitchen_tick",
    ),
]
