"""Answers that a client which polls need not read twice."""

import hashlib
from typing import Any

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of an earlier answer: 304 and no body if it still holds.",
)
NOT_MODIFIED = {304: OpenApiResponse(description="What you have still holds.")}


def unless_unchanged(request: Request, data: Any) -> HttpResponseBase:
    """Answer with the data and its tag, or with 304 if the caller has just that."""
    body = JSONRenderer().render(data)
    tag = quote_etag(hashlib.sha256(body).hexdigest()[:32])
    response = Response(data, headers={"ETag": tag, "Cache-Control": "no-cache"})
    answer = get_conditional_response(request._request, etag=tag, response=response)  # noqa: SLF001
    return response if answer is None else answer
