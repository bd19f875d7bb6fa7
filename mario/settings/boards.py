"""What the boards of kitchen and drivers call late."""

# Minutes since the order was placed.
KITCHEN_WAITING_MINUTES = 8
KITCHEN_LATE_MINUTES = 12
# Minutes since it was ready.
DELIVERY_WAITING_MINUTES = 10
DELIVERY_LATE_MINUTES = 15
# Where a tap on an address leads; the page itself asks nobody.
DELIVERY_MAP_URL = "https://www.openstreetmap.org/search?query={address}"
