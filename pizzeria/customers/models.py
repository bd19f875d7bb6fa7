from django.conf import settings
from django.contrib.auth.models import User
from django.db import models

from pizzeria.menu.models import Pizza
from pizzeria.orders.contact import (
    MAX_ADDRESS_LENGTH,
    MAX_ALLERGY_LENGTH,
    MAX_PHONE_LENGTH,
    PaymentMethod,
)
from pizzeria.orders.transitions import Fulfilment

MAX_LABEL_LENGTH = 40


class CustomerProfile(models.Model):
    """
    What a customer told once, so that nobody asks again.

    Made when the person's user is; it belongs to that user and is never found by an
    e-mail address, which changes owners.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="profile"
    )
    phone = models.CharField(max_length=MAX_PHONE_LENGTH, blank=True)
    allergies = models.CharField(max_length=MAX_ALLERGY_LENGTH, blank=True)
    payment_method = models.CharField(max_length=20, choices=PaymentMethod, blank=True)
    fulfilment = models.CharField(max_length=10, choices=Fulfilment, blank=True)
    wants_mail = models.BooleanField(
        default=True, help_text="About their orders, where the shop sends mails."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Profile of {self.user}"


class Address(models.Model):
    """An entry of a customer's address book."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="addresses"
    )
    label = models.CharField(max_length=MAX_LABEL_LENGTH)
    text = models.CharField(max_length=MAX_ADDRESS_LENGTH)
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering = ["-is_default", "id"]
        verbose_name_plural = "addresses"
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(is_default=True),
                name="address_one_default",
            )
        ]

    def __str__(self) -> str:
        return self.label


class Favourite(models.Model):
    """A pizza that a customer wants to find again."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="favourites"
    )
    pizza = models.ForeignKey(Pizza, models.CASCADE, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "pizza"], name="favourite_named_once"
            )
        ]

    def __str__(self) -> str:
        return str(self.pizza)


def profile_of(user: User) -> CustomerProfile:
    """Return the profile; one that is not stored yet, for who came by other ways."""
    found = CustomerProfile.objects.filter(user=user).first()
    return found or CustomerProfile(user=user)
