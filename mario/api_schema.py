"""What every operation of the API may answer, whatever it does."""

from typing import Any

from pizzeria.api_errors import ErrorSerializer

# Before a view has its turn: a request that names its caller in two ways, a token that
# must not be believed or is for something else, too many requests, an outage.
_ANYWHERE = {
    "400": "The request is not as it must be; see `code`.",
    "401": "Nobody is logged in, or the token is not valid.",
    "403": "The caller, or the token's scope, does not allow this.",
    "404": "There is no such page of the list.",
    "411": "The request does not say how long it is.",
    "413": "The request is larger than 256 KiB.",
    "429": "Too many requests; `Retry-After` says when to come back.",
    "503": "The database, the login or its session cannot be reached now; see "
    "`Retry-After`.",
}


def document_refusals(
    result: dict[str, Any], generator: Any, **_: Any
) -> dict[str, Any]:
    """Add those answers to each operation that does not describe them itself."""
    name = ErrorSerializer.__name__.removesuffix("Serializer")
    schema = {"$ref": f"#/components/schemas/{name}"}
    for operations in result["paths"].values():
        for operation in operations.values():
            names = {one["name"] for one in operation.get("parameters", ())}
            for status, description in _ANYWHERE.items():
                if status == "404" and "page" not in names:
                    continue
                operation["responses"].setdefault(
                    status,
                    {
                        "description": description,
                        "content": {"application/json": {"schema": schema}},
                    },
                )
    return result
