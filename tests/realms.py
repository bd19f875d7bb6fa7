"""
The two realms as real servers: the embedded one and a real Keycloak.

Both have the same interface, so a test that takes a realm runs against either.
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urljoin

import httpx
from joserfc.jwk import RSAKey

from mario.devrealm import keycloak
from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent
_LOGIN_FORM = re.compile(r'<form[^>]*\bid="kc-form-login"[^>]*>', re.DOTALL)
_ACTION = re.compile(r'\baction="([^"]+)"')
_INHERITED = ("PATH", "HOME", "JAVA_HOME", "KEYCLOAK_HOME", "LANG", "TMPDIR")


class RunningRealm:
    """What a test may know of a realm, whichever it is."""

    realm: ClassVar[str] = "pyneuro"
    client_id: ClassVar[str] = "mario-app"
    client_secret: ClassVar[str] = "mario-secret-123"

    def __init__(
        self,
        folder: Path,
        *,
        shop_url: str = "http://localhost:8080",
        shop_copy_url: str = "http://localhost:8081",
        shop_internal_url: str | None = None,
        port: int | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://localhost:{self.port}"
        self.shop_url = shop_url
        self.log_file = folder / "realm.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            name: os.environ[name] for name in _INHERITED if name in os.environ
        } | {
            "SHOP_URL": shop_url,
            "SHOP_COPY_URL": shop_copy_url,
            "SHOP_INTERNAL_URL": shop_internal_url or shop_url,
            "KEYCLOAK_CLIENT_SECRET": self.client_secret,
        }

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/{self.realm}"

    @property
    def protocol_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect"

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def sign_out(self, username: str) -> None:
        """End every sign-in of a person, as an administrator does."""
        raise NotImplementedError

    def rotate_keys(self) -> None:
        """Sign with a new key from now on; the old one stays published."""
        raise NotImplementedError

    def forget_old_keys(self) -> None:
        """Publish only the key that signs now."""
        raise NotImplementedError

    def private_key(self) -> RSAKey:
        """Return a key whose public half the realm publishes, with its `kid`."""
        raise NotImplementedError

    def switch_off(self, username: str) -> None:
        """Disable a person's account."""
        raise NotImplementedError

    def switch_on(self, username: str) -> None:
        raise NotImplementedError

    def give_roles(self, username: str, *roles: str) -> None:
        """Let a person have these realm roles of the shop, and no others of them."""
        raise NotImplementedError

    def expired_sign_ins(self) -> AbstractContextManager[None]:
        """Let every sign-in of now have reached its end, for as long as this lasts."""
        raise NotImplementedError

    def start(self) -> Self:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class DevRealm(RunningRealm):
    """``python -m mario.devrealm`` on a free port, with its control surface."""

    control_token: ClassVar[str] = "the-hand-of-the-tests"

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.environment |= {
            "DEV_REALM": "true",
            "DEV_REALM_STATE": str(folder / "state"),
            "DEV_REALM_CONTROL": self.control_token,
        }

    def start(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mario.devrealm", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        if self.process is not None:
            keycloak.stop(self.process, seconds=10)
            self.process = None

    def kill(self) -> None:
        """End the realm as a crash does."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=10)
            self.process = None

    def control(self, order: str, method: str = "POST", **orders: Any) -> Any:
        """Give an order: ``keys/rotate``, ``keys/forget``, ``faults``, ``mint``."""
        answer = httpx.request(
            method,
            f"{self.url}/control/{order}",
            json=orders,
            headers={"X-Devrealm-Control": self.control_token},
            timeout=20,
        )
        answer.raise_for_status()
        return answer.json()

    def sign_out(self, username: str) -> None:
        self.control("sign-out", username=username)

    def rotate_keys(self) -> None:
        self.control("keys/rotate")

    def switch_off(self, username: str) -> None:
        self.control("people", username=username, enabled=False)

    def switch_on(self, username: str) -> None:
        self.control("people", username=username, enabled=True)

    def give_roles(self, username: str, *roles: str) -> None:
        self.control("people", username=username, realmRoles=list(roles))

    @contextmanager
    def expired_sign_ins(self) -> Iterator[None]:
        file = self.folder / "state" / "devrealm.sqlite3"
        with closing(sqlite3.connect(file, timeout=10)) as store, store:
            store.execute("UPDATE sign_in SET started_at = 0")
        yield

    def forget_old_keys(self) -> None:
        self.control("keys/forget")

    def private_key(self) -> RSAKey:
        """Out of its database: the one that signs."""
        file = self.folder / "state" / "devrealm.sqlite3"
        with closing(sqlite3.connect(file)) as store:
            (jwk,) = store.execute(
                "SELECT jwk FROM signing_key WHERE use = 'sig' ORDER BY made_at DESC"
            ).fetchone()
        return RSAKey.import_key(json.loads(jwk))

    def misbehave(self, endpoint: str, **fault: Any) -> None:
        """
        Make an endpoint slow (``delay=``) or wrong (``status=``, ``body=``).

        Endpoints: auth, token, certs, userinfo, revoke, logout, discovery.
        ``times=`` bounds how many requests meet it.
        """
        self.control("faults", endpoint=endpoint, **fault)

    def behave(self) -> None:
        self.control("faults", method="DELETE")

    def mint(self, claims: dict[str, Any], **header: Any) -> str:
        """Return a token with any claims, signed with the realm's own key."""
        token: str = self.control("mint", claims=claims, header=header)["token"]
        return token

    def _wait_until_ready(self, seconds: float = 40) -> None:
        process, ends = self.process, time.monotonic() + seconds
        assert process is not None
        while time.monotonic() < ends and process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=2).is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"The development realm did not start:\n{self.log[-3000:]}")


class Keycloak(RunningRealm):
    """A real Keycloak with a fresh database and the realm imported."""

    _given: RSAKey | None = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def start(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        keycloak.prepare(self.home, self.environment)
        self.process = keycloak.start(
            self.home, port=self.port, variables=self.environment, log=self.log_file
        )
        try:
            keycloak.wait_ready(self.process, port=self.port)
        except keycloak.KeycloakUnavailable as error:
            self.stop()
            raise RuntimeError(f"{error}\n{self.log[-3000:]}") from error
        keycloak.keep_build(self.home)
        return self

    def stop(self) -> None:
        if self.process is not None:
            keycloak.stop(self.process)
            self.process = None

    def sign_out(self, username: str) -> None:
        with self.admin() as admin:
            (user,) = admin.get("users", params={"username": username}).json()
            admin.post(f"users/{user['id']}/logout").raise_for_status()

    def rotate_keys(self) -> None:
        with self.admin() as admin:
            realm = admin.get("").json()
            component = {
                "name": f"rsa-{time.time_ns()}",
                "providerId": "rsa-generated",
                "providerType": "org.keycloak.keys.KeyProvider",
                "parentId": realm["id"],
                # The highest priority signs.
                "config": {"priority": [str(1000 + time.time_ns() // 10**9)]},
            }
            admin.post("components", json=component).raise_for_status()

    def forget_old_keys(self) -> None:
        with self.admin() as admin:
            query = {"type": "org.keycloak.keys.KeyProvider"}
            generated = [
                component
                for component in admin.get("components", params=query).json()
                if component["providerId"] == "rsa-generated"
            ]
            generated.sort(key=lambda it: int(it["config"].get("priority", ["0"])[0]))
            for component in generated[:-1]:
                admin.delete(f"components/{component['id']}").raise_for_status()

    def private_key(self) -> RSAKey:
        """Made here, and given to Keycloak to publish: its own it tells nobody."""
        if self._given is None:
            made = RSAKey.generate_key(2048)
            with self.admin() as admin:
                component = {
                    "name": "given",
                    "providerId": "rsa",
                    "providerType": "org.keycloak.keys.KeyProvider",
                    "parentId": admin.get("").json()["id"],
                    # The lowest priority: Keycloak goes on to sign with its own.
                    "config": {
                        "priority": ["-1"],
                        "privateKey": [made.as_pem(private=True).decode()],
                    },
                }
                admin.post("components", json=component).raise_for_status()
            known = made.as_dict(private=True)
            answer = httpx.get(f"{self.protocol_url}/certs", timeout=20)
            (kid,) = (
                key["kid"] for key in answer.json()["keys"] if key["n"] == known["n"]
            )
            self._given = RSAKey.import_key({**known, "kid": kid})
        return self._given

    def switch_off(self, username: str) -> None:
        self._change(username, enabled=False)

    def switch_on(self, username: str) -> None:
        self._change(username, enabled=True)

    def _change(self, username: str, **changes: Any) -> None:
        with self.admin() as admin:
            query = {"username": username, "exact": "true"}
            (user,) = admin.get("users", params=query).json()
            path = f"users/{user['id']}"
            person = {**admin.get(path).json(), **changes}
            admin.put(path, json=person).raise_for_status()

    def give_roles(self, username: str, *roles: str) -> None:
        with self.admin() as admin:
            query = {"username": username, "exact": "true"}
            (user,) = admin.get("users", params=query).json()
            path = f"users/{user['id']}/role-mappings/realm"
            held = [
                role
                for role in admin.get(path).json()
                if not role["name"].startswith("default-roles-")
            ]
            admin.request("DELETE", path, json=held).raise_for_status()
            wanted = [admin.get(f"roles/{name}").json() for name in roles]
            admin.post(path, json=wanted).raise_for_status()

    @contextmanager
    def expired_sign_ins(self) -> Iterator[None]:
        with self.admin() as admin:
            known = admin.get("").json()["ssoSessionMaxLifespan"]
            admin.put("", json={"ssoSessionMaxLifespan": 1}).raise_for_status()
            # Keycloak counts whole seconds.
            time.sleep(2.5)
            try:
                yield
            finally:
                lifespan = {"ssoSessionMaxLifespan": known}
                admin.put("", json=lifespan).raise_for_status()

    def admin(self) -> httpx.Client:
        """Return a client of the admin REST API, at this realm's address."""
        answer = httpx.post(
            f"{self.url}/realms/master/protocol/openid-connect/token",
            data={
                "grant_type": "password",
                "client_id": "admin-cli",
                "username": keycloak.ADMIN_USERNAME,
                "password": keycloak.admin_password(self.home),
            },
            timeout=20,
        )
        answer.raise_for_status()
        return httpx.Client(
            base_url=f"{self.url}/admin/realms/{self.realm}/",
            headers={"Authorization": f"Bearer {answer.json()['access_token']}"},
            timeout=20,
        )


def log_in(
    client: httpx.Client, login_url: str, username: str, password: str
) -> httpx.Response:
    """
    Walk from ``login_url`` through the realm and back, as a browser does.

    Returns what the shop's callback answers, its redirect not followed; or the
    realm's page, where the realm refuses.
    """
    answer = _get(client, login_url)
    if answer.is_redirect:
        answer = _get(client, _target(answer))
    if answer.is_success and _LOGIN_FORM.search(answer.text):
        answer = submit_login(client, answer, username, password)
    if answer.is_redirect:
        answer = _get(client, _target(answer))
    return answer


def submit_login(
    client: httpx.Client, page: httpx.Response, username: str, password: str
) -> httpx.Response:
    """Fill in either realm's login form and return what it answers."""
    form = _LOGIN_FORM.search(page.text)
    assert form, f"{page.url} shows no login form"
    action = _ACTION.search(form[0])
    assert action
    answer = client.post(
        urljoin(str(page.url), unescape(action[1])),
        data={"username": username, "password": password},
        follow_redirects=False,
    )
    trust_localhost(client.cookies.jar)
    return answer


def trust_localhost(cookies: Iterable[Any] | CookieJar) -> None:
    """
    Let Secure cookies go to http://localhost, as browsers do.

    Keycloak marks its cookies Secure there, too; Python's jar would keep them.
    """
    for cookie in cookies:
        if cookie.domain.removesuffix(".local") == "localhost":
            cookie.secure = False


def _get(client: httpx.Client, url: str) -> httpx.Response:
    answer = client.get(url, follow_redirects=False)
    trust_localhost(client.cookies.jar)
    return answer


def _target(answer: httpx.Response) -> str:
    return urljoin(str(answer.url), answer.headers["location"])
