"""Your account: where somebody is logged in, the end of it, and what was recorded."""
