"""Restarts, copies and outages: what a person notices of where the session lives."""

import socket

from tests.journeys.test_main_job import KEYS
from tests.servers import free_port, wait_until


class TestRestart:
    def test_of_the_shop_leaves_everybody_logged_in(
        self, dev_realm, open_shop, visitor
    ):
        shop = open_shop(dev_realm)
        customer = visitor("customer", shop)
        customer.log_in()

        shop.kill()
        shop.start()

        assert customer.is_logged_in()

    def test_with_memory_logs_everybody_out(self, dev_realm, open_shop, visitor):
        shop = open_shop(dev_realm, REDIS_ENABLED="false")
        customer = visitor("customer", shop)
        customer.log_in()
        assert customer.is_logged_in()

        shop.kill()
        shop.start()

        assert not customer.is_logged_in()
        assert "INFO 💾 Using InMemorySessionStore (development only)" in shop.log
        assert "RedisSessionStore" not in shop.log

    def test_of_redis_leaves_everybody_logged_in(
        self, dev_realm, open_shop, visitor, store
    ):
        shop = open_shop(dev_realm)
        customer = visitor("customer", shop)
        customer.log_in()

        store.stop()
        # An outage is never a logout: who was seen goes on.
        outage = customer.see("/orders/")
        store.start()

        assert outage.status_code == 200
        assert "mario_session" in customer.browser.cookies
        assert customer.is_logged_in()

    def test_without_redis_keeps_the_cookie_of_who_cannot_be_known(
        self, dev_realm, open_shop, visitor, store
    ):
        shop = open_shop(dev_realm)
        customer = visitor("customer", shop)
        customer.log_in()
        store.stop()
        shop.kill()
        shop.start()

        menu, orders = customer.see("/menu/"), customer.see("/orders/")

        assert menu.status_code == 200
        assert "cannot be reached right now" in menu.text
        assert orders.status_code == 503
        assert "retry-after" in orders.headers
        assert "mario_session" in customer.browser.cookies
        store.start()
        wait_until(customer.is_logged_in)

    def test_without_redis_lets_them_log_in_anew(
        self, dev_realm, open_shop, visitor, store, store_client
    ):
        shop = open_shop(dev_realm)
        customer = visitor("customer", shop)
        customer.log_in()
        store.stop()
        shop.kill()
        shop.start()

        customer.log_in()

        assert customer.is_logged_in()
        store.start()
        session_id = customer.browser.cookies["mario_session"]
        wait_until(lambda: store_client.exists(f"mario_session:{session_id}"))
        assert customer.is_logged_in()


class TestTwoCopies:
    def test_share_the_session(self, dev_realm, open_shop, visitor):
        shop = open_shop(dev_realm)
        copy = open_shop(dev_realm, copy=True)
        customer = visitor("customer", shop)
        customer.log_in()

        # Cookies know no ports, so a browser sends this one to both.
        elsewhere = visitor("customer", copy)
        elsewhere.browser.cookies.set(
            "mario_session", customer.browser.cookies["mario_session"]
        )

        assert elsewhere.is_logged_in()
        customer.log_out()
        assert not elsewhere.is_logged_in()

    def test_share_nothing_in_memory(self, dev_realm, open_shop, visitor):
        shop = open_shop(dev_realm, REDIS_ENABLED="false")
        copy = open_shop(dev_realm, copy=True, REDIS_ENABLED="false")
        customer = visitor("customer", shop)
        customer.log_in()

        elsewhere = visitor("customer", copy)
        elsewhere.browser.cookies.set(
            "mario_session", customer.browser.cookies["mario_session"]
        )

        assert not elsewhere.is_logged_in()


class TestStartLines:
    def test_tell_that_redis_serves(self, dev_realm, open_shop, store):
        shop = open_shop(dev_realm)

        lines = shop.log
        wanted = [
            f"INFO 🔴 Using RedisSessionStore (url={store.url})",
            "INFO ✅ Redis connection successful",
            "INFO 🔐 JWKS cache pre-warmed",
        ]
        positions = [lines.index(line) for line in wanted]
        assert positions == sorted(positions)
        assert all(lines.count(line) == 1 for line in wanted)

    def test_tell_of_a_redis_that_is_away_and_the_shop_serves(
        self, dev_realm, open_shop, visitor
    ):
        url = f"redis://mario:mamma-mia@127.0.0.1:{free_port()}/0"
        shop = open_shop(dev_realm, REDIS_URL=url)
        customer = visitor("customer", shop)

        customer.log_in()

        assert customer.is_logged_in()
        lines = shop.log
        wanted = [
            "INFO 🔴 Using RedisSessionStore (url=redis://",
            "ERROR ❌ Failed to connect to Redis: ",
            "WARNING ⚠️ Falling back to InMemorySessionStore",
            "INFO 💾 Using InMemorySessionStore (development only)",
            "INFO 🔐 JWKS cache pre-warmed",
        ]
        positions = [lines.index(line) for line in wanted]
        assert positions == sorted(positions)
        assert "mamma-mia" not in lines
        ready = customer.see("/ready").json()
        assert ready["ready"] is True
        assert ready["degraded"] is True

    def test_tell_of_a_redis_that_refuses_the_ping(
        self, dev_realm, open_shop, store, store_client
    ):
        store_client.config_set("requirepass", "wario")

        shop = open_shop(dev_realm)

        refused = "WARNING ⚠️ Redis connection failed - sessions may not persist"
        assert refused in shop.log
        assert "WARNING ⚠️ Falling back to InMemorySessionStore" in shop.log

    def test_are_not_printed_by_commands(self, dev_realm, open_shop):
        shop = open_shop(dev_realm)

        output = shop.manage("migrate", "--check")

        assert "RedisSessionStore" not in output


class TestHangingRedis:
    def test_costs_a_page_its_budget_and_nobody_the_cookie(
        self, dev_realm, open_shop, visitor, store
    ):
        shop = open_shop(dev_realm, SESSION_REDIS_BUDGET_MS="250")
        customer = visitor("customer", shop)
        customer.log_in()
        store.pause()

        outage = customer.see("/orders/")

        store.resume()
        assert outage.status_code == 200
        assert outage.elapsed.total_seconds() < 2
        assert "mario_session" not in outage.headers.get("set-cookie", "")
        assert customer.is_logged_in()

    def test_of_pages_that_need_no_session_costs_nothing(
        self, dev_realm, open_shop, visitor, store, store_client
    ):
        shop = open_shop(dev_realm)
        stranger = visitor("nobody", shop)
        before = store_client.info("stats")["total_commands_processed"]

        for _ in range(5):
            assert stranger.see("/menu/").status_code == 200

        after = store_client.info("stats")["total_commands_processed"]
        assert after - before == 1  # the second INFO itself
        assert store_client.keys(KEYS) == []


def test_a_hanging_start_is_bounded(dev_realm, open_shop, visitor):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        shop = open_shop(dev_realm, REDIS_URL=f"redis://127.0.0.1:{port}/0")

        assert "WARNING ⚠️ Falling back to InMemorySessionStore" in shop.log
