"""Who somebody is: login through Keycloak, and the bearer tokens of that login."""
