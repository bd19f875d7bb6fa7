"""What the boards of kitchen and drivers call late."""

from mario.settings.base import env

# Since the order was placed.
KITCHEN_WAITING_MINUTES = env.kitchen_waiting_minutes
KITCHEN_LATE_MINUTES = env.kitchen_late_minutes
# Since it was ready.
DELIVERY_WAITING_MINUTES = env.delivery_waiting_minutes
DELIVERY_LATE_MINUTES = env.delivery_late_minutes
# Where a tap on an address leads; the page itself asks nobody.
DELIVERY_MAP_URL = "https://www.openstreetmap.org/search?query={address}"
