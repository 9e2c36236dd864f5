"""Tests the change feed with two peers: both forms, with both clients."""

import asyncio
import itertools
import threading
import unittest
from datetime import datetime, timedelta, timezone

from dbsync import AsyncClient, BadOption, Client, Closed, ReplyError, Unit
from given import GIVEN

SERVERS, KEY, ROOT = GIVEN["servers"], GIVEN["key"], GIVEN["root"]
PATIENT = {"timeout": 20.0}


def units(events, count):
    """Returns the next units of a feed."""
    return list(itertools.islice((each for each in events if isinstance(each, Unit)), count))


async def next_units(events, count):
    """Returns the next units of an asynchronous feed, and closes it."""
    found = []
    async for each in events:
        if isinstance(each, Unit):
            found.append(each)
        if len(found) == count:
            break
    await events.aclose()
    return found


class Follows(unittest.TestCase):
    def test_final(self):
        begin = datetime.now(timezone.utc) - timedelta(hours=1)
        with Client(SERVERS, KEY, **PATIENT) as client, Client(SERVERS, ROOT) as follower:
            for number in range(5):
                client.call("SET", "followed", f"{number}")
            client.multi([["INCR", "count"], ["APPEND", "followed", b"\xff" * 500]])
            found = units(follower.follow(since=begin, key="followed"), 6)
            values = [unit.commands[0][-1] for unit in found[:5]]
            self.assertEqual(values, [b"0", b"1", b"2", b"3", b"4"])
            self.assertEqual(found[5].commands[1], (b"APPEND", b"followed", b"\xff" * 500))
            self.assertTrue(all(unit.outcome == "applied" and not unit.late for unit in found))
            self.assertEqual([unit.position for unit in found], sorted(unit.position for unit in found))
            for index, unit in enumerate(found[:-1]):
                [following] = units(follower.follow(since=unit.position, key="followed"), 1)
                self.assertEqual(following.position, found[index + 1].position)

            async def again():
                async with AsyncClient(list(reversed(SERVERS)), ROOT) as other:
                    return await next_units(other.follow(since=found[2].position, key="followed"), 3)

            later = asyncio.run(again())
            self.assertEqual([unit.position for unit in later], [unit.position for unit in found[3:]])

    def test_early(self):
        with Client(SERVERS, KEY, **PATIENT) as client, Client(SERVERS[:1], ROOT) as follower:
            feed = follower.follow(form="early", key="early")

            stop = threading.Event()

            def write():
                while not stop.is_set():
                    client.call("INCR", "early")

            writer = threading.Thread(target=write)
            writer.start()
            try:
                first = units(feed, 3)
                second = units(follower.follow(form="early", since=first[0].position, key="early"), 2)
            finally:
                stop.set()
                writer.join()
            self.assertEqual([unit.position for unit in second], [unit.position for unit in first[1:]])
            replies = [int(unit.reply) for unit in first]
            self.assertEqual(replies, list(range(replies[0], replies[0] + 3)))

    def test_errors(self):
        with Client(SERVERS, ROOT) as follower, Client(SERVERS, KEY) as client:
            with self.assertRaises(BadOption):
                follower.follow(since="yesterday")
            with self.assertRaisesRegex(ReplyError, "belongs to another daemon.*dbsync export"):
                next(follower.follow(form="early", since="0" * 16 + "-" + "0" * 32))
            with self.assertRaisesRegex(ReplyError, "NOPERM"):
                next(client.follow())

    def test_close(self):
        # No unit has this key, so the iteration waits.
        follower = Client(SERVERS, ROOT)
        feed = follower.follow(key="never written")
        ends = threading.Event()

        def read():
            try:
                next(feed)
            except Closed:
                ends.set()

        reader = threading.Thread(target=read)
        reader.start()
        while not follower._background.feeds:
            reader.join(0.01)
        follower.close()
        reader.join()
        self.assertTrue(ends.is_set())

        async def again():
            other = AsyncClient(SERVERS, ROOT)
            reading = asyncio.ensure_future(next_units(other.follow(key="never written"), 1))
            while not other._feeds:
                await asyncio.sleep(0.01)
            await other.close()
            with self.assertRaises(Closed):
                await reading

        asyncio.run(again())


if __name__ == "__main__":
    unittest.main()
