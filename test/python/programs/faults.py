"""Tests failures and their errors: daemons that are killed, hang or have the wrong identity; keys, deadlines, clocks."""

import asyncio
import os
import signal
import tempfile
import unittest
import unittest.mock

import dbsync
from dbsync import AsyncClient, BadKey, BadOption, Client, Closed, DbsyncError, NoAnswer, PolicyNotMet, Refused, TimedOut
from dbsync.clock import MAX_AHEAD_MS, Clock
from given import GIVEN, SECONDS, Awaited, fleet_of, until

KEY, STRANGER = GIVEN["key"], GIVEN["stranger"]
ALIVE = GIVEN["alive"]
DEAD = GIVEN["dead"]
PATIENT = {"timeout": 20.0}


def stage_of(error):
    (outcome,) = error.outcomes
    return outcome.stage


class Daemons:
    """Cases for both clients, as those of Keys and Tls; `open` makes one."""

    def test_one_is_killed(self):
        victim = GIVEN["victims"].pop()
        servers = [victim["address"], ALIVE]
        with self.open(servers, KEY, **PATIENT) as client, self.open(servers[:1], KEY, **PATIENT) as alone:
            self.assertEqual(client.using(policy="all").set("killed", 0), True)
            self.assertIs(alone.ping(), True)
            os.kill(victim["pid"], signal.SIGKILL)
            self.assertEqual([client.incr("killed") for _ in range(20)], list(range(1, 21)))

            def is_refused():
                try:
                    return not alone.set("k", 1)
                except NoAnswer as error:
                    return stage_of(error) == "connect" and error.effect == "not-applied"

            until(is_refused)
            with self.assertRaisesRegex(PolicyNotMet, "Not every daemon answered") as caught:
                client.call("GET", "killed", policy="all")
            self.assertEqual(caught.exception.code, "not-all-answered")
            self.assertIn(victim["address"], str(caught.exception))

    def test_one_hangs(self):
        hung = GIVEN["hung"]
        servers = [hung["address"], ALIVE]
        with self.open(servers, KEY, **PATIENT) as client, self.open(servers[:1], KEY, **PATIENT) as alone:
            client.using(policy="all").set("hung", 0)
            alone.ping()
            os.kill(hung["pid"], signal.SIGSTOP)
            try:
                self.assertEqual([client.incr("hung") for _ in range(20)], list(range(1, 21)))
                with self.assertRaises(TimedOut) as caught:
                    alone.call("SET", "k", 1, timeout=0.3)
                self.assertEqual((stage_of(caught.exception), caught.exception.effect), ("timeout", "unknown"))
                self.assertIsInstance(caught.exception, TimeoutError)
                # A read has changed nothing, whatever its outcome.
                with self.assertRaises(NoAnswer) as caught:
                    alone.call("GET", "k", timeout=0.3)
                self.assertEqual(caught.exception.effect, "not-applied")
            finally:
                os.kill(hung["pid"], signal.SIGCONT)

            def is_back():
                try:
                    return alone.ping()
                except DbsyncError:
                    return False

            until(is_back)

    def test_none_is_there(self):
        with self.open(DEAD, KEY) as client:
            with self.assertRaises(NoAnswer) as caught:
                client.set("k", 1)
            self.assertRegex(str(caught.exception), rf"^No daemon answered:\n  {DEAD}: connect: .*refused.*is dbsyncd running")
            self.assertIsInstance(caught.exception, ConnectionError)

    def test_clusters_differ(self):
        def are_told_apart():
            # If one daemon is slow, the client trusts the cluster that the other daemon reports.
            with self.open([ALIVE, GIVEN["elsewhere"]], KEY, **PATIENT) as client:
                try:
                    return not client.ping()
                except dbsync.ClustersDiffer as error:
                    self.assertRegex(str(error), "belong to different clusters: .* to [0-9a-f]{64}; ")
                    self.assertEqual((error.code, error.effect), ("clusters-differ", "not-applied"))
                    return True

        until(are_told_apart)
        with self.open(ALIVE, KEY, cluster="00" * 31 + "01") as client:
            with self.assertRaises(NoAnswer) as caught:
                client.ping()
            self.assertEqual(stage_of(caught.exception), "wrong-cluster")

    def test_a_client_that_is_closed(self):
        client = self.open(ALIVE, KEY, **PATIENT)
        client.ping()
        client.close()
        client.close()
        with self.assertRaisesRegex(Closed, "^The client was closed$"):
            client.ping()

    def test_a_clock_that_is_wrong_is_corrected_by_the_refusal(self):
        with self.open(ALIVE, KEY, **PATIENT) as client:
            client.delete("jumps")
            answers = [client.incr("jumps")]
            clock = fleet_of(client).clock
            for jump in (3_600_000, -3_600_000):
                clock._offset += jump
                clock._offsets = {link: offset + jump for link, offset in clock._offsets.items()}
                answers.append(client.incr("jumps"))
            self.assertEqual(answers, [1, 2, 3])


class Keys:
    def test_a_key_that_no_daemon_knows(self):
        with self.open([ALIVE], STRANGER, **PATIENT) as client:
            with self.assertRaises(Refused) as caught:
                client.set("k", 1)
        error = caught.exception
        self.assertEqual((error.reasons, error.effect, error.code), (("unknown-key",), "not-applied", "refused"))
        self.assertRegex(str(error), "Compare the fingerprint")

    def test_no_key(self):
        with self.open(ALIVE, **PATIENT) as client:
            with self.assertRaisesRegex(Refused, "accepts only signed commands.*Specify the private key") as caught:
                client.set("k", 1)
        self.assertEqual(caught.exception.effect, "not-applied")

    def test_a_daemon_without_keys(self):
        with self.open(GIVEN["keyless"], KEY, **PATIENT) as client:
            with self.assertRaisesRegex(Refused, "It has no keys.*Start it with this key's public half"):
                client.set("k", 1)

    def test_without_a_key_where_none_is_wanted(self):
        with self.open([GIVEN["keyless"], ALIVE], **PATIENT) as client:
            self.assertIs(client.set("unsigned", "a b"), True)
            self.assertEqual(client.get("unsigned"), b"a b")
            self.assertEqual(client.multi([["SET", "n", 1], ["INCR", "n"]]), ["OK", 2])
            with self.assertRaisesRegex(dbsync.ReplyError, "ERR unknown command 'GETT'"):
                client.call("GETT", "k")

    def test_files_that_are_no_keys(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "key.pem")
            for content, told in (
                (b"", "is empty"),
                (b"hello", "contains no PEM block"),
                (GIVEN["public"].encode(), "contains a public key, which cannot sign"),
                (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is damaged"),
                (GIVEN["encrypted"].encode(), "is encrypted, and the passphrase is missing"),
            ):
                with open(path, "wb") as file:
                    file.write(content)
                os.chmod(path, 0o600)
                with self.assertRaisesRegex(BadKey, f"{path} {told}"):
                    self.open(ALIVE, path)
            with self.assertRaisesRegex(BadKey, "cannot be decrypted with this passphrase"):
                self.open(ALIVE, path, password="wrong")
            self.open(ALIVE, path, password="right").close()
            os.chmod(path, 0o644)
            with self.assertWarnsRegex(dbsync.DbsyncWarning, "chmod 600"):
                self.open(ALIVE, path, password="right").close()
            with self.assertRaisesRegex(BadKey, "is a folder"):
                self.open(ALIVE, folder)
            with self.assertRaisesRegex(BadKey, "does not exist"):
                self.open(ALIVE, path + "x")


class Tls:
    place, pin = GIVEN["tls"]["place"], GIVEN["tls"]["pin"]

    def trouble(self, servers, **options):
        with self.open(servers, KEY, timeout=15, **options) as client:
            with self.assertRaises(NoAnswer) as caught:
                client.set("k", 1)
        self.assertEqual((stage_of(caught.exception), caught.exception.effect), ("tls", "not-applied"))
        return str(caught.exception)

    def test_who_is_who_it_should_be(self):
        for servers, options in (
            (f"dbsyncs://{self.place}#sha256:{self.pin}", {}),
            (f"dbsyncs://{self.place}#sha256:{'00' * 32}#sha256:{self.pin.upper()}", {}),
            (f"dbsyncs://{self.place}", {"ca": GIVEN["tls"]["certificate"]}),
            (f"dbsyncs://{self.place}", {"ca": GIVEN["tls"]["pem"]}),
        ):
            with self.open(servers, KEY, **PATIENT, **options) as client:
                self.assertIs(client.ping(), True)

    def test_who_is_somebody_else(self):
        wrong = self.trouble(f"dbsyncs://{self.place}#sha256:{'00' * 32}")
        self.assertIn(f"its key is sha256:{self.pin}, which is not the one in the list", wrong)
        self.assertRegex(self.trouble(f"dbsyncs://{self.place}"), "certificate.*pin it: #sha256:")

    def test_who_has_none(self):
        self.assertIn("write dbsyncs:// before its address", self.trouble(self.place))
        self.assertIn("connect to it with dbsync://", self.trouble(f"dbsyncs://{ALIVE}#sha256:{self.pin}"))

    def test_authorities_that_are_none(self):
        for ca in ("/nowhere.pem", __file__, "-----BEGIN CERTIFICATE-----"):
            with self.assertRaisesRegex(BadOption, "ca is .*, allowed: "):
                self.open(f"dbsyncs://{self.place}", KEY, ca=ca)


class OfClient(Daemons, Keys, Tls, unittest.TestCase):
    open = Client


class OfAsyncClient(Daemons, Keys, Tls, unittest.TestCase):
    open = Awaited


class Reports(unittest.TestCase):
    def test_both_clients_report_the_same(self):
        place, pin = Tls.place, Tls.pin
        for servers, options in (
            (DEAD, {"key": KEY}),
            (ALIVE, {"key": KEY}),
            (ALIVE, {"key": STRANGER}),
            (ALIVE, {}),
            (ALIVE, {"key": KEY, "cluster": "ff" * 32}),
            (GIVEN["keyless"], {"key": KEY}),
            (place, {"key": KEY}),
            (f"dbsyncs://{place}#sha256:{'00' * 32}", {"key": KEY}),
            (f"dbsyncs://{place},{ALIVE}", {"key": KEY, "policy": "all"}),
            (f"dbsyncs://{place}#sha256:{pin},{DEAD}", {"key": KEY, "policy": "majority"}),
            ([ALIVE, DEAD, GIVEN["keyless"]], {"key": KEY, "policy": 2}),
        ):
            reports = []
            for open in (Client, Awaited):
                with open(servers, **options, **PATIENT) as client, self.assertRaises(DbsyncError) as caught:
                    client.call("GETT", "k")
                error = caught.exception
                reports.append((type(error), str(error), error.code, error.effect, error.outcomes))
            self.assertEqual(*reports)


class Clocks(unittest.TestCase):
    def test_dates_never_go_back(self):
        now = [1000.0]
        clock = Clock(lambda: now[0])
        clock.heard("daemon", 500_000, 1000.0)
        dates = []
        for _ in range(20):
            clock.seen((clock.date()[0] + 1000, 7))
            dates.append(clock.date())
        self.assertEqual(dates, sorted(set(dates)))
        self.assertLessEqual(dates[-1][0], clock.time() + MAX_AHEAD_MS)
        # A clock that has proved wrong is discarded.
        clock.used = (10**9, 0)
        self.assertLess(clock.date()[0], 10**7)


class Cancelled(unittest.IsolatedAsyncioTestCase):
    async def test_what_nobody_was_sent_yet_is_not_sent(self):
        async with AsyncClient(ALIVE, KEY, **PATIENT) as client:
            task = asyncio.create_task(client.incr("cancelled"))
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertEqual(await client.incr("cancelled"), 1)

    async def test_a_timeout_of_the_callers_own(self):
        hung = GIVEN["hung"]
        async with AsyncClient(hung["address"], KEY, **PATIENT) as client:
            await client.ping()
            os.kill(hung["pid"], signal.SIGSTOP)
            try:
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.set("k", 1), 0.2)
            finally:
                os.kill(hung["pid"], signal.SIGCONT)
            # The connection still works, and what was sent has arrived.
            self.assertEqual(await client.get("k"), b"1")

    async def test_closing_does_not_wait_for_a_daemon_that_hangs(self):
        hung = GIVEN["hung"]
        client = AsyncClient([hung["address"], ALIVE], KEY, **PATIENT)
        await client.using(policy="all").ping()
        os.kill(hung["pid"], signal.SIGSTOP)
        try:
            await client.incr("closing")
            waiting = asyncio.create_task(client.call("INCR", "closing", policy="all"))
            await asyncio.sleep(0)
            await client.close(drain=0.1)
            with self.assertRaisesRegex(DbsyncError, "closed"):
                await waiting
        finally:
            os.kill(hung["pid"], signal.SIGCONT)

    async def test_a_connection_that_opens_while_the_client_is_closed(self):
        opened, closed = asyncio.Event(), asyncio.Event()

        async def serve(reader, writer):
            while await reader.read(1 << 16):
                pass
            writer.close()
            closed.set()

        async def dial(*place):
            streams = await dbsync.dialing.dial(*place)
            # The event loop closes the client before it continues with the new connection.
            opened.set()
            await asyncio.sleep(0)
            return streams

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = AsyncClient(f"127.0.0.1:{port}", KEY, **PATIENT)
            with unittest.mock.patch("dbsync.link.dial", dial):
                call = asyncio.create_task(client.ping())
                await opened.wait()
                await client.close(0)
            with self.assertRaises(Closed) as caught:
                await call
            self.assertEqual(caught.exception.effect, "not-applied")
            await asyncio.wait_for(closed.wait(), SECONDS)


if __name__ == "__main__":
    unittest.main()
