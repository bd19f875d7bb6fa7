"""The record that all benchmarks keep."""

import secrets
from typing import Any


def sample_record() -> dict[str, Any]:
    """Return a session of about 3.6 KB: tokens, a person, a cart of three lines."""
    return {
        "tokens": {
            "access_token": _token(1200),
            "id_token": _token(1100),
            "refresh_token": _token(700),
            "expires_in": 300,
            "generation": 1,
        },
        "user_info": {
            "sub": "5ad8b0d2-4a0e-4d0c-9a63-5d2ad5c4a7a1",
            "preferred_username": "peach",
            "name": "Peach Toadstool",
            "email": "peach@example.com",
            "roles": ["customer", "default-roles-pyneuro", "offline_access"],
        },
        "_auth_user_id": "42",
        "_auth_user_backend": "mario.identity.oidc.KeycloakBackend",
        "_auth_user_hash": secrets.token_hex(32),
        "cart": {
            secrets.token_urlsafe(16): {
                "pizza": number,
                "size": "medium",
                "extra_toppings": ["Ham", "Olives"],
                "quantity": 2,
            }
            for number in range(3)
        },
    }


def _token(length: int) -> str:
    return secrets.token_urlsafe(length)[:length]
