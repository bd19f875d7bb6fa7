import pytest
from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from sessions_backend.contract import StoreContract
from sessions_backend.stores.local import MAX_ENTRIES, LocalStore
from sessions_backend.stores.redis import RedisStore


class TestRedisStore(StoreContract):
    @pytest.fixture
    def store(self):
        store = RedisStore(settings.SESSION_CACHE_ALIAS)
        yield store
        store.close()

    def test_wants_a_cache_of_django_redis(self):
        with pytest.raises(ImproperlyConfigured, match="django-redis"):
            RedisStore("default")


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self):
        return LocalStore()

    def test_holds_more_sessions_than_djangos_default_of_300(self, store):
        for number in range(1000):
            store.create(f"session:{number}", b"{}", 60)

        assert MAX_ENTRIES > 1000
        assert all(store.exists(f"session:{number}") for number in range(1000))

    def test_two_stores_do_not_share_their_memory(self, store):
        store.create("session:1", b"{}", 60)

        assert not LocalStore().exists("session:1")


@pytest.mark.django_db
class TestLocalStoreOverACacheOfDjango(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        files = {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(tmp_path),
        }
        with override_settings(CACHES={"files": files, "default": files}):
            yield LocalStore("files")
            caches["files"].clear()

    def test_keys_are_named_by_their_prefix(self, store):
        """A cache of Django's cannot be searched: it names no keys."""
        store.create("session:1", b"{}", 60)

        assert list(store.keys("session:", limit=10)) == []
