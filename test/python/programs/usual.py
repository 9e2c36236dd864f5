"""Tests the ordinary use of the package with daemons in memory, with a data folder, and with peers."""

import asyncio
import enum
import math
import multiprocessing
import threading
import unittest
import uuid

from dbsync import AsyncClient, BadCommand, BadOption, Client, Condition, DbsyncError, ReplyError
from given import GIVEN, Awaited, until

KEY = GIVEN["key"]
SERVERS = GIVEN["servers"]
# The timeout is long enough for a busy machine; no case waits that long.
PATIENT = {"timeout": 20.0}
EVERYTHING = bytes(range(256))


def name():
    """Returns a key that no other case uses."""
    return f"case:{uuid.uuid4()}"


class Commands:
    """Cases for both clients; `open` makes one."""

    @classmethod
    def setUpClass(cls):
        cls.client = cls.open(SERVERS, KEY, **PATIENT)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()

    def test_strings(self):
        client, key = self.client, name()
        self.assertIs(client.set(key, "höhe"), True)
        self.assertEqual(client.get(key), "höhe".encode())
        self.assertIs(client.set(key, "other", nx=True), False)
        self.assertIsNone(client.get(name()))
        self.assertEqual(client.incr(name(), 7), 7)
        self.assertEqual(client.incrbyfloat(name(), 1.5), 1.5)
        self.assertEqual(client.mget([key, "absent:" + key]), ["höhe".encode(), None])
        self.assertIs(client.mset({key: "1", key + "b": b"2"}), True)
        self.assertEqual(client.mget(key, key + "b"), [b"1", b"2"])
        self.assertEqual((client.append(key, "23"), client.strlen(key), client.getrange(key, 1, 2)), (3, 3, b"23"))
        self.assertEqual(client.getdel(key), b"123")
        self.assertEqual((client.exists(key), client.type(key)), (0, "none"))

    def test_every_byte_and_blanks(self):
        client, key = self.client, name()
        client.set(EVERYTHING, EVERYTHING)
        self.assertEqual(client.get(EVERYTHING), EVERYTHING)
        client.set(key + " with blanks", " a  b\r\n\0")
        self.assertEqual(client.get(key + " with blanks"), b" a  b\r\n\0")
        client.set(key, "")
        self.assertEqual(client.get(key), b"")
        large = EVERYTHING * 4096
        client.set(key, memoryview(large))
        self.assertEqual(client.get(key), large)

    def test_expiry(self):
        client, key = self.client, name()
        client.set(key, 1, ex=100_000)
        self.assertTrue(0 < client.ttl(key) <= 100_000)
        self.assertIs(client.persist(key), True)
        self.assertEqual(client.ttl(key), -1)
        self.assertIs(client.expire(key, 5000, nx=True), True)
        self.assertEqual(client.delete(key), 1)

    def test_hashes(self):
        client, key = self.client, name()
        self.assertEqual(client.hset(key, "a", 1), 1)
        self.assertEqual(client.hset(key, mapping={"b": "x y", "c": b"\xff"}), 2)
        self.assertEqual(client.hgetall(key), {b"a": b"1", b"b": b"x y", b"c": b"\xff"})
        self.assertEqual((client.hget(key, "b"), client.hget(key, "z")), (b"x y", None))
        self.assertEqual(client.hmget(key, ["a", "z"]), [b"1", None])
        self.assertEqual((client.hincrby(key, "a", 4), client.hlen(key), client.hexists(key, "a")), (5, 3, True))
        self.assertEqual(client.hdel(key, "a", "b", "z"), 2)

    def test_lists(self):
        client, key = self.client, name()
        self.assertEqual(client.rpush(key, "a", "b", "c"), 3)
        self.assertEqual(client.lrange(key, 0, -1), [b"a", b"b", b"c"])
        self.assertEqual((client.lpop(key), client.rpop(key), client.llen(key)), (b"a", b"c", 1))
        self.assertEqual(client.lmove(key, key + "2"), b"b")
        self.assertEqual((client.lpop(key), client.lrange(key, 0, -1)), (None, []))

    def test_sets(self):
        client, key = self.client, name()
        self.assertEqual(client.sadd(key, "a", "b"), 2)
        self.assertEqual(client.smembers(key), {b"a", b"b"})
        self.assertEqual((client.sismember(key, "a"), client.smismember(key, ["a", "z"])), (True, [True, False]))
        client.sadd(key + "2", "b", "c")
        self.assertEqual(client.sinter([key, key + "2"]), {b"b"})
        self.assertEqual(client.sunionstore(key + "3", key, key + "2"), 3)

    def test_sorted_sets_and_streams(self):
        client, key = self.client, name()
        self.assertEqual(client.zadd(key, {"a": 1, "b": 2.5}), 2)
        self.assertEqual(client.zrange_withscores(key, 0, -1, desc=True), [(b"b", 2.5), (b"a", 1.0)])
        self.assertEqual((client.zscore(key, "b"), client.zscore(key, "z"), client.zrank(key, "z")), (2.5, None, None))
        self.assertEqual(client.zrangebyscore(key, "(1", "+inf"), [b"b"])
        self.assertEqual(client.zpopmin(key), [(b"a", 1.0)])
        identity = client.xadd(key + "s", {"field": "a value"})
        self.assertEqual(client.xrange(key + "s"), [(identity, {b"field": b"a value"})])
        self.assertEqual(client.xlen(key + "s"), 1)

    def test_keys(self):
        client, key = self.client, name()
        client.set(key, 1)
        cursor, found = client.scan(match=key, count=100000)
        while cursor and not found:
            cursor, found = client.scan(cursor, match=key, count=100000)
        self.assertEqual(found, [key.encode()])
        self.assertIs(client.rename(key, key + "2"), True)
        self.assertEqual(client.keys(key + "*"), [key.encode() + b"2"])
        self.assertIs(client.ping(), True)

    def test_call(self):
        client, key = self.client, name()
        self.assertEqual(client.call("SET", key, 1), "OK")
        self.assertEqual(client.call("GET", key, policy="majority", timeout=15), b"1")
        self.assertEqual(client.call(b"lrange", key + "none", 0, -1), [])

    def test_an_error_of_the_command(self):
        key = name()
        self.client.set(key, "x")
        with self.assertRaisesRegex(ReplyError, "^WRONGTYPE Operation against a key") as caught:
            self.client.lpush(key, 1)
        self.assertEqual(caught.exception.code, "reply")
        self.assertEqual(len(caught.exception.outcomes), len(SERVERS))
        with self.assertRaisesRegex(ReplyError, "ERR unknown command"):
            self.client.call("NOSUCH")

    def test_several_under_one_signature(self):
        client, key = self.client, name()
        one, two, three = client.batch([["SET", key, 1], ["LPUSH", key, "x"], ["INCR", key]])
        self.assertEqual((one, three), ("OK", 2))
        self.assertIsInstance(two, ReplyError)
        self.assertEqual(client.multi([["INCR", key], ["INCR", key]]), [3, 4])

    def test_conditions(self):
        client, key = self.client, name()
        self.assertEqual(client.writers(key), [None])
        self.assertEqual(client.call("SET", key, 1, conditions=[Condition(key, None)]), "OK")
        (writer,) = client.writers(key)
        self.assertEqual(client.call("INCR", key, conditions=[Condition(key, writer)]), 2)
        self.assertIsNone(client.call("INCR", key, conditions=[Condition(key, writer)]))
        self.assertIsNone(client.multi([["INCR", key]], conditions=[(key, writer)]))
        self.assertEqual(client.get(key), b"2")

    def test_text(self):
        with self.open(SERVERS, KEY, decode_responses=True, **PATIENT) as client:
            key = name()
            client.hset(key, mapping={"ä": "ö"})
            self.assertEqual(client.hgetall(key), {"ä": "ö"})
            client.set(key, EVERYTHING)
            text = client.get(key)
            client.using(policy="all").set(key + "2", text)
            self.assertEqual(self.client.get(key + "2"), EVERYTHING)
            (writer,) = client.writers(key)
            self.assertEqual(client.call("SET", key, 1, conditions=[Condition(key, writer)]), "OK")

    def test_databases_and_views(self):
        client, key = self.client, name()
        seventh = client.using(db=7)
        seventh.set(key, "seven")
        self.assertIsNone(client.get(key))
        self.assertEqual((seventh.get(key), client.call("GET", key, db=7)), (b"seven", b"seven"))
        self.assertEqual(seventh.using(policy="all").get(key), b"seven")

    def test_each_server_has_it_with_the_policy_all(self):
        key = name()
        self.assertEqual(self.client.using(policy="all").incr(key), 1)
        for server in SERVERS:
            with self.open([server], KEY, **PATIENT) as one:
                self.assertEqual(one.get(key), b"1")

    def test_what_was_written_elsewhere_is_waited_for(self):
        key = name()
        self.client.set(key, 1)
        with self.open(SERVERS[::-1], KEY, **PATIENT) as other:
            self.assertEqual(other.call("GET", key, after=self.client.last_write), b"1")

    def test_numbers_are_sent_as_their_digits(self):
        class Level(enum.IntEnum):
            HIGH = 3

        class Price(float):
            def __repr__(self):
                return f"Price({float(self)})"

        key = name()
        for value in (1e-7, 1e21, -0.0, 0.1 + 0.2, 5e-324, 2**70, -1, Level.HIGH, Price(2.5)):
            self.client.set(key, value)
            self.assertEqual(float(self.client.get(key)), float(value))
        scores = name()
        self.assertEqual(self.client.zadd(scores, {"low": -math.inf, "some": Price(1e-7), "high": math.inf}), 3)
        self.assertEqual(self.client.zcount(scores, -math.inf, 1e-7), 2)
        self.assertEqual(self.client.zrangebyscore(scores, 1e-8, math.inf), [b"some", b"high"])

    def test_a_number_bound_to_a_statement_is_that_number(self):
        call = self.client.call
        database = f"d{uuid.uuid4().hex}"
        call("SQL", "", f"create database {database}")
        call("SQL", database, "create table m (p number)")
        call("SQL", database, "insert into m values (1.5), (2.5), (3.5)")
        for value in (1e-7, 1e-05, -1e21, 0.0, -0.0):
            self.assertEqual(call("SQL", database, "delete from m where p < ?", value), 0)
        self.assertEqual(call("SQL", database, "delete from m where p < ?", 1e21), 3)

    def test_mistakes_are_told_before_anything_is_sent(self):
        client = self.client
        for words, told in (
            (("SET", "k", None), "argument 2: None is of the type NoneType"),
            (("SET", "k", True), "argument 2: True is of the type bool"),
            (("SET", "k", math.nan), "argument 2: nan is not finite"),
            (("SET", "k", "a\ud83d"), "argument 2: text with half of a character"),
            (("SQL", "d", "delete from t where p < ?", -math.inf), "argument 3: -inf is not finite"),
            ((), "it has no name"),
            ((["GET", "k"],), "the name: "),
        ):
            with self.assertRaisesRegex(BadCommand, told):
                client.call(*words)
        for options in ({"timeout": 0}, {"timeout": 21}, {"policy": "most"}, {"db": -1}, {"after": "ff"}, {"replicated": 0}):
            with self.assertRaisesRegex(BadOption, f"{next(iter(options))} is .*, allowed: "):
                client.call("PING", **options)
        for servers in (
            *("", "a:0", "a#sha256:ff", "dbsyncs://a#sha256:ff", "http://a", "dbsync1://a"),
            *("a,dbsyncs://a", "::1,dbsyncs://[0::1]"),
        ):
            with self.assertRaises(BadOption):
                self.open(servers, KEY)


class CommandsOfClient(Commands, unittest.TestCase):
    open = Client

    def test_threads_share_a_client(self):
        key, threads = name(), 8
        counted = []

        def count():
            counted.extend(self.client.incr(key) for _ in range(20))

        workers = [threading.Thread(target=count) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(sorted(counted), list(range(1, 20 * threads + 1)))

    def test_a_process_that_was_forked_connects_anew(self):
        key, everywhere = name(), self.client.using(policy="all")
        everywhere.set(key, "before")
        context = multiprocessing.get_context("fork")
        told = context.SimpleQueue()
        child = context.Process(target=lambda: told.put((everywhere.get(key), everywhere.append(key, "+"))))
        child.start()
        self.assertEqual(told.get(), (b"before", 7))
        child.join()
        self.assertEqual(self.client.get(key), b"before+")


class CommandsOfAsyncClient(Commands, unittest.TestCase):
    open = Awaited


class Tasks(unittest.IsolatedAsyncioTestCase):
    async def test_many_are_in_flight(self):
        async with AsyncClient(SERVERS, KEY, **PATIENT) as client:
            key, calls = name(), GIVEN["calls"]
            counted = await asyncio.gather(*(client.using(policy="all").incr(key) for _ in range(calls)))
            self.assertEqual(sorted(counted), list(range(1, calls + 1)))

    async def test_a_call_that_is_cancelled_spoils_nothing(self):
        async with AsyncClient(SERVERS, KEY, **PATIENT) as client:
            key = name()
            await client.ping()
            tasks = [asyncio.create_task(client.incr(key)) for _ in range(50)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for index, value in enumerate(ended):
                self.assertIsInstance(value, asyncio.CancelledError if index % 2 == 0 else int)
            # Commands in flight still reach all daemons, so the daemons finally have the same state.
            self.assertGreaterEqual(int(await client.get(key) or 0), 25)
            self.assertIs(await client.ping(), True)

    async def test_another_loop_is_told_so(self):
        client = AsyncClient(SERVERS, KEY, **PATIENT)
        await client.ping()

        def elsewhere():
            with self.assertRaisesRegex(RuntimeError, "another event loop"):
                asyncio.run(client.ping())

        await asyncio.to_thread(elsewhere)
        await client.close()


class Peers:
    """Cases for both clients, with daemons that replicate to each other and have data folders; `open` makes a client."""

    @classmethod
    def setUpClass(cls):
        """A daemon that has just started accepts no writes yet."""

        def has_caught_up():
            try:
                return client.call("SET", "started", 1, policy="all")
            except DbsyncError:
                return False

        with cls.open(GIVEN["peers"], KEY, **PATIENT) as client:
            until(has_caught_up)

    def test_one_is_written_to_and_all_have_it(self):
        first, *others = GIVEN["peers"]
        key = name()
        with self.open([first], KEY, **PATIENT) as client:
            self.assertIs(client.set(key, "a b"), True)
            self.assertEqual(client.call("INCR", key + "n", replicated=2), 1)
        for server in others:
            with self.open([server], KEY, **PATIENT) as client:
                until(lambda: client.get(key) == b"a b")

    def test_all_are_written_to_and_each_applies_it_once(self):
        key = name()
        with self.open(GIVEN["peers"], KEY, **PATIENT) as client:
            self.assertEqual([client.incr(key) for _ in range(10)], list(range(1, 11)))
            self.assertEqual(client.call("GET", key, policy="all"), b"10")
            with self.assertRaises(ReplyError) as caught:
                client.lpush(key, 1)
            # It is recorded, and may still succeed.
            self.assertEqual(caught.exception.effect, "unknown")


class PeersOfClient(Peers, unittest.TestCase):
    open = Client


class PeersOfAsyncClient(Peers, unittest.TestCase):
    open = Awaited


if __name__ == "__main__":
    unittest.main()
