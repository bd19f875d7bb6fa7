"""Where each topping lies: the same on every pizza, and nothing piled on its like."""

import hashlib
import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple


class Shape(NamedTuple):
    """How one topping is strewn; a radius of 0 is a drizzle over the whole pizza."""

    pieces: int
    radius: float

    @property
    def reach(self) -> float:
        """How far from the middle a piece may lie and still be on the cheese."""
        return 79 - self.radius


class Piece(NamedTuple):
    x: int
    y: int
    angle: int
    scale: float


# In the order they are laid on, so the last lie on top. The pizza's radius is 96.
SHAPES = {
    "Tomato Sauce": Shape(6, 11),
    "BBQ": Shape(1, 0),
    "Cheese": Shape(8, 11),
    "Ham": Shape(6, 14),
    "Pepperoni": Shape(9, 12.5),
    "Chicken": Shape(7, 10.5),
    "Sausage": Shape(8, 9),
    "Bacon": Shape(6, 13),
    "Spinach": Shape(7, 11),
    "Mushrooms": Shape(6, 11.5),
    "Pineapple": Shape(7, 9.5),
    "Bell Peppers": Shape(6, 12),
    "Onions": Shape(6, 11),
    "Red Onions": Shape(6, 11),
    "Olives": Shape(9, 6.5),
    "Basil": Shape(5, 13),
}
# What the menu does not know by name (an old order's) is strewn as green flecks.
UNKNOWN = Shape(12, 4)
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
# How far a piece tries to move, again and again: far at first, then a little.
_NUDGES = [24 * 0.92**step for step in range(30)]
# What an even spread of one topping counts, against room for the others.
_EVENNESS = 9
type _Spot = tuple[float, float, float]


def slug(topping: str) -> str:
    return topping.lower().replace(" ", "-")


def chances(seed: str) -> Iterator[float]:
    """Numbers from 0 to 1 that are the same in every process and version."""
    block = hashlib.sha256(seed.encode()).digest()
    while True:
        for start in range(0, len(block), 4):
            yield int.from_bytes(block[start : start + 4]) / 2**32
        block = hashlib.sha256(block).digest()


@cache
def pieces() -> dict[str, list[Piece]]:
    """
    Place every topping, each from the seed of its own name.

    All toppings share one plan, so that any two of them, whichever pizza they meet
    on, leave each other as much room as there is.
    """
    plan: dict[str, list[Piece]] = {}
    laid: list[_Spot] = []
    shapes = {**SHAPES, "other": UNKNOWN}
    # The bigger a piece, the earlier it chooses its place.
    for topping in sorted(shapes, key=lambda name: -shapes[name].radius):
        shape = shapes[topping]
        chance = chances(topping)
        spots = _spread(shape, chance, laid) if shape.radius else [(0.0, 0.0)]
        plan[topping] = [
            Piece(
                x=round(x),
                y=round(y),
                angle=round(next(chance) * 360) if shape.radius else 0,
                scale=round(1 + next(chance) * 0.2, 1) if shape.radius else 1,
            )
            for x, y in spots
        ]
        if shape.radius:
            laid += [(x, y, shape.radius) for x, y in spots]
    return plan


def _spread(
    shape: Shape, chance: Iterator[float], laid: list[_Spot]
) -> list[tuple[float, float]]:
    """Lay the pieces along a sunflower's spiral, then nudge each to a better place."""
    phase = math.tau * next(chance)
    spots = []
    for number in range(shape.pieces):
        distance = shape.reach * math.sqrt((number + 0.5) / shape.pieces)
        turn = phase + _GOLDEN_ANGLE * number
        spots.append((distance * math.cos(turn), distance * math.sin(turn)))
    for step in _NUDGES:
        for number, (x, y) in enumerate(spots):
            own = spots[:number] + spots[number + 1 :]
            tries = [(x, y)]
            for _ in range(3):
                turn = math.tau * next(chance)
                tries.append((x + step * math.cos(turn), y + step * math.sin(turn)))
            spots[number] = min(
                tries, key=lambda spot: _crowding(spot, shape, own, laid)
            )
    return spots


def _crowding(
    spot: tuple[float, float],
    shape: Shape,
    own: list[tuple[float, float]],
    laid: list[_Spot],
) -> float:
    """How bad a place is: off the pizza, near its like, or on another's middle."""
    x, y = spot
    crowding = max(0.0, math.hypot(x, y) - shape.reach)
    # The distance between neighbours, if all were spread perfectly.
    fair = 1.75 * shape.reach / math.sqrt(shape.pieces)
    for other_x, other_y in own:
        gap = math.hypot(x - other_x, y - other_y) / fair
        if gap < 1:
            crowding += _EVENNESS * (1 - gap) ** 2
    for other_x, other_y, radius in laid:
        gap = math.hypot(x - other_x, y - other_y) / (shape.radius + radius)
        if gap < 1:
            crowding += 6 * (1 - gap) ** 3
    return crowding


def blob(seed: str, radius: float, wobble: float, corners: int = 18) -> str:
    """A closed, hand-made looking outline, as the `d` of an SVG path."""
    chance = chances(seed)
    points = []
    for corner in range(corners):
        length = radius * (1 + wobble * (2 * next(chance) - 1))
        turn = math.tau * corner / corners
        points.append((length * math.cos(turn), length * math.sin(turn)))
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for corner in range(corners):
        # Catmull-Rom through the corners, written as cubic curves.
        before, here = points[corner - 1], points[corner]
        there, after = points[(corner + 1) % corners], points[(corner + 2) % corners]
        numbers = (
            *(h + (t - b) / 6 for h, t, b in zip(here, there, before, strict=True)),
            *(t - (a - h) / 6 for t, a, h in zip(there, after, here, strict=True)),
            *there,
        )
        path.append("C" + " ".join(f"{number:.1f}" for number in numbers))
    return "".join([*path, "Z"])
