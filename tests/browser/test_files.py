"""What the pages are made of, without a browser: error pages, colours, files."""

import hashlib
import re

import pytest
from django.conf import settings
from django.template.loader import render_to_string

STATIC = settings.BASE_DIR / "pizzeria" / "static" / "pizzeria"

ERROR_PAGES = [
    "400.html",
    "403.html",
    "403_csrf.html",
    "404.html",
    "500.html",
    "503.html",
    "identity/logged_out.html",
    "identity/login_failed.html",
    "identity/not_staff.html",
    "sessions_backend/unavailable.html",
]


class TestErrorPages:
    @pytest.mark.parametrize("template", ERROR_PAGES)
    def test_need_no_request_no_session_and_no_database(self, template):
        # Without the `db` fixture any query is an error.
        page = render_to_string(template, {"reason": "No.", "retry_url": "/auth/login"})

        assert page.count("<h1") == 1
        assert page.count("<main") == 1

    @pytest.mark.parametrize("template", ERROR_PAGES)
    def test_offer_a_way_on(self, template):
        page = render_to_string(template, {"retry_url": "/auth/login"})

        assert 'class="btn' in page

    @pytest.mark.parametrize("template", ERROR_PAGES)
    def test_say_whom_to_call(self, template):
        # In the same place on every page: the foot.
        _, foot = render_to_string(template).split("<footer", 1)

        assert 'Help: <a class="phone" href="tel:+12025550100">' in foot


class TestTokens:
    """Colours, read from the stylesheet and computed as WCAG 2.2 says."""

    INKS = {
        "charcoal": ("flour", "card", "dough", "tomato-tint", "crust-tint"),
        "ash": ("flour", "card", "dough"),
        "tomato": ("flour", "card", "tomato-tint"),
        "on-tomato": ("tomato", "tomato-deep", "basil", "basil-ink"),
        "crust-ink": ("crust-tint", "card"),
        "basil-ink": ("basil-tint", "card"),
        "on-brand": ("brand",),
        "flour": ("charcoal",),
        "brand": ("on-brand",),
    }
    # What shows where a control ends; WCAG asks 3:1 of it.
    EDGES = {"edge": ("flour", "card"), "focus": ("flour", "card", "tomato-tint")}

    @staticmethod
    def themes() -> dict[str, dict[str, str]]:
        css = (STATIC / "css" / "tokens.css").read_text()
        root = re.compile(r"((?:@media[^{]+\{\s*)?):root \{(.*?)\n *\}", re.DOTALL)
        light: dict[str, str] = {}
        dark: dict[str, str] = {}
        for media, block in root.findall(css):
            found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
            (dark if "dark" in media else light).update(found)
        return {"light": light, "dark": light | dark}

    @staticmethod
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in channels
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(self, one: str, other: str) -> float:
        darker, lighter = sorted((self.luminance(one), self.luminance(other)))
        return (lighter + 0.05) / (darker + 0.05)

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("ink", INKS)
    def test_text_can_be_read(self, theme, ink):
        colours = self.themes()[theme]

        for paper in self.INKS[ink]:
            contrast = self.contrast(colours[ink], colours[paper])
            assert contrast >= 4.5, f"{ink} on {paper}: {contrast:.2f}"

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("edge", EDGES)
    def test_edges_can_be_seen(self, theme, edge):
        colours = self.themes()[theme]

        for paper in self.EDGES[edge]:
            contrast = self.contrast(colours[edge], colours[paper])
            assert contrast >= 3, f"{edge} on {paper}: {contrast:.2f}"

    def test_are_the_ones_that_were_chosen(self):
        light, dark = self.themes().values()

        assert (light["tomato"], dark["tomato"]) == ("#c62828", "#ef5350")
        assert (light["basil"], dark["basil"]) == ("#2e7d32", "#66bb6a")
        assert (light["charcoal"], dark["charcoal"]) == ("#212121", "#f2efe9")
        assert (light["flour"], dark["flour"]) == ("#faf7f2", "#171513")


class TestVendoredFiles:
    TABLE = re.compile(r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", re.MULTILINE)

    def test_are_the_ones_that_are_listed(self):
        folder = STATIC / "vendor"
        listed = dict(self.TABLE.findall((folder / "VENDOR.md").read_text()))

        found = {
            path.relative_to(folder).as_posix(): hashlib.sha256(
                path.read_bytes()
            ).hexdigest()
            for path in folder.rglob("*")
            if path.suffix in {".js", ".css", ".woff2"}
        }

        assert found == listed

    def test_name_no_map_that_is_not_there(self):
        # The hashed static storage would look for it, and fail the build.
        for path in (STATIC / "vendor").rglob("*.*s"):
            assert b"sourceMappingURL" not in path.read_bytes()


def test_templates_hold_nothing_that_the_csp_refuses():
    root = settings.BASE_DIR
    templates = [
        *(root / "mario" / "templates").rglob("*.html"),
        *(root / "pizzeria").glob("*/templates/**/*.html"),
    ]

    assert templates
    for template in templates:
        refused = re.search(
            r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:|//cdn",
            template.read_text(),
        )
        assert refused is None, f"{template}: {refused}"
