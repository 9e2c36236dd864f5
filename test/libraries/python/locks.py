"""redis-py's Lock, from several threads, and its publish/subscribe. Arguments: the port, and `locks` for the locks alone."""
import sys
import threading
import time

import redis
from redis.exceptions import LockError, LockNotOwnedError

client = redis.Redis(port=int(sys.argv[1]))

among = []


def count():
    for _ in range(5):
        with client.lock("locks:counter", timeout=100, sleep=0.005):
            among.append(1)
            assert len(among) == 1
            client.set("counter", int(client.get("counter") or 0) + 1)
            among.pop()


threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert client.get("counter") == b"20", client.get("counter")

lock = client.lock("locks:one", timeout=100)
other = client.lock("locks:one", timeout=100)
assert lock.acquire(blocking=False) and not other.acquire(blocking=False)
assert lock.locked() and lock.owned() and not other.owned()
lock.extend(100)
assert 100_000 < client.pttl("locks:one") <= 200_000
lock.reacquire()
client.set("locks:one", "another's")
try:
    lock.release()
    raise AssertionError("released another's lock")
except LockNotOwnedError:
    pass
try:
    other.release()
    raise AssertionError("released a lock that it never acquired")
except LockError:
    pass

if "locks" in sys.argv:
    sys.exit()

heard = client.pubsub()
heard.subscribe("news")
heard.psubscribe("wea*")
for kind in ("subscribe", "psubscribe"):
    assert heard.get_message(timeout=100)["type"] == kind
assert client.publish("news", "one") == 1 and client.publish("weather", b"\x00\xff") == 1
assert heard.get_message(timeout=100)["data"] == b"one"
message = heard.get_message(timeout=100)
assert (message["pattern"], message["channel"], message["data"]) == (b"wea*", b"weather", b"\x00\xff")

called = []
heard = client.pubsub(ignore_subscribe_messages=True)
heard.subscribe(**{"called": called.append})
listener = heard.run_in_thread(sleep_time=0.01)
while client.publish("called", "back") == 0:
    time.sleep(0.01)
while not called:
    time.sleep(0.01)
listener.stop()
listener.join()

add = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
assert [add(keys=["sum"], args=[n]) for n in (1, 2, 3)] == [1, 3, 6]
client.script_flush()
assert add(keys=["sum"], args=[4]) == 10
with client.pipeline() as pipeline:
    add(keys=["sum"], args=[5], client=pipeline)
    assert pipeline.execute() == [15]
