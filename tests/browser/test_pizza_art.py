"""The pizzas that draw themselves, without a browser."""

import math
import re
from itertools import combinations
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from pizzeria.menu.templatetags.pizza_art import (
    pizza_art,
    pizza_sprite,
    plate,
    sliced_pizza,
)
from pizzeria.menu.templatetags.scatter import SHAPES, blob, pieces, slug
from pizzeria.menu.toppings import TOPPINGS


def pizza(name="Pepperoni", toppings=("Pepperoni",)):
    return SimpleNamespace(name=name, toppings=list(toppings))


def laid_on(svg: str) -> list[str]:
    """The names of the parts of a drawing, from below to the top."""
    return [
        name for name in re.findall(r'href="#([a-z-]+)"', svg) if "plate" not in name
    ]


class TestSprite:
    def test_has_a_shape_of_its_own_for_every_topping_of_the_shop(self):
        sprite = pizza_sprite()

        for topping in TOPPINGS:
            assert f'id="s-{slug(topping)}"' in sprite
            assert f'id="t-{slug(topping)}"' in sprite

    def test_is_well_formed_and_refers_only_to_what_it_holds(self):
        sprite = pizza_sprite()

        ET.fromstring(sprite)  # noqa: S314  # the shop's own markup
        ids = re.findall(r' id="([^"]+)"', sprite)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', sprite)) <= set(ids)

    def test_holds_nothing_that_the_content_security_policy_refuses(self):
        assert not re.search(r"style=|<style|<script|\son\w+=|https?:", pizza_sprite())

    def test_is_small(self):
        assert len(pizza_sprite()) < 27_000


class TestScatter:
    def test_looks_the_same_in_every_process(self):
        # Pinned: a change here repaints every pizza, which should be meant.
        first, *_ = pieces()["Olives"]

        assert (first.x, first.y) == (-17, -29)

    @pytest.mark.parametrize("topping", SHAPES)
    def test_stays_on_the_pizza(self, topping):
        for piece in pieces()[topping]:
            assert math.hypot(piece.x, piece.y) <= 81

    @pytest.mark.parametrize(
        "topping", [name for name in SHAPES if SHAPES[name].radius]
    )
    def test_never_piles_a_topping_on_itself(self, topping):
        radius = SHAPES[topping].radius

        for one, other in combinations(pieces()[topping], 2):
            assert math.hypot(one.x - other.x, one.y - other.y) > 2 * radius

    def test_no_piece_hides_another(self):
        spots = [
            (piece, SHAPES[topping].radius)
            for topping in SHAPES
            for piece in pieces()[topping]
            if SHAPES[topping].radius
        ]

        for (one, radius), (other, other_radius) in combinations(spots, 2):
            gap = math.hypot(one.x - other.x, one.y - other.y)
            assert gap > 0.3 * (radius + other_radius)

    def test_an_outline_is_closed_and_keeps_its_size(self):
        path = blob("crust", 90, 0.02)

        numbers = [float(n) for n in re.findall(r"-?\d+\.\d", path)]
        assert path.startswith("M")
        assert path.endswith("Z")
        assert max(map(abs, numbers)) <= 90 * 1.06


class TestPizza:
    def test_shows_its_own_and_the_extra_toppings(self):
        drawn = laid_on(pizza_art(pizza(), "medium", ["Olives", "Ham"]))

        assert drawn == ["base-classic", "t-ham", "t-pepperoni", "t-olives"]

    def test_the_order_of_the_extras_does_not_matter(self):
        assert laid_on(pizza_art(pizza(), "small", ["Olives", "Ham"])) == laid_on(
            pizza_art(pizza(), "small", ["Ham", "Olives"])
        )

    def test_a_topping_lies_on_it_once(self):
        drawn = laid_on(pizza_art(pizza(), "small", ["Pepperoni"]))

        assert drawn.count("t-pepperoni") == 1

    def test_a_pizza_without_toppings_is_mozzarella_and_basil(self):
        drawn = laid_on(pizza_art(pizza("Margherita", []), "large"))

        assert drawn == ["base-margherita", "t-basil"]

    def test_barbecue_has_a_dark_sauce(self):
        drawn = laid_on(pizza_art(pizza("BBQ Chicken", ["Chicken"]), "large"))

        assert drawn == ["base-bbq", "t-chicken"]

    def test_is_scaled_with_its_size(self):
        scales = [
            float(scale)
            for size in ("small", "medium", "large")
            for scale in re.findall(r"scale\(([\d.]+)\)", pizza_art(pizza(), size))
        ]

        assert scales == sorted(set(scales))

    def test_says_in_words_what_it_shows(self):
        drawn = pizza_art(pizza(), "medium", ["Olives", "Red Onions"])

        title = "Medium Pepperoni with pepperoni, plus olives and red onions"
        assert f"<title>{title}</title>" in drawn
        assert 'role="img"' in drawn

    def test_a_name_is_text_and_nothing_else(self):
        drawn = pizza_art(pizza('<b onclick="x">&', []), "small")

        assert "<b" not in drawn
        ET.fromstring(drawn)  # noqa: S314  # the shop's own markup

    def test_a_topping_that_left_the_menu_is_strewn_as_flecks(self):
        drawn = pizza_art(pizza("Old", ["Artichokes"]), "large")

        assert laid_on(drawn) == ["base-classic", "t-other"]
        assert "artichokes" in drawn

    def test_an_unknown_size_is_drawn_whole(self):
        assert 'data-size="large"' in pizza_art(pizza(), "family")

    def test_is_small(self):
        assert len(pizza_art(pizza(toppings=TOPPINGS), "large")) < 1_000


class TestPlate:
    def test_slices_go_one_by_one(self):
        outlines = [
            outline
            for gone in range(9)
            for outline in re.findall(r'<path d="([^"]*)"', sliced_pizza(gone))
        ]

        assert len(set(outlines[1:])) == 8
        assert outlines[8] == ""

    def test_an_empty_plate_says_nothing(self):
        assert 'aria-hidden="true"' in plate()
        assert "<title>" not in plate()
