from django.conf import settings
from django.db import models


class Identity(models.Model):
    """
    The account of a user at an identity provider.

    OpenID Connect Core 5.7: only issuer and subject together name a person for
    ever. E-mail addresses and user names change owners.
    """

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # The `iat` of the claims that name, address and roles were last taken from.
    claims_issued_at = models.BigIntegerField(default=0, editable=False)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "subject"], name="identity_is_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.issuer}"
