"""
Session, for the admin and for permissions alone: it has no table and no migration.

The records are in Redis; operators.py reads them.
"""

from django.db import models


class Session(models.Model):
    handle = models.CharField(max_length=16, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return self.handle
