from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """
    What happened to a login: who, when, from where. Never a token or a session id.

    Written by `mario.account.audit` alone, which also keeps their number bounded.
    """

    class Event(models.TextChoices):
        LOGIN = "login", "logged in"
        LOGIN_REFUSED = "login_refused", "login refused"
        TOKEN_REFUSED = "token_refused", "token refused"
        LOGOUT = "logout", "logged out"
        PROVIDER_LOGOUT = "provider_logout", "logged out by the login service"
        REVOKED = "revoked", "session ended from elsewhere"

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    event = models.CharField(max_length=16, choices=Event)
    # None for whoever was not let in, and for people who were deleted since.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="audit_entries",
    )
    address = models.CharField(max_length=45, blank=True)
    device = models.CharField(max_length=80, blank=True)
    # The beginning of a hash: leads an operator to the session, and nobody into it.
    session = models.CharField(max_length=16, blank=True)
    detail = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "audit entries"
        permissions = (
            ("end_staff_sessions", "Can see and end the sessions of the staff"),
        )

    def __str__(self) -> str:
        return f"{self.get_event_display()}: {self.user or 'somebody'}"
