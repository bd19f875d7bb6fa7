"""
The embedded development realm: an understudy for Keycloak, on loopback only.

It reads the realm file Keycloak imports, answers under Keycloak's own URLs and
gives tokens of the same shape. Where the two differ, Keycloak is right.
"""
