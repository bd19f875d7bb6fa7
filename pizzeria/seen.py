"""What a page showed of a row, so that a form which is sent later is held to it."""

import hashlib
import json

from django.db.models import Model
from django.forms import model_to_dict

from pizzeria.exceptions import ChangedMeanwhile


def as_seen(row: Model) -> str:
    """Name what stands in a row, without saying it."""
    shown = json.dumps(model_to_dict(row), default=str, sort_keys=True)
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


def refuse_if_changed(row: Model, seen: str) -> None:
    """
    Let nobody overwrite unseen what another has written; `row` is locked.

    :raises ChangedMeanwhile: if it is not what the page showed, where one did
    """
    if seen and seen != as_seen(row):
        raise ChangedMeanwhile
