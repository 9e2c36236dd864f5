"""Increments a number by a library with its default options, once for each line of the input, which names the key.
Prints "ready", and for each call the library's answer or error as a line of JSON. Arguments: the library, a port."""
import json
import sys

library, port = sys.argv[1], int(sys.argv[2])


def redis_py():
    import redis

    client = redis.Redis(port=port)
    client.ping()
    return client.incr


def pymongo():
    from pymongo import MongoClient

    items = MongoClient(port=port).shop.items
    items.find_one()
    return lambda key: items.update_one({"_id": key}, {"$inc": {"n": 1}}).modified_count


def python_memcache():
    import memcache

    # With the usual three seconds, a busy machine's error would arrive too late, and be None.
    client = memcache.Client([f"127.0.0.1:{port}"], socket_timeout=30)
    client.get("x")
    return client.incr


call = {"redis-py": redis_py, "pymongo": pymongo, "python-memcache": python_memcache}[library]()
print("ready", flush=True)
for line in sys.stdin:
    try:
        found = {"answer": call(line.strip())}
    except Exception as error:
        details = getattr(error, "details", None) or {}
        code, labels = details.get("code"), details.get("errorLabels")
        found = {"error": f"{type(error).__name__}: {error}", "code": code, "errorLabels": labels}
    print(json.dumps(found), flush=True)
