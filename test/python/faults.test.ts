/**
 * Tests the errors of the Python package: runs programs/faults.py with real daemons, and uses a small fake daemon that
 * misbehaves.
 */
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { makeFolder } from "../daemon/program/replicas.js";
import { type Answering, CLUSTER, fakeV2, hello, refused, result } from "../examples/fake-daemon-v2.js";
import { some } from "../support/amount.js";
import { writeCertificate } from "../support/certificate-files.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { refusingAddress } from "../support/free-port.js";
import { skipWithout } from "../support/requirements.js";
import { startThief, THEFTS } from "../support/thief.js";
import { keyFile, PYTHON, runCases, runCommand, runPython } from "./running.js";

const skip = skipWithout(PYTHON);
const folder = makeFolder();
const started: DaemonProcess[] = [];
const key = keyFile("ed25519", "private");
const signed = ["-s", keyFile("ed25519", "public"), "-s", keyFile("rsa2048", "public")];

async function start(...args: string[]): Promise<DaemonProcess> {
  const daemon = await startDaemon(args);
  started.push(daemon);
  return daemon;
}
const addressOf = ({ port }: DaemonProcess) => `127.0.0.1:${port}`;
const killable = (daemon: DaemonProcess) => ({ address: addressOf(daemon), pid: daemon.pid });
let alive = "";

before(async () => {
  if (!skip) alive = addressOf(await start(...signed));
});
after(async () => {
  await Promise.all(started.map((daemon) => daemon[Symbol.asyncDispose]()));
  folder[Symbol.dispose]();
});

test("errors state the failure, the server, the remedy, and whether the command may have been applied", {
  skip,
}, async () => {
  const certificate = await writeCertificate(folder.path);
  const secured = ["--tls-cert", certificate.certificate, "--tls-key", certificate.key];
  const [victim, anotherVictim, hung, keyless, tls] = await Promise.all([
    start(...signed),
    start(...signed),
    start(...signed),
    start(),
    start(...signed, ...secured),
  ]);

  await using elsewhere = await fakeV2(
    () => hello(Date.now()),
    ({ id }) => result(id, "+PONG\r\n"),
  );
  const encrypted = createPrivateKey(readFileSync(key)).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "right",
  });

  await runCases("faults.py", {
    key,
    alive,
    encrypted,
    dead: await refusingAddress(),
    stranger: keyFile("stranger", "private"),
    public: readFileSync(keyFile("ed25519", "public"), "utf8"),
    elsewhere: elsewhere.address,
    keyless: addressOf(keyless),
    victims: [victim, anotherVictim].map(killable),
    hung: killable(hung),
    tls: {
      place: addressOf(tls),
      pin: certificate.fingerprint,
      certificate: certificate.certificate,
      pem: certificate.pem,
    },
  });
});

const send = (servers: string, ...words: string[]) =>
  runCommand(["--key", key, "--servers", servers, "--timeout", "20", ...words]);

test("the command line prints replies unchanged, and exits with 1 after a command's error and 2 without a reply", {
  skip,
}, async () => {
  assert.deepEqual(await send(alive, "SET", "k", "a b  c"), { code: 0, stdout: "OK\n", stderr: "" });
  const variables = { DBSYNC_SERVERS: alive, DBSYNC_SIGNKEY: keyFile("rsa2048", "private") };
  assert.deepEqual(await runCommand(["GET", "k"], variables), { code: 0, stdout: "a b  c\n", stderr: "" });
  const wrong = await send(alive, "NOSUCH");
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /^\(error\) ERR unknown command/);
  const late = await send(alive, "SET", "k", "v", "--db", "1");
  assert.equal(late.code, 2);
  assert.match(late.stderr, /option --db comes after the command/);
  assert.equal((await send(alive, "--", "SADD", "tags", "--db")).code, 0);
  const none = await send(await refusingAddress(), "PING");
  assert.equal(none.code, 2);
  assert.match(none.stderr, /^dbsync: No daemon answered:\n.*refused.*\[not applied there\]\n$/);
});

test("a hello of another length or protocol is refused in one sentence, and no command is sent", {
  skip,
}, async () => {
  const others = {
    "with 10 elements instead of 9": [...hello(Date.now()), "more"],
    "of protocol 3 instead of 2": hello(Date.now(), CLUSTER, "3"),
  };
  for (const [found, other] of Object.entries(others)) {
    await using daemon = await fakeV2(
      () => other,
      () => null,
    );
    assert.match(
      (await send(daemon.address, "PING")).stderr,
      new RegExp(
        `other-protocol: The daemon sent a hello ${found}: install the same version of dbsync on both sides\\..*not applied there`,
      ),
    );
    assert.ok(daemon.messages.every((message) => message.includes("hello\r\n")));
  }
});

test("a daemon's refusal of the hello is reported", { skip }, async () => {
  const sentence = "The hello is not one that this release reads.";
  await using daemon = await fakeV2(
    () => ["refused", "", "other-protocol", sentence, String(Date.now()), "not-applied"],
    () => null,
  );
  assert.match((await send(daemon.address, "PING")).stderr, /other-protocol: The hello is not one that/);
});

test("if a connection closes during the hello, the client connects once more before it reports a failure", {
  skip,
}, async () => {
  let greetings = 0;
  await using daemon = await fakeV2(
    () => (greetings++ === 0 ? null : hello(Date.now())),
    ({ id }) => result(id, "+OK\r\n"),
  );
  assert.equal((await send(daemon.address, "PING")).stdout, "OK\n");
  assert.equal(greetings, 2);
});

test("commands on a lost connection are sent again with the same bytes", { skip }, async () => {
  await using daemon = await fakeV2(
    () => hello(Date.now()),
    ({ id, number }, socket) => {
      if (number > 1) return result(id, ":1\r\n");
      socket.destroy();
      return null;
    },
  );
  assert.equal((await send(daemon.address, "INCR", "k")).stdout, "1\n");
  const [first, second, ...more] = daemon.messages.filter((message) => message.includes("command\r\n"));
  assert.deepEqual(more, []);
  assert.ok(first !== undefined && second !== undefined && first.equals(second));
});

test("a command with a refused date is signed again, at most four times; its effect is unknown after a lost connection", {
  skip,
}, async () => {
  await using stubborn = await fakeV2(
    () => hello(Date.now()),
    ({ id }) => refused(id, "skew", Date.now()),
  );
  const ended = await send(stubborn.address, "INCR", "k");
  assert.match(ended.stderr, /No daemon accepted the command:\n.*skew: Because\..*\[not applied there\]/);
  assert.equal(stubborn.messages.filter((message) => message.includes("command\r\n")).length, 4);
  await using restarted = await fakeV2(
    () => hello(Date.now()),
    ({ id, number }, socket) => {
      if (number > 1) return refused(id, "too-old", Date.now());
      socket.destroy();
      return null;
    },
  );
  assert.match(
    (await send(restarted.address, "INCR", "k")).stderr,
    /too-old.*\[may have been applied there\]/,
  );
});

test("an invalid answer of version 2 is reported as garbage", { skip }, async () => {
  await using daemon = await fakeV2(
    () => ["refused", "2"],
    () => null,
  );
  assert.match((await send(daemon.address, "PING")).stderr, /garbage: the answer is not a dbsync message/);
});

test("a call that fails reports daemons that have not answered yet as not awaited", {
  skip,
}, async () => {
  const answering: Answering = ({ id }) => result(id, "-ERR no\r\n");
  await using one = await fakeV2(() => hello(Date.now()), answering);
  await using two = await fakeV2(() => hello(Date.now()), answering);
  await using silent = await fakeV2(
    () => hello(Date.now()),
    () => null,
  );
  const found = await runPython(
    `import dbsync
with dbsync.Client(given["servers"], given["key"], timeout=20.0) as client:
    try:
        client.call("SET", "k", 1, policy="majority")
    except dbsync.ReplyError as error:
        print(json.dumps([[each.stage, each.effect] for each in error.outcomes]))`,
    { key, servers: [one, two, silent].map(({ address }) => address) },
  );
  const [, , last] = found as [string, string][];
  assert.equal(last?.[0], "not-awaited");
});

test("a daemon whose reply contradicts its flags counts for no outcome", { skip }, async () => {
  const fake = (reply: string, flags: string) =>
    fakeV2(
      () => hello(Date.now()),
      ({ id }) => result(id, reply, flags),
    );
  const [lock, two] = ["*1\r\n+OK\r\n", "*2\r\n+OK\r\n+OK\r\n"];
  await using unmet = await fake("*-1\r\n", "decided unmet");
  await using owner = await fake(lock, "decided unmet");
  await using applied = await fake(lock, "decided");
  await using another = await fake(lock, "decided");
  await using nothing = await fake("*-1\r\n", "decided");
  await using single = await fake("+OK\r\n", "decided");
  await using more = await fake(two, "decided");

  const program = `import dbsync
def outcome(servers):
    with dbsync.Client(servers, given["key"], timeout=20.0) as client:
        try:
            return client.multi([("SET", "k", 1)], conditions=[dbsync.Condition("k", None)])
        except dbsync.DbsyncError as error:
            return error.outcomes[-1].stage
print(json.dumps([outcome(servers) for servers in given["lists"]]))`;

  const contradictory = [nothing, single, more].map((liar) => [applied, liar]);
  const lists = [[unmet], [unmet, owner], ...contradictory, [applied, another, nothing]];
  const addresses = lists.map((list) => list.map(({ address }) => address));
  assert.deepEqual(await runPython(program, { key, lists: addresses }), [
    ...[null, "garbage"],
    ...["garbage", "garbage", "garbage"],
    ["OK"],
  ]);
});

/**
 * Forges a certificate that is not valid DER, but that OpenSSL reads. It contains the pinned key in values of
 * indefinite length. A DER parser that takes such a length as 0 would find the pinned key in place of the certificate's
 * own key.
 */
const FORGE = `
import base64
from dbsync.tls import Distrusted, public_key_of

def parts(der):
    start = 2 + (der[1] & 0x7F if der[1] & 0x80 else 0)
    while start < len(der):
        size, head = der[start + 1], 2
        if size & 0x80:
            head += size & 0x7F
            size = int.from_bytes(der[start + 2 : start + head], "big")
        yield der[start : start + head + size]
        start += head + size

def sequence(content):
    return b"\\x30\\x84" + len(content).to_bytes(4, "big") + content

own, pinned = (base64.b64decode(given[name]) for name in ("own", "pinned"))
body, *rest = parts(own)
fields = list(parts(body))
identifier = next(parts(fields[2]))
fields[2] = b"\\x30\\x80" + identifier + b"\\x30\\x80\\x05\\x00" + public_key_of(pinned) + bytes(4)
forged = sequence(sequence(b"".join(fields)) + b"".join(rest))
try:
    found = public_key_of(forged).hex()
except Distrusted as doubt:
    found = str(doubt)
`;

test("a certificate that is not valid DER, and would be accepted for another key, is refused", {
  skip,
}, async () => {
  using other = makeFolder();
  const [own, pinned] = await Promise.all([writeCertificate(folder.path), writeCertificate(other.path)]);
  const raw = ({ pem }: { pem: string }) => new X509Certificate(pem).raw.toString("base64");
  const told = await runPython(
    `${FORGE}print(json.dumps([public_key_of(own).hex(), found, base64.b64encode(forged).decode()]))`,
    { own: raw(own), pinned: raw(pinned) },
  );
  const [key, found, forged] = told as [string, string, string];
  const spki = (certificate: X509Certificate) =>
    certificate.publicKey.export({ type: "spki", format: "der" });
  assert.equal(key, spki(new X509Certificate(own.pem)).toString("hex"));
  assert.equal(spki(new X509Certificate(Buffer.from(forged, "base64"))).toString("hex"), key);
  assert.equal(found, "its certificate cannot be read");
});

test("a number in place of a string allocates no memory, and is garbage", { skip }, async () => {
  const told = await runPython(
    `from dbsync.errors import ProtocolError
from dbsync.messages import read_message
from dbsync.resp import Reader
reader = Reader(given.encode())
while not reader.step(): pass
try:
    found = len(read_message(reader.message).daemon)
except ProtocolError as error:
    found = str(error)
print(json.dumps(found))`,
    `*9\r\n$5\r\nhello\r\n$1\r\n2\r\n:900000000\r\n$0\r\n\r\n$1\r\n1\r\n${"$0\r\n\r\n".repeat(4)}`,
  );
  assert.match(String(told), /a message is malformed/);
});

for (const theft of some(THEFTS)) {
  test(`an attacker that ${theft} receives no version 1 command, and the error names the possible causes`, {
    skip,
  }, async () => {
    await using thief = await startThief(theft);
    const ended = await send(thief.address, "SET", "secret", "1");
    assert.equal(ended.code, 2);
    assert.match(
      ended.stderr,
      /speaks only version 1, .* or an attacker hides version 2.*\[not applied there\]/,
    );
    assert.equal((await send(`${thief.address},${alive}`, "PING")).stdout, "PONG\n");
    assert.deepEqual(thief.captured, []);
  });
}

/** Python code that sets the limits of the decoder, calls one fake daemon, and prints the outcome. */
const DECODING = `
import asyncio, dbsync.link, dbsync.resp
for name, value in given["limits"].items(): setattr(dbsync.resp, name, value)

class Jumping(dbsync.link.FrameReader):
    def push(self, chunk):
        for payload in super().push(chunk):
            if len(payload) > 100000: jumped[0] += given["jump"]
            yield payload

jumped = [0]
dbsync.link.FrameReader = Jumping

async def main():
    loop = asyncio.get_running_loop()
    real = loop.time
    loop.time = lambda: real() + jumped[0]
    async with dbsync.AsyncClient(given["address"], given["key"], timeout=20) as client:
        try:
            return ["", len(await client.call("RPUSH", "k", "v"))]
        except dbsync.DbsyncError as error:
            return [type(error).__name__, error.effect, error.outcomes[0].stage]

print(json.dumps(asyncio.run(main())))`;

/**
 * Returns the result of a call to a daemon that sends `reply`. The loop's clock advances by `jump` seconds once all
 * bytes of a long reply have arrived.
 */
async function decoded(reply: string, limits: Record<string, number>, jump = 0): Promise<unknown> {
  await using daemon = await fakeV2(
    () => hello(Date.now()),
    ({ id }) => result(id, reply),
  );
  return await runPython(DECODING, { address: daemon.address, key, limits, jump });
}

const nils = (count: number) => `*${count}\r\n${"$-1\r\n".repeat(count)}`;

test("a deadline that passes while an answer is decoded ends the call", { skip }, async () => {
  assert.deepEqual(await decoded(nils(100_000), {}), ["", 100_000]);
  assert.deepEqual(await decoded(nils(100_000), {}, 30), ["TimedOut", "unknown", "timeout"]);
});

test("an answer with too many or too deeply nested elements is malformed, and the effect of its write is unknown", {
  skip,
}, async () => {
  const malformed = ["NoAnswer", "unknown", "garbage"];
  const limits = { MAX_ELEMENTS: 1000 };
  assert.deepEqual(await decoded(nils(900), limits), ["", 900]);
  assert.deepEqual(await decoded(nils(1001), limits), malformed);
  assert.deepEqual(await decoded(`*20\r\n${nils(60).repeat(20)}`, limits), malformed);
  assert.deepEqual(await decoded(`*100\r\n${"-E\r\n".repeat(100)}`, limits), malformed);
  assert.deepEqual(await decoded(`${"*1\r\n".repeat(100)}:1\r\n`, {}), malformed);
  assert.deepEqual(await decoded(`:${"1".repeat(5000)}\r\n`, {}), malformed);
});
