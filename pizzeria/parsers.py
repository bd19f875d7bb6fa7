import io
from http import HTTPStatus
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser


class TooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "This is more than the shop reads. Nothing was done with it."
    default_code = "too_large"


class BoundedJSONParser(JSONParser):
    """JSON, whose size and nesting a caller cannot use to break the server."""

    def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Read no more than DATA_UPLOAD_MAX_MEMORY_SIZE, whatever length was told.

        :raises TooLarge: if there is more
        :raises ParseError: if it is no JSON, or nested too deeply
        """
        most: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise TooLarge
        try:
            return super().parse(io.BytesIO(body), *args, **kwargs)
        except RecursionError as error:
            raise ParseError("JSON parse error - it is nested too deeply.") from error
