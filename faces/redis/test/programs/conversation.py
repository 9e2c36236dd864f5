"""A conversation through Python's redis package: python3 conversation.py PORT prints the answers as JSON, by topic."""

import json
import sys

import redis

PORT = int(sys.argv[1])


def client(user="ann", password="secret", **options):
    return redis.Redis(port=PORT, username=user, password=password, **options)


def problem(call, *arguments):
    """Returns the exception's class and the server's message."""
    try:
        return "no error, but %r" % (call(*arguments),)
    except redis.RedisError as error:
        return type(error).__name__ + ": " + str(error)


def strings(r):
    yield r.set("k", "v", ex=100, nx=True)
    yield r.set("k", "w", nx=True)
    yield r.set("k", "w", get=True)
    yield r.get("none")
    yield r.mset({"a": 1, "b": "é", "n": bytes([0, 13, 10, 255])})
    yield r.mget("a", "b", "n", "none")
    yield r.incrby("a", 41)
    yield r.incrbyfloat("a", 0.5)
    yield r.expire("a", 100)
    yield 90 < r.ttl("a") <= 100
    yield r.ttl("b")
    yield r.exists("a", "b", "none")
    yield r.type("a")
    yield r.getrange("a", 0, 1)
    yield r.bitfield("bits").set("u8", 0, 200).incrby("u8", 0, 100).execute()
    yield r.delete("k", "none")
    r["item"] = "x"
    yield [r["item"], "item" in r, "none" in r]


def hashes(r):
    yield r.hset("h", mapping={"name": "Ada", "age": 36})
    yield r.hgetall("h")
    yield r.hgetall("none")
    yield r.hget("h", "none")
    yield r.hmget("h", "age", "none")
    yield r.hincrbyfloat("h", "age", 0.5)
    yield r.hkeys("h")
    yield sorted(r.hrandfield("h", 5))
    yield r.hdel("h", "name")


def lists(r):
    yield r.rpush("l", "a", "b", "c")
    yield r.lrange("l", 0, -1)
    yield r.lpos("l", "b")
    yield r.lmove("l", "m", "LEFT", "RIGHT")
    yield r.lpop("none")
    yield r.lpop("l", 2)
    yield r.blpop(["none", "m"], timeout=1)
    yield r.rpush("l", 3, 1, 2)
    yield r.sort("l", desc=True)


def sets(r):
    yield r.sadd("s", "a", "b", "c")
    yield sorted(r.smembers("s"))
    yield r.sismember("s", "a")
    yield r.smismember("s", ["a", "none"])
    yield r.sinterstore("t", "s", "s")
    yield sorted(r.spop("t", 3))
    yield r.srandmember("none")


def sorted_sets(r):
    yield r.zadd("z", {"a": 1, "b": 2.5, "c": float("inf")})
    yield r.zrange("z", 0, -1, withscores=True)
    yield r.zrange("z", "+inf", "(1", byscore=True, desc=True, offset=0, num=1)
    yield r.zscore("z", "b")
    yield r.zscore("z", "none")
    yield r.zmscore("z", ["a", "none"])
    yield r.zincrby("z", 1.25, "a")
    yield r.zrank("z", "c")
    yield r.zpopmin("z")
    yield r.zmpop(2, ["none", "z"], max=True)
    yield r.geoadd("g", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"])
    yield r.geopos("g", "Palermo", "none")
    yield r.geodist("g", "Palermo", "Catania", "km")
    yield r.geosearch("g", longitude=15, latitude=37, radius=200, unit="km", sort="ASC", withdist=True)


def streams(r):
    yield isinstance(r.xadd("log", {"some": "thing"}), bytes)
    yield r.xadd("x", {"a": 1, "b": 2}, id="1-1")
    yield r.xadd("x", {"c": 3}, id="2-0")
    yield r.xlen("x")
    yield r.xrange("x")
    yield r.xrevrange("x", count=1)
    yield r.xread({"x": "1-1", "none": "0"})
    yield r.xread({"x": "$"})
    yield r.xinfo_stream("x")
    yield r.xtrim("x", maxlen=1, approximate=False)
    yield r.xdel("x", "2-0")


def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.incrby("count", number)
        pipe.lpush("count", "x").get("count")
        answers = pipe.execute(raise_on_error=False)
    yield answers[:999]
    yield str(answers[-2])
    yield answers[-1]


def transactions(r):
    def double(pipe):
        value = int(pipe.get("k"))
        pipe.multi()
        pipe.set("k", value * 2).hset("h", "f", 1).hgetall("h").get("none")

    yield r.set("k", 21)
    yield r.transaction(double, "k")
    with r.pipeline() as pipe:
        pipe.watch("k")
        r.set("k", 1)
        pipe.multi()
        pipe.incr("k")
        yield problem(pipe.execute)
    with r.pipeline() as pipe:
        yield problem(pipe.incr("k").lpush("k", "x").execute)
        yield problem(pipe.incr("k").execute_command("NOSUCH").execute)
    yield r.get("k")


def scan_iterators(r):
    names = ["key:%d" % number for number in range(500)]
    r.mset({name: "x" for name in names})
    r.hset("h", mapping={name: 1 for name in names})
    r.sadd("s", *names)
    r.zadd("z", {name: number for number, name in enumerate(names)})
    yield sorted(set(r.scan_iter("key:4*", count=50)))
    yield sorted(set(r.scan_iter(_type="zset")))
    yield sorted(set(r.hscan_iter("h", count=20)))
    yield sorted(set(r.sscan_iter("s")))
    yield sorted(set(r.zscan_iter("z", match="key:1*")))


def errors(r):
    yield r.set("k", "x")
    yield problem(r.incr, "k")
    yield problem(r.lpush, "k", "x")
    yield problem(r.execute_command, "NOSUCH", "command")
    yield problem(r.execute_command, "GET")
    yield problem(r.execute_command, "SET", "k", "v", "MAYBE")
    yield problem(r.execute_command, "EXEC")
    yield r.ping()


def databases(r):
    third = client(db=3, decode_responses=True)
    yield third.set("k", "three")
    yield third.dbsize()
    yield third.move("k", 4)
    yield client(db=4, decode_responses=True).get("k")
    yield r.get("k")
    yield problem(client(db=99).ping)
    yield r.swapdb(0, 4)
    yield r.rename("k", "l")
    yield r.keys("*")


def logging_in(r):
    ben = client("ben", "word")
    yield problem(client("ann", "wrong").ping)
    yield problem(client(None, "secret").ping)
    yield problem(client(None, None).ping)
    yield ben.get("ben:1")
    yield problem(ben.get, "k")
    yield problem(ben.set, "ben:1", "x")


def readable(value):
    """Converts bytes, and other values that JSON does not have, to text."""
    if isinstance(value, bytes):
        return value.decode("latin1")
    if isinstance(value, dict):
        return {readable(name): readable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [readable(item) for item in value]
    if isinstance(value, float):
        return repr(value)
    return value


def main():
    r = client()
    answers = {}
    for topic in (strings, hashes, lists, sets, sorted_sets, streams, pipelines, transactions,
                  scan_iterators, errors, databases, logging_in):
        r.flushall()
        answers[topic.__name__] = [readable(answer) for answer in topic(r)]
    print(json.dumps(answers))


main()
