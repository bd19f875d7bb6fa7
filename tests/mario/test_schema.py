"""The API's description is true: whatever is sent, nothing undocumented comes back."""

import hypothesis
import pytest
import schemathesis
import yaml
from django.conf import settings
from django.core import signals
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mario.wsgi import application
from pizzeria.menu.seed import seed_menu
from tests.mario.identity.conftest import issuer  # noqa: F401  # a fixture

pytestmark = pytest.mark.django_db

DESCRIPTION = SchemaGenerator().get_schema(public=True)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SCOPES = " ".join(
    sorted({scope for scope in settings.OIDC_API_SCOPES.values() if scope})
)


def described(*, is_thorough):
    """Read the description; thorough tests go to the limits of every field."""
    schema = schemathesis.openapi.from_dict(DESCRIPTION)
    schema.app = application
    schema.location = "/api/schema/"
    schema.config.phases.coverage.enabled = is_thorough
    return schema


quick, thorough = described(is_thorough=False), described(is_thorough=True)


@pytest.fixture(autouse=True)
def _one_connection():
    """Keep the test's transaction, as Django's own test client does."""
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


some = hypothesis.settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    # The same requests in each run: what fails in CI fails at home.
    derandomize=True,
)


def check(case, headers):
    seed_menu()
    response = case.call(headers=headers)
    case.validate_response(response, checks=CHECKS, headers=headers)


def bearer(issuer, *roles):  # noqa: F811  # the fixture
    claims = issuer.claims(scope=SCOPES, realm_access={"roles": list(roles)})
    return {"Authorization": f"Bearer {issuer.sign(claims)}"}


@quick.parametrize()
@some
def test_every_answer_to_a_stranger_is_documented(case):
    check(case, {})


@quick.parametrize()
@some
def test_every_answer_to_a_customer_is_documented(case, issuer):  # noqa: F811
    check(case, bearer(issuer, "customer"))


@thorough.parametrize()
@some
def test_every_answer_to_staff_is_documented(case, issuer):  # noqa: F811
    check(case, bearer(issuer, "chef", "delivery_driver", "manager"))


def test_the_published_file_is_the_description():
    published = yaml.safe_load((settings.BASE_DIR / "docs/openapi.yaml").read_text())

    assert published == yaml.safe_load(OpenApiYamlRenderer().render(DESCRIPTION)), (
        "docs/openapi.yaml is not up to date: run `make docs`"
    )
