"""django-redis as Django's cache and session store: keys, counters, locks, patterns. Argument: the port."""
import sys

from django.conf import settings

settings.configure(
    CACHES={
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{sys.argv[1]}/1",
            "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"},
        }
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
)

import django

django.setup()

from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache

assert cache.set("answer", {"is": 42}, timeout=600) and cache.get("answer") == {"is": 42}
assert 0 < cache.ttl("answer") <= 600
assert cache.add("answer", 1) is False and cache.add("other", 1) is True
assert cache.incr("other", 4) == 5 and cache.decr("other") == 4
try:
    cache.incr("none")
    raise AssertionError("incremented a missing key")
except ValueError:
    pass
cache.set_many({f"many {i}": i for i in range(50)})
assert cache.get_many([f"many {i}" for i in range(50)]) == {f"many {i}": i for i in range(50)}
assert len(cache.keys("many *")) == 50 and len(list(cache.iter_keys("many *"))) == 50
assert cache.delete_pattern("many *") == 50
assert cache.get_or_set("made", lambda: "once") == "once" and cache.has_key("made")
assert cache.touch("made", 100) and cache.persist("made") and cache.ttl("made") is None
with cache.lock("a lock", timeout=600):
    assert not cache.lock("a lock", timeout=600).acquire(blocking=False)
assert cache.lock("a lock", timeout=600).acquire(blocking=False)

session = SessionStore()
session["cart"] = ["tea", "milk"]
session.create()
again = SessionStore(session_key=session.session_key)
assert again["cart"] == ["tea", "milk"]
again.cycle_key()
assert not SessionStore().exists(session.session_key) and SessionStore().exists(again.session_key)
again.flush()
cache.clear()
assert cache.get("answer") is None
