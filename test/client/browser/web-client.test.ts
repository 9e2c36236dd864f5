/** Tests the client for web pages: what it sends to which daemons, and what it stores for unreachable daemons. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mock, test } from "node:test";
import { createClient } from "../../../client/browser/public-api.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { startDaemonHere } from "../../support/daemon-here.js";
import { refusingAddress } from "../../support/free-port.js";
import { scratchFolder } from "../../support/scratch-folder.js";
import { until } from "../../support/until.js";
import { FakeDaemon } from "../fake-daemon-v2.js";
import { clientOf, key, keyFile, makeFleet, makeSocket, page } from "./scene.js";

test("a page can use send, call, multi and sendAll", async () => {
  await using fleet = await makeFleet(3);
  using client = clientOf(fleet);
  assert.equal(await client.send("SET k höhe", { policy: "all" }), "OK");
  assert.equal(await client.send("GET k", { policy: "all-equal" }), "höhe");
  assert.equal(await client.send("GET none"), null);
  assert.deepEqual(await client.call(["HSET", "h", "a", 1, "b", "x"], { policy: "majority" }), 2);
  assert.deepEqual(await client.call("HGETALL h"), ["a", "1", "b", "x"]);
  assert.deepEqual(await client.multi(["INCR n", ["RPUSH", "l", "a b"], "LRANGE l 0 -1"]), [1, 1, ["a b"]]);
  assert.deepEqual(await client.multi(["INCR n", "GET k"]), [2, "höhe"]);

  const bytes = (await client.call(["GET", "k"], { buffers: true })) as Uint8Array;
  assert.deepEqual([...bytes], [...Buffer.from("höhe")]);
  assert.match(String(client.lastWrite), /^[\da-f]{92}$/);

  const { outcomes } = await client.sendAll("GET k");
  assert.deepEqual(
    outcomes.map((outcome) => [outcome.address, outcome.status === "ok" && outcome.value]),
    fleet.servers.map((server) => [server, "höhe"]),
  );

  const [writer] = (await client.call("WRITERS k")) as string[];
  assert.equal(await client.call("SET k 2", { if: [{ key: "k", writer: writer as string }] }), "OK");
  assert.equal(await client.call("SET k 3", { if: [{ key: "k", writer: writer as string }] }), null);
  await assert.rejects(client.send("INCR k x"), { code: "reply" });
});

test("many simultaneous calls share signatures, and are answered in their order", async () => {
  await using fleet = await makeFleet(2);
  using client = clientOf(fleet);
  const sign = mock.method(crypto.subtle, "sign");
  const replies = await Promise.all(
    Array.from({ length: 500 }, () => client.call("INCR n", { policy: "all" })),
  );
  assert.deepEqual(
    replies,
    Array.from({ length: 500 }, (_, i) => i + 1),
  );
  assert.ok(sign.mock.callCount() < 100, `${sign.mock.callCount()} signatures`);
  sign.mock.restore();
});

test("a page continues without a stopped daemon, which receives pending calls when it is back", async () => {
  await using fleet = await makeFleet(3);
  using client = clientOf(fleet);
  await client.send("SET k 1", { policy: "all" });
  await fleet.stop(1);
  assert.equal(await client.send("SET k 2"), "OK");
  assert.equal(await client.send("SET k 3", { policy: "majority" }), "OK");
  await fleet.start(1);
  assert.equal(await client.send("SET k 4", { policy: "all" }), "OK");
});

test("calls wait and are listed while no daemon is reachable, and are sent later", async () => {
  await using fleet = await makeFleet(2, 0);
  let changes = 0;
  using client = clientOf(fleet, { changed: () => changes++ });
  const sent = [client.send("INCR n"), client.send("INCR n"), client.call(["SET", "k", "v"])];
  await turn();
  assert.deepEqual(
    client.outbox.map(({ command }) => command),
    ["INCR n", "INCR n", ["SET", "k", "v"]],
  );
  const [{ since, until }] = client.outbox as unknown as [{ since: number; until: number }];
  assert.equal(until - since, 20_000);
  assert.ok(changes > 0);
  await fleet.start(0);
  assert.deepEqual(await Promise.all(sent), ["1", "2", "OK"]);
  assert.deepEqual(client.outbox, []);
});

test("calls are sent as soon as a daemon is reachable even if timers fire early, as in Node", async () => {
  await using fleet = await makeFleet(2, 0);
  let refused = 0;
  const client = createClient({
    servers: fleet.servers,
    key,
    makeSocket(url: string, protocol: string) {
      const socket = makeSocket(url, protocol);
      socket.addEventListener("close", () => refused++);
      return socket;
    },
  });

  const setTimer = globalThis.setTimeout;
  const early = mock.method(globalThis, "setTimeout", ((ring: () => void, ms = 0) =>
    // Only short timers fire early, not the timer of the call's deadline.
    setTimer(ring, ms < 1000 ? ms / 2 : ms)) as typeof setTimeout);

  const sent = client.send("INCR n");
  await until("each server refuses the connection", () => refused >= fleet.servers.length, { pause: turn });
  await fleet.start(0);
  assert.equal(await sent, "1");

  early.mock.restore();
  client.close();
});

test("a signed, unanswered call is sent again unchanged, and is applied once", async () => {
  await using fleet = await makeFleet(1);
  let isCut = false;
  const sockets: ReturnType<typeof makeSocket>[] = [];
  using client = clientOf(fleet, {
    makeSocket(url: string, protocol: string) {
      const socket = makeSocket(url, protocol);
      sockets.push(socket);
      const send = socket.send.bind(socket) as (bytes: Uint8Array) => void;
      // The daemon receives the call, but its answer is lost.
      socket.send = (bytes: Uint8Array) => {
        send(bytes);
        if (isCut || !Buffer.from(bytes).includes("INCR")) return;
        isCut = true;
        socket.removeAllListeners("message");
        socket.onmessage = null;
        setImmediate(() => socket.close());
      };
      return socket;
    },
  });

  assert.equal(await client.send("SET n 0"), "OK");
  assert.equal(await client.send("INCR n"), "1");
  assert.ok(isCut && sockets.length === 2);
  assert.equal(await client.send("GET n"), "1");
});

test("a call that no daemon accepts by its deadline fails as not applied", async () => {
  await using fleet = await makeFleet(2, 0);
  using client = clientOf(fleet);
  await assert.rejects(client.send("INCR n", { timeout: 300 }), {
    code: "all-failed",
    effect: "not-applied",
  });
  assert.deepEqual(client.outbox, []);
  await fleet.start(0);
  assert.equal(await client.send("GET n"), null);
});

test("the number of waiting calls is limited, and closing the client ends them", async () => {
  const client = clientOf({ servers: [`ws://${await refusingAddress()}`] });
  const calls = Array.from({ length: 1001 }, (_, i) => client.send(`SET k ${i}`));
  await assert.rejects(calls.pop() as Promise<unknown>, { code: "busy" });
  // Such a command can never be sent, however few calls wait.
  await assert.rejects(client.call(["SET", "k", "x".repeat(5_000_000)]), { code: "bad-command" });
  assert.equal(client.outbox.length, 1000);
  const [{ since, until }] = client.outbox as unknown as [{ since: number; until: number }];
  assert.equal(until - since, 20_000);
  await turn();
  client.close();
  for (const settled of await Promise.allSettled(calls)) assert.equal(settled.status, "rejected");
  await assert.rejects(client.send("GET k"), { code: "closed" });
});

test("the bytes of waiting calls are limited", async () => {
  const client = clientOf({ servers: [`ws://${await refusingAddress()}`] });
  const value = "x".repeat(3_000_000);
  const waiting = client.call(["SET", "k", value]);
  await assert.rejects(client.call(["SET", "k", value]), { code: "busy" });
  client.close();
  await assert.rejects(waiting);
});

test("a page receives channel messages, and changes of a key", async () => {
  await using daemon = await startDaemonHere(["-s", keyFile, "--ws", "0"]);
  const port = await daemon.portOf("WebSocket clients");
  using client = clientOf({ servers: [`ws://127.0.0.1:${port}`] });
  const messages = client.subscribe("news");
  assert.equal((await messages.next()).value?.type, "open");
  await client.send("PUBLISH news hello");
  assert.deepEqual((await messages.next()).value, { type: "message", channel: "news", text: "hello" });
  await messages.return?.();
  const changes = client.watch({ prefix: "shop:" });
  assert.equal((await changes.next()).value?.type, "open");
  await client.send("SET shop:book 1");
  assert.deepEqual((await changes.next()).value, { type: "changed", db: 0, key: "shop:book" });
  await changes.return?.();
});

test("if the browser does not support Ed25519 the key is RSA", async () => {
  const generate = crypto.subtle.generateKey.bind(crypto.subtle);
  const made = mock.method(crypto.subtle, "generateKey", ((algorithm: { name: string }, ...rest: never[]) => {
    if (algorithm.name === "Ed25519") throw new DOMException("no such algorithm", "NotSupportedError");
    return (generate as (...all: unknown[]) => unknown)(algorithm, ...rest);
  }) as never);
  const key = await page.makeKey();
  made.mock.restore();
  const file = join(scratchFolder("browser"), "rsa.pem");
  writeFileSync(file, page.publicKeyPem(key));
  await using fleet = await makeFleet(1, 1, file);
  using client = clientOf(fleet, { key });
  assert.equal(await client.send("PING"), "PONG");
  await assert.rejects(crypto.subtle.exportKey("pkcs8", key.privateKey));
  using other = clientOf(fleet);
  await assert.rejects(other.send("PING"), { code: "refused", effect: "not-applied" });
});

test("a page's reads name its writes that a daemon may be missing, so that the page reads its own writes", async () => {
  const daemons = [1, 2].map((id) => new FakeDaemon({ id, clock: Date.now }));
  for (const daemon of daemons) daemon.members = 1;
  using client = clientOf(
    { servers: ["ws://127.0.0.1:1", "ws://127.0.0.1:2"] },
    { makeSocket: (url: string) => socketTo(daemons[Number(url.slice(-1)) - 1] as FakeDaemon) },
  );
  const [, two] = daemons as [FakeDaemon, FakeDaemon];
  await client.send("SET k old", { policy: "all" });
  two.refusal = { code: "catching-up", effect: "not-applied" };
  await assert.rejects(client.send("SET k new", { policy: "all" }), { code: "not-all-answered" });
  const written = client.lastWrite;
  two.refusal = null;
  await client.sendAll("GET k");
  const named = daemons.map(({ applied }) => applied.at(-1)?.envelope.after ?? "");
  assert.deepEqual(named.map(hexOf), [written, written]);
});

/** Returns a WebSocket of a page to a fake daemon. */
function socketTo(daemon: FakeDaemon) {
  const take = daemon.connection();
  const socket = {
    bufferedAmount: 0,
    onopen: null as (() => void) | null,
    onmessage: null as ((event: { data: Uint8Array }) => void) | null,
    send: (bytes: Uint8Array) => {
      const answers = take(Buffer.from(bytes)) ?? [];
      setImmediate(() => {
        for (const data of answers) socket.onmessage?.({ data });
      });
    },
    close() {},
  };
  setImmediate(() => socket.onopen?.());
  return socket;
}

test("options are checked, and errors say what is wrong", () => {
  const make = (options: object) => () => page.createClient(options as never);
  assert.throws(make({}), { code: "bad-option" });
  assert.throws(make({ servers: "127.0.0.1:1111" }), /wss:\/\/db1\.example:1180/);
  assert.throws(
    make({ servers: "ws://a:1", cluster: "x" }),
    /cluster is "x", allowed: see client\/README\.md/,
  );
  assert.throws(make({ servers: "ws://a:1", passphrase: "x" }), /"passphrase" is not an option/);
  assert.throws(make({ servers: "ws://a:1", policy: 2 }), /policy is 2/);
});

test("commands are sent only to the configured cluster", async () => {
  await using fleet = await makeFleet(1);
  using client = clientOf(fleet, { cluster: "ab".repeat(32), timeout: 2000 });
  await assert.rejects(client.send("PING"), { code: "refused", effect: "not-applied" });
});

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
