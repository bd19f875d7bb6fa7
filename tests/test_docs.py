"""What the docs name exists, and what exists is documented, or the build is red."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import grimp
import pytest
from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.urls import URLResolver, get_resolver
from prometheus_client.metrics import MetricWrapperBase

from docs import reference
from mario.demo import options
from sessions_backend import metrics

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]
OWN_PACKAGES = ("mario", "pizzeria", "sessions_backend")
# Every address of these libraries is behind one of ours.
SKIPPED_NAMESPACES = {"admin"}


def _text(name: str) -> str:
    return (ROOT / name).read_text()


class TestConfiguration:
    def test_the_table_is_the_one_that_the_model_makes(self):
        assert reference.PAGE.read_text() == reference.generated_page(), (
            "docs/configuration.md is not up to date: run `make docs`"
        )

    def test_every_variable_of_the_demo_is_listed(self):
        page = _text("docs/configuration.md")
        names = [*options.PORTS, "IDP", "DEMO_VAR", "KEYCLOAK_SERVER_URL", "REDIS_URL"]

        assert [name for name in names if f"| `{name}` |" not in page] == []

    def test_every_variable_that_the_demo_and_the_realm_read_is_listed(self):
        page = _text("docs/configuration.md")
        read = {
            name
            for file in [
                *ROOT.glob("mario/demo/*.py"),
                *ROOT.glob("mario/devrealm/*.py"),
            ]
            for name in re.findall(
                r"(?:environ|variables|given)(?:\.get\(|\[)\s*\"([A-Z_]+)\"",
                file.read_text(),
            )
        }
        # Django's own, and the handle by which tests make the realm misbehave.
        read -= {"DJANGO_SETTINGS_MODULE", "DEV_REALM_CONTROL"}

        assert read
        assert sorted(name for name in read if f"`{name}`" not in page) == []

    def test_every_placeholder_of_the_realm_file_is_listed(self):
        page = _text("docs/configuration.md")
        realm = _text("deployment/keycloak/pyneuro-realm.json")
        names = set(re.findall(r"\$\{([A-Z_]+)[:}]", realm))

        assert sorted(name for name in names if f"`{name}`" not in page) == []

    def test_every_variable_of_the_compose_files_is_listed(self):
        guide = _text("docs/deployment.md")
        example = _text("deployment/docker-compose/.env.example")
        files = (ROOT / "deployment" / "docker-compose").glob("*.yml")
        names = {
            name
            for file in files
            for name in re.findall(r"(?<!\$)\$\{([A-Z_]+)", file.read_text())
        }

        assert names
        assert sorted(name for name in names if f"`{name}`" not in guide) == []
        undocumented = {name for name in names if name not in example}
        assert undocumented <= {"LOG_LEVEL"}


class TestTheEngine:
    """Its README is all that a project which installs the package has."""

    def test_every_setting_is_listed(self):
        page = _text("sessions_backend/README.md")
        read = set(re.findall(r"\bSESSION_[A-Z_]+", _text("sessions_backend/conf.py")))

        assert read
        assert sorted(name for name in read if f"| `{name}` |" not in page) == []

    def test_every_metric_is_listed(self):
        page = _text("sessions_backend/README.md")
        names = {
            f"{family.name}_total" if family.type == "counter" else family.name
            for metric in vars(metrics).values()
            if isinstance(metric, MetricWrapperBase)
            for family in metric.collect()
        }

        assert names
        assert sorted(name for name in names if f"| `{name}` |" not in page) == []

    def test_every_event_that_is_counted_is_listed(self):
        page = _text("sessions_backend/README.md")
        counted = {
            event
            for file in (ROOT / "sessions_backend").rglob("*.py")
            for event in re.findall(r"health\.count\(\"(\w+)\"", file.read_text())
        }

        assert counted
        assert sorted(event for event in counted if f"| `{event}` |" not in page) == []


class TestCommands:
    def test_every_command_of_ours_is_listed(self):
        page = _text("docs/routes-and-commands.md")

        assert [
            name for name in _own_commands() if f"`manage.py {name}" not in page
        ] == []

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_every_command_that_a_page_names_exists(self, page):
        named = re.findall(r"manage\.py ([a-z_]+)", page.read_text())

        assert [name for name in named if name not in get_commands()] == []

    def test_every_word_of_make_is_listed_and_exists(self):
        makefile = _text("Makefile")
        phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
        assert phony is not None
        words = set(phony[1].split()) - {"help"}
        table = _text("docs/routes-and-commands.md")
        listed = set(re.findall(r"^\| `make ([a-z-]+)` \|", table, re.MULTILINE))
        named = {
            word
            for page in PAGES
            for word in re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text())
        }

        assert listed == words
        assert named <= words

    def test_every_part_of_sessions_is_listed(self):
        command = load_command_class(get_commands()["sessions"], "sessions")
        parser = command.create_parser("manage.py", "sessions")
        parts = next(
            list(action.choices)
            for action in parser._actions
            if action.choices and "list" in action.choices
        )
        page = _text("docs/routes-and-commands.md")

        assert [
            part for part in parts if f"`manage.py sessions {part}" not in page
        ] == []


class TestRoutes:
    def test_every_route_is_listed_with_its_address(self):
        page = _text("docs/routes-and-commands.md")
        missing = [
            f"{route} ({name})"
            for route, name in _routes(get_resolver(), "/")
            if f"`{route}`" not in page or f"`{name}`" not in page
        ]

        assert missing == []

    def test_every_listed_route_exists(self):
        page = _text("docs/routes-and-commands.md").partition("## Management")[0]
        rows = re.findall(r"^\| (`/.+?) \| (`.+?`) \|", page, re.MULTILINE)
        listed = {
            (route, name)
            for routes, names in rows
            for route, name in zip(
                re.findall(r"`(.+?)`", routes),
                re.findall(r"`(.+?)`", names),
                strict=True,
            )
        }

        assert listed - set(_routes(get_resolver(), "/")) <= {
            ("/admin/", "admin:index")
        }


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_lead_to_files_that_exist(self, page):
        targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
        broken = [
            target
            for target in targets
            if not urlsplit(target).scheme
            and not (page.parent / urlsplit(target).path).exists()
        ]

        assert broken == []


class TestFaults:
    def test_every_fault_of_redis_has_its_row(self):
        table = _text("docs/faults.md").partition("## What tells of it")[0]
        numbers = re.findall(r"^\| (\d+) ", table, re.MULTILINE)

        assert {*range(1, 35), 57} <= set(map(int, numbers))

    def test_every_fault_of_keycloak_has_its_row(self):
        table = _text("docs/faults.md").partition("# Faults of Keycloak")[2]
        numbers = re.findall(r"^\| (\d+) ", table, re.MULTILINE)

        assert {*range(36, 48)} <= set(map(int, numbers))

    def test_every_test_that_the_table_names_exists(self):
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", _text("docs/faults.md"))
        missing = [
            f"{file}::{name}"
            for file, name in named
            if not re.search(rf"^(def|class) {name}\b", _text(file), re.MULTILINE)
        ]

        assert len(named) > 34
        assert missing == []


class TestProofs:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_every_test_that_a_page_names_exists(self, page):
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", page.read_text())
        missing = [
            f"{file}::{test}"
            for file, test in named
            if not any(
                f"def {test}(" in found.read_text()
                for found in ROOT.glob(f"tests/**/{file}")
            )
        ]

        assert missing == []

    @pytest.mark.parametrize(
        ("page", "numbers"),
        [("bad-inputs.md", range(1, 85)), ("identity.md", range(1, 43))],
    )
    def test_no_number_is_left_out(self, page, numbers):
        prefix = "G" if page == "identity.md" else ""
        rows = re.findall(
            rf"^\| {prefix}(\d+) \| .*::test_", _text(f"docs/{page}"), re.MULTILINE
        )

        assert [int(number) for number in rows] == list(numbers)


class TestDecisions:
    def test_every_runtime_dependency_has_its_reason(self):
        project = tomllib.loads(_text("pyproject.toml"))
        groups = project["dependency-groups"]
        page = _text("docs/decisions/0005-runtime-dependencies.md")
        names = [
            re.split(r"[^a-z0-9-]", wanted)[0]
            for wanted in [*groups["app"], *groups["demo"]]
        ]

        assert [name for name in names if f"`{name}`" not in page] == []


class TestArchitecture:
    def test_the_arrows_are_the_imports(self):
        page = _text("docs/architecture.md")
        diagram = page.partition("<!-- imports: begin -->")[2].partition(
            "<!-- imports"
        )[0]
        drawn = set(re.findall(r"^ +(\S+) --> (\S+)$", diagram, re.MULTILINE))

        assert drawn == _imports_between_packages()


def _own_commands() -> list[str]:
    own = {
        app.name for app in apps.get_app_configs() if app.name.startswith(OWN_PACKAGES)
    }
    return sorted(name for name, app in get_commands().items() if app in own)


def _routes(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in resolver.url_patterns:
        address = prefix + str(entry.pattern).lstrip("^").rstrip("$")
        if isinstance(entry, URLResolver):
            if entry.namespace not in SKIPPED_NAMESPACES:
                yield from _routes(entry, address)
        elif entry.name:
            yield address, entry.name


def _imports_between_packages() -> set[tuple[str, str]]:
    graph = grimp.build_graph(*OWN_PACKAGES, cache_dir=None)
    return {
        arrow
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if (arrow := (_box(module), _box(imported)))[0] != arrow[1]
    }


def _box(module: str) -> str:
    """Name the box of the diagram that a module is drawn in."""
    package, _, rest = module.partition(".")
    if package != "mario":
        return package
    part = rest.partition(".")[0]
    return (
        f"mario.{part}" if part in {"identity", "demo", "devrealm"} else "mario.project"
    )


class TestDefects:
    def test_all_44_have_a_row(self):
        assert [number for number, _ in _defects()] == list(range(1, 45))

    def test_every_test_that_the_table_names_exists(self):
        named = [test for _, test in _defects() if test != "open"]

        assert [test for test in named if not _is_there(*test.split("::"))] == []


class TestWishes:
    def test_every_test_that_the_tables_name_exists(self):
        named = [test for _, test in _wishes() if test != "declined"]

        assert len(named) > 60
        assert [test for test in named if not _is_there(*test.split("::"))] == []

    def test_three_are_declined_each_with_its_decision(self):
        declined = [row for row, test in _wishes() if test == "declined"]
        led_to = {
            file
            for row, _ in _wishes()
            if "declined" in row
            for file in re.findall(r"\(decisions/([\w-]+\.md)\)", row)
        }
        declining = {
            file.name
            for file in (ROOT / "docs" / "decisions").glob("*.md")
            if re.search(r"\*\*Status:.* Declines ", file.read_text())
        }

        assert [row for row in declined if "(decisions/" not in row] == []
        assert len(led_to) == 3
        assert led_to == declining


def _wishes() -> list[tuple[str, str]]:
    """Read each row, and the test that it names or "declined"."""
    rows = re.findall(
        r"^(\| .+ \|) (?:`([^`]+)`|(declined)) \|$",
        _text("docs/wishes.md"),
        re.MULTILINE,
    )
    return [(row, test or declined) for row, test, declined in rows]


def _defects() -> list[tuple[int, str]]:
    """Read number and test of each row."""
    page = _text("docs/defects.md")
    rows = re.findall(r"^\| (\d+) \|.*\| `([^`]+)` \|$", page, re.MULTILINE)
    return [(int(number), test) for number, test in rows]


def _is_there(file: str, test: str) -> bool:
    path = ROOT / "tests" / file
    return path.exists() and f"def {test}(" in path.read_text()
