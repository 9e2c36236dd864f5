"""A client that acquires and releases locks without waiting, as ../npm/lock-clients.mjs. Arguments: the library, and
the port."""
import json
import sys

from redis.exceptions import LockError

library, port = sys.argv[1], int(sys.argv[2])
LEASE = 600


def opener():
    if library == "redis-py":
        import redis

        client = redis.Redis(port=port)
        client.ping()
        return client.lock
    from django.conf import settings

    location = f"redis://127.0.0.1:{port}/0"
    settings.configure(CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location}})
    import django

    django.setup()
    from django.core.cache import cache

    return cache.lock


open_lock = opener()
held = {}


def acquire(name):
    lock = open_lock(name, timeout=LEASE)
    held[name] = lock
    return bool(lock.acquire(blocking=False))


def release(name):
    held[name].release()
    return True


def steal(name):
    lock = open_lock(name, timeout=LEASE)
    lock.local.token = b"another's token"
    lock.release()
    return True


CALLS = {"acquire": acquire, "release": release, "steal": steal}
print("ready", flush=True)
for line in sys.stdin:
    call, name = line.split()
    try:
        answer = CALLS[call](name)
    except LockError:
        answer = False
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
