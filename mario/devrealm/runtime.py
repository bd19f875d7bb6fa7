"""The one realm of this process, put together once."""

import os
from dataclasses import dataclass
from functools import cache

from mario.devrealm.environment import Environment, read_environment
from mario.devrealm.keys import Keys
from mario.devrealm.realm_file import RealmFile, read_realm_file
from mario.devrealm.sign_ins import SignIns
from mario.devrealm.store import Store


@dataclass(frozen=True, kw_only=True)
class Realm:
    """Everything the endpoints need to answer."""

    environment: Environment
    file: RealmFile
    store: Store
    keys: Keys
    sign_ins: SignIns

    @property
    def issuer(self) -> str:
        return f"{self.environment.public_url}/realms/{self.file.name}"

    @property
    def protocol_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect"


@cache
def realm() -> Realm:
    """
    Return the realm, opened at the first call.

    :raises RealmRefused: if its environment or its file does not allow it
    """
    environment = read_environment()
    file = read_realm_file(environment.realm_file, os.environ)
    store = Store(environment.state)
    return Realm(
        environment=environment,
        file=file,
        store=store,
        keys=Keys(store),
        sign_ins=SignIns(store, file),
    )
