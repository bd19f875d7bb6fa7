"""
event_recorded: sent inside the transaction that records an event, with `event`.

A receiver that writes to the database writes in the same transaction: its rows and
the event are there together, or not at all. One that tells somebody outside has to
wait for the commit.

event_received: sent once for each event that another system sent, with `event`, inside
the transaction that remembers it.
"""

from django.dispatch import Signal

event_recorded = Signal()
event_received = Signal()
