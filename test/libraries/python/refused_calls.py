"""Runs one call of a library that needs a command which a sidecar refuses, and prints what the program sees: the
exception, or the value. Arguments: the call, and the port."""
import json
import sys
import time

call, port = sys.argv[1], int(sys.argv[2])
# A script that writes a key on which the members do not decide.
SCRIPT = "return redis.call('set', 'undecided', '1')"


def client():
    import redis

    return redis.Redis(port=port)


def django():
    from django.conf import settings

    location = f"redis://127.0.0.1:{port}/1"
    settings.configure(CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location}})
    import django

    django.setup()
    from django.core.cache import cache

    return cache


def released(lock):
    if not lock.acquire(blocking=False):
        return "not acquired"
    lock.release()
    return "released"


def subscribed():
    pubsub = client().pubsub()
    pubsub.subscribe("news")
    return str(pubsub.get_message(timeout=2))


def incremented():
    cache = django()
    cache.set("counter", 1)
    return cache.incr("counter")


def celery():
    from celery import Celery

    app = Celery("refused", broker=f"redis://127.0.0.1:{port}/0", backend=f"redis://127.0.0.1:{port}/0")
    return str(app.send_task("task").get(timeout=2))


def rq():
    from rq import Queue

    return Queue(connection=client()).enqueue("time.time").get_status()


CALLS = {
    "redis-py Lock": lambda: released(client().lock("lock", timeout=600)),
    "redis-py eval": lambda: client().eval(SCRIPT, 0),
    "redis-py pipeline": lambda: client().pipeline().set("key", 1).eval(SCRIPT, 0).execute(),
    "redis-py blpop": lambda: client().blpop("list", timeout=1),
    "redis-py xreadgroup": lambda: client().xreadgroup("group", "consumer", {"stream": ">"}, block=1),
    "redis-py publish": lambda: client().publish("news", "one"),
    "redis-py subscribe": subscribed,
    "django-redis lock": lambda: released(django().lock("django", timeout=600)),
    "django-redis incr": incremented,
    "Celery send_task": celery,
    "RQ enqueue": rq,
}

since = time.monotonic()
try:
    found = {"returned": CALLS[call]()}
except Exception as error:
    found = {"threw": f"{type(error).__name__}: {error}"}
print(json.dumps({**found, "ms": round(1000 * (time.monotonic() - since))}))
