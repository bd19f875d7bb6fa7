"""
The whole shop on one machine: Valkey, a login realm and the shop itself.

Knows no Django: it makes the environment that the settings are read from.
"""
