"""How the work of each cook and driver was rated, and what was said of it."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Sum

from pizzeria.ratings.models import Rating

MOST_SAID = 10


@dataclass
class Rated:
    """Several ratings as one."""

    count: int = 0
    stars: int = 0

    @property
    def average(self) -> float | None:
        return self.stars / self.count if self.count else None

    def add(self, count: int, stars: int) -> None:
        self.count += count
        self.stars += stars


@dataclass
class RatingsOfPeriod:
    """All of a period by the time they were given; people by user id, as text."""

    total: Rated = field(default_factory=Rated)
    cooks: defaultdict[str, Rated] = field(default_factory=lambda: defaultdict(Rated))
    drivers: defaultdict[str, Rated] = field(default_factory=lambda: defaultdict(Rated))


def ratings_between(begins_at: datetime, ends_at: datetime) -> RatingsOfPeriod:
    """Count in one query, which its index answers."""
    rated = RatingsOfPeriod()
    rows = (
        Rating.objects.filter(rated_at__gte=begins_at, rated_at__lt=ends_at)
        .order_by()
        .values_list("cook", "driver")
        .annotate(Count("stars"), Sum("stars"))
    )
    for cook, driver, count, stars in rows:
        rated.total.add(count, stars)
        rated.cooks[str(cook)].add(count, stars)
        rated.drivers[str(driver)].add(count, stars)
    return rated


def said_between(begins_at: datetime, ends_at: datetime) -> list[Rating]:
    """List the newest ratings that came with words."""
    found = Rating.objects.filter(rated_at__gte=begins_at, rated_at__lt=ends_at)
    return list(found.exclude(words="")[:MOST_SAID])
