from django.contrib import admin
from django.urls import include, path
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from mario import health, metrics, offline
from mario.settings.security import SECURE_CSP

handler400 = "mario.errors.bad_request"
handler403 = "mario.errors.permission_denied"
handler404 = "mario.errors.not_found"
handler500 = "mario.errors.server_error"

# Swagger UI writes style attributes; its scripts are files of our own.
DOCS_CSP: dict[str, list[str]] = {
    **SECURE_CSP,
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
}
_api_docs = SpectacularSwaggerSplitView.as_view(
    url_name="api_schema", url_self="/api/docs/"
)

urlpatterns = [
    path("", include("pizzeria.urls")),
    path("auth/", include("mario.identity.urls")),
    path("account/", include("mario.account.urls")),
    path("api/", include("pizzeria.api_urls")),
    path("api/", include("mario.account.api_urls")),
    path("api/docs/", csp_override(DOCS_CSP)(_api_docs), name="api_docs"),
    path("api/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("admin/", admin.site.urls),
    path("offline/", offline.offline, name="offline"),
    path("service-worker.js", offline.service_worker, name="service_worker"),
    path("health", health.health, name="health"),
    path("ready", health.ready, name="ready"),
    path("metrics", metrics.metrics, name="metrics"),
]
