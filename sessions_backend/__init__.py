"""A Django session engine on Redis: one readable, revocable session for everyone."""
