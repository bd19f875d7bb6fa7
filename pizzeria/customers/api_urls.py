from django.urls import path

from pizzeria.customers import api

urlpatterns = [
    path("profile/", api.Profile.as_view(), name="api_profile"),
    path("profile/export/", api.ProfileExport.as_view(), name="api_profile_export"),
    path(
        "profile/statistics/",
        api.ProfileStatistics.as_view(),
        name="api_profile_statistics",
    ),
    path("profile/addresses/", api.Addresses.as_view(), name="api_addresses"),
    path(
        "profile/addresses/<int:address_id>/",
        api.OneAddress.as_view(),
        name="api_address",
    ),
    path("profile/favourites/", api.Favourites.as_view(), name="api_favourites"),
    path(
        "profile/favourites/<int:pizza_id>/",
        api.OneFavourite.as_view(),
        name="api_favourite",
    ),
]
