/**
 * Tests in Chromium that a page's signed commands survive reloads, crashes, other tabs, other daemons, and the sleep
 * of the machine.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createRelay, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeFolder } from "../../daemon/program/replicas.js";
import { skipUnlessFull } from "../../support/amount.js";
import { startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { listenAtFreePort } from "../../support/free-port.js";
import { browserFile } from "../../support/make-browser-module.js";
import { until } from "../../support/until.js";
import { type Chromium, startChromium, type Tab } from "./chromium.js";
import { type Fleet, makeFleet } from "./scene.js";

/** A page that records the client's notifications. Tests pass options in its address. */
const PAGE = `<!doctype html><script type="module">
  import * as dbsync from "./dbsync.js";
  const { servers, key } = Object.fromEntries(new URLSearchParams(location.search));
  const told = (window.told = []);
  Object.assign(window, { dbsync, ended: [], late: 0 });
  const realNow = Date.now;
  Date.now = () => realNow() + window.late;
  window.open = (options = {}) => (window.client = dbsync.createClient({ servers, key, ...options,
    recovered: ({ command, value, error }) => told.push({ command, value, code: error?.code ?? "",
      effect: error?.effect ?? "", stages: error?.outcomes.map(({ stage, detail }) => stage + " " + detail) ?? [] }) }));
  window.send = (command, options) => { client.call(command, options).then(
    (value) => ended.push(value), (error) => ended.push(error.code + " " + error.effect)); return true; };
  window.kept = () => new Promise((resolve, reject) => {
    const opening = indexedDB.open("dbsync-outbox");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => { const database = opening.result;
      if (!database.objectStoreNames.contains("envelopes")) return database.close(), resolve(0);
      const counting = database.transaction("envelopes").objectStore("envelopes").count();
      counting.onsuccess = () => { database.close(); resolve(counting.result); }; }; });
  window.isReady = true;
</script>`;

const web = createServer(({ url = "" }, response) => {
  const module = browserFile(url);
  response.writeHead(200, { "content-type": module === null ? "text/html" : "text/javascript" });
  response.end(module === null ? PAGE : readFileSync(module));
});

let chromium: Chromium;
const folder = makeFolder();

before(async () => {
  if (skipUnlessFull !== false) return;
  await listenAtFreePort(web);
  chromium = await startChromium();
});

after(async () => {
  web.close();
  web.closeAllConnections();
  await chromium?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const addressOf = (key: string, server: string) =>
  `http://localhost:${(web.address() as AddressInfo).port}/?key=${key}&servers=${server}`;

/** A daemon, and a relay to it that can be interrupted. */
interface Scene extends AsyncDisposable {
  readonly address: string;
  /** The daemon's key file. */
  readonly file: string;
  readonly fleet: Fleet;
  isCut: boolean;
  cut(): void;
}

async function openScene(fleet: Fleet, key: string, file: string): Promise<Scene> {
  const sockets = new Set<Socket>();
  const relay = createRelay((socket) => {
    socket.on("error", () => {});
    if (way.isCut) return void socket.destroy();
    const onward = connect(Number(new URL(fleet.servers[0] as string).port), "127.0.0.1");
    onward.on("error", () => {});
    for (const one of [socket, onward]) sockets.add(one.on("close", () => sockets.delete(one)));
    socket.on("close", () => onward.destroy());
    onward.on("close", () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
  await listenAtFreePort(relay);

  const way: Scene = {
    address: addressOf(key, `ws://127.0.0.1:${(relay.address() as AddressInfo).port}`),
    file,
    fleet,
    isCut: false,
    cut() {
      way.isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      way.cut();
      relay.close();
      await fleet[Symbol.asyncDispose]();
    },
  };
  return way;
}

/** Starts a daemon that accepts the key with that name, and a tab with a client that has connected to it. */
async function scene(key: string, tab: Tab): Promise<Scene> {
  await tab.open(addressOf(key, ""));
  await tab.until("window.isReady");
  const file = join(folder.path, `${key}.pem`);
  writeFileSync(file, String(await tab.run(`dbsync.openKey("${key}").then(dbsync.publicKeyPem)`)));
  const way = await openScene(await makeFleet(1, 1, file), key, file);
  await tab.open(way.address);
  await tab.until("window.isReady && open()");
  assert.equal(await tab.run(`client.send("PING")`), "PONG");
  return way;
}

const portOf = ({ fleet }: Scene): string => new URL(fleet.servers[0] as string).port;

const full = { skip: skipUnlessFull };

const RELOADED =
  "signed, undelivered calls survive a reload, are listed, and are delivered once a daemon is reachable";

for (const isPrivate of [false, true])
  test(RELOADED + (isPrivate ? ", even in a private window" : ""), full, async () => {
    const tab = await chromium.another(isPrivate);
    await using way = await scene("reload", tab);
    assert.equal(await tab.run("client.unkept"), null);

    way.cut();
    await tab.run(`send("INCR n") && send(["SET", "k", "v"]) && send("GET k")`);
    await tab.until("kept().then((count) => count >= 1)");

    await tab.reload();
    await tab.until("window.isReady && open()");
    const shown = "client.outbox.map(({ command, isRecovered }) => [command, isRecovered])";
    await tab.until("client.outbox.length > 0");
    assert.deepEqual(await tab.run(shown), [
      ["INCR n", true],
      [["SET", "k", "v"], true],
    ]);

    way.isCut = false;
    await tab.until("told.length === 2");
    const good = { code: "", effect: "", stages: [] };
    assert.deepEqual(await tab.run("told"), [
      { command: "INCR n", value: 1, ...good },
      { command: ["SET", "k", "v"], value: "OK", ...good },
    ]);

    assert.equal(await tab.run(`client.send("GET n")`), "1");
    await tab.until("kept().then((count) => count === 0)");
    assert.deepEqual(await tab.run("client.outbox"), []);
  });

test("a call whose answer was lost is applied once", full, async () => {
  const tab = await chromium.another();
  await using way = await scene("unseen", tab);
  // From now on the daemon receives the page's bytes, but the page receives no answers.
  await tab.run(`(client.close(), open({ makeSocket(url, protocol) {
    const socket = new WebSocket(url, protocol), send = socket.send.bind(socket);
    socket.send = (bytes) => { if (new TextDecoder().decode(bytes).includes("INCR")) socket.onmessage = null; send(bytes); };
    return socket; } }), send("INCR n"))`);
  await tab.until("kept().then((count) => count === 1)");
  await tab.reload();
  await tab.until("window.isReady && open()");
  await tab.until("told.length === 1");
  assert.equal(await tab.run("told[0].value"), 1);
  assert.equal(await tab.run(`client.send("GET n")`), "1");
  way.cut();
});

test(
  "the calls of an open tab belong to it; when it crashes, another tab takes them over and is notified",
  full,
  async () => {
    const tab = await chromium.another();
    await using way = await scene("tabs", tab);

    const others = await Promise.all([1, 2].map(() => chromium.another()));
    for (const other of others) {
      await other.open(way.address);
      await other.until("window.isReady && open()");
      assert.equal(await other.run(`client.send("PING")`), "PONG");
    }

    way.cut();
    await tab.run(`send("INCR n")`);
    await tab.until("kept().then((count) => count === 1)");
    // The remaining tabs check whether the crashed one has left commands.
    for (const other of others) await other.run("dispatchEvent(new Event('online'))");

    const third = await chromium.another();
    await third.open(way.address);
    await third.until("window.isReady && open()");
    await third.run("kept()");
    for (const other of [...others, third]) assert.deepEqual(await other.run("client.outbox"), []);

    await tab.crash();
    const all = [...others, third];
    const count = async (what: string) =>
      (await Promise.all(all.map((other) => other.run(what)))).reduce(
        (sum: number, one) => sum + Number(one),
        0,
      );
    await until("a tab has the outbox", async () => (await count("client.outbox.length")) > 0);
    assert.equal(await count("client.outbox.length"), 1);

    way.isCut = false;
    await until("a tab reports the outcome", async () => (await count("told.length")) > 0);
    assert.equal(await third.run(`client.send("GET n")`), "1");
    assert.equal(await count("told.length"), 1);
    assert.equal(await third.until("kept().then((count) => count === 0)"), true);
  },
);

test("a call that no daemon accepts by its deadline fails, and is not sent later", full, async () => {
  const tab = await chromium.another();
  await using way = await scene("over", tab);

  way.cut();
  const deadline = Date.now() + 1500;
  await tab.run(`send("INCR n", { timeout: 1500 })`);
  await tab.until("kept().then((count) => count === 1)");
  await tab.crash();
  await until("the deadline has passed", () => Date.now() >= deadline + 100);

  const next = await chromium.another();
  await next.open(way.address);
  await next.until("window.isReady && open()");
  await next.until("told.length === 1");
  const { code, effect } = (await next.run("told[0]")) as Record<string, unknown>;
  assert.deepEqual({ code, effect }, { code: "all-failed", effect: "unknown" });
  assert.deepEqual(await next.run("client.outbox"), []);

  way.isCut = false;
  assert.equal(await next.run(`client.send("GET n")`), null);
  assert.equal(await next.until("kept().then((count) => count === 0)"), true);
});

test(
  "daemons of another cluster refuse the call, the page is notified, and later calls are signed for that cluster",
  full,
  async () => {
    const tab = await chromium.another();
    await using way = await scene("foreign", tab);
    way.cut();
    await tab.run(`send("INCR n")`);
    await tab.until("kept().then((count) => count === 1)");

    const keys = ["-s", way.file, "-s", makeKeyPair().file];
    await way.fleet.stop(0);
    await using _daemon = await startDaemon([...keys, "--ws", portOf(way)]);
    way.isCut = false;

    await tab.reload();
    await tab.until("window.isReady && open()");
    await tab.until("told.length === 1");
    const { code, effect, stages } = (await tab.run("told[0]")) as Record<string, unknown>;
    assert.deepEqual({ code, effect }, { code: "refused", effect: "unknown" });
    assert.match(String(stages), /wrong-cluster/);
    assert.equal(await tab.run(`client.call("INCR n")`), 1);
  },
);

test("a full or forbidden store is reported, and calls continue without it", full, async () => {
  const tab = await chromium.another();
  await using way = await scene("full", tab);
  await tab.run(
    `IDBObjectStore.prototype.put = () => { throw new DOMException("no room", "QuotaExceededError"); }`,
  );
  assert.equal(await tab.run(`client.call("INCR n")`), 1);
  assert.match(String(await tab.until("client.unkept")), /QuotaExceededError/);

  await tab.reload();
  await tab.until("window.isReady");
  await tab.run(`Object.defineProperty(navigator, "locks", { value: undefined }) && open() && true`);
  assert.equal(await tab.run(`client.call("INCR n")`), 2);
  assert.match(String(await tab.until("client.unkept")), /no Web Locks/);

  await tab.reload();
  await tab.until("window.isReady");
  await tab.run(`Object.defineProperty(window, "indexedDB", { value: undefined }) && open() && true`);
  assert.match(String(await tab.run(`client.call("INCR n").catch(String)`)), /bad-key: .*IndexedDB/);
  const made = `dbsync.makeKey().then((key) => (open({ key }), client.unkept))`;
  assert.match(String(await tab.run(made)), /its key is not stored/);
  way.cut();
});

test(
  "a page that was open during the machine's sleep fails pending calls, and continues afterwards",
  full,
  async () => {
    const tab = await chromium.another();
    await using way = await scene("night", tab);

    await way.fleet.stop(0);
    const args = ["-s", way.file, "--ws", portOf(way)];
    const daemon = await startDaemon(args);
    assert.equal(await tab.run(`client.send("SET k 1")`), "OK");
    await tab.run(
      `(window.events = [], (async () => { for await (const { type } of client.watch("k")) events.push(type); })(), true)`,
    );
    await tab.until(`events.includes("open")`);

    await daemon[Symbol.asyncDispose]();
    await tab.run(`send("INCR n")`);
    await tab.until("kept().then((count) => count === 1)");

    // While the machine sleeps, its timers and performance.now() stop, but the time of day does not.
    await tab.run("(window.late = 8 * 3600_000, dispatchEvent(new Event('online')))");
    await tab.until("ended.length === 1");
    assert.match(String(await tab.run("ended")), /^all-failed (unknown|not-applied)$/);
    assert.equal(await tab.until("kept().then((count) => count === 0)"), true);

    await using _again = await startDaemon(args);
    assert.equal(await tab.run(`client.send("INCR n")`), "1");
    await tab.until(`events.filter((type) => type === "open").length === 2`);
    assert.deepEqual((await tab.run("events")) as string[], ["open", "gap", "open"]);
    await tab.run(`client.send("SET k 2")`);
    await tab.until(`events.includes("changed")`);
  },
);

test("an unreadable entry and a listener that throws do not block other calls", full, async () => {
  // Its entry stays in the store, so later tests must not count it.
  const tab = await chromium.another(true);
  await using way = await scene("broken", tab);

  way.cut();
  await tab.run(`send("INCR n") && send(["SET", "k", "v"])`);
  await tab.until("kept().then((count) => count >= 1)");

  // The first entry precedes the others, and is damaged; the last one has the format of a later release.
  await tab.run(`new Promise((resolve) => { indexedDB.open("dbsync-outbox").onsuccess = ({ target: { result } }) => {
    const store = result.transaction("envelopes", "readwrite").objectStore("envelopes");
    store.getAllKeys().onsuccess = ({ target: { result: [name] } }) => {
      store.put({ format: 1, calls: "damaged" }, name.replace(/\\d+$/, "0"));
      store.put({ format: 2, calls: "of another form" }, name.replace(/\\d+$/, "9")).onsuccess = () => { result.close(); resolve(true); }; }; }; })`);

  await tab.reload();
  await tab.until("window.isReady");
  way.isCut = false;
  await tab.run(`(window.all = [], window.client = dbsync.createClient({
    ...Object.fromEntries(new URLSearchParams(location.search)),
    recovered({ command }) { all.push(command); throw new Error("the page's own"); } }), true)`);
  await tab.until("all.length === 2");
  assert.equal(await tab.run(`client.send("GET n")`), "1");
  assert.equal(await tab.until("kept().then((count) => count === 1)"), true);

  const stored = `new Promise((resolve) => { indexedDB.open("dbsync-outbox").onsuccess = ({ target: { result } }) => {
    const store = result.transaction("envelopes").objectStore("envelopes");
    store.openCursor().onsuccess = ({ target: { result: { key, value } } }) => { result.close(); resolve([key.at(-1), value]); }; }; })`;
  const later = ["9", { format: 2, calls: "of another form" }];
  assert.deepEqual(await tab.run(stored), later);

  await tab.reload();
  await tab.until("window.isReady && open()");
  const sentence = String(await tab.until("client.unkept"));
  assert.match(
    sentence,
    /^a stored envelope has format 2, and this page reads only format 1: it was not changed; load the page that stored it$/,
  );
  assert.deepEqual(await tab.run(stored), later, "the next page has not changed it either");
});

test("databases of a later release are refused in one sentence, and not changed", full, async () => {
  // Tabs of the same profile would block the upgrade of their databases.
  const tab = await chromium.another(true);
  await using way = await scene("newer", tab);

  const upgrade = (name: string) => `new Promise((resolve) => {
    const opening = indexedDB.open("${name}", 2);
    opening.onsuccess = () => { opening.result.close(); resolve(true); }; })`;
  const databases =
    "indexedDB.databases().then((all) => all.map(({ name, version }) => name + version).sort())";

  await tab.run("(client.close(), true)");
  await tab.run(upgrade("dbsync-outbox"));
  await tab.reload();
  await tab.until("window.isReady && open()");
  assert.equal(await tab.run(`client.call("INCR n")`), 1);
  assert.match(
    String(await tab.until("client.unkept")),
    /dbsync-outbox has a higher number than 1, and was not changed: load the newer page/,
  );

  await tab.run("(client.close(), true)");
  await tab.run(upgrade("dbsync"));
  assert.match(
    String(await tab.run(`dbsync.openKey("newer").catch(String)`)),
    /bad-key: .*dbsync has a higher number than 1, and was not changed: load the newer page/,
  );

  assert.deepEqual(await tab.run(databases), ["dbsync-outbox2", "dbsync2"]);
  way.cut();
});

test(
  "a page with a configured cluster takes over only that cluster's calls, and setting the clock back extends no deadline",
  full,
  async () => {
    const tab = await chromium.another();
    await using way = await scene("named", tab);
    const cluster = "ab".repeat(32);
    way.cut();
    await tab.run(`(client.close(), open({ cluster: "${cluster}" }), send("INCR n", { timeout: 2000 }))`);
    await tab.until("kept().then((count) => count === 1)");
    await tab.reload();
    await tab.until("window.isReady && (window.late = -3600_000, window.other = open())");
    await tab.run(`open({ cluster: "${cluster}" }) && true`);
    await tab.until("client.outbox.length === 1");
    assert.deepEqual(await tab.run("other.outbox"), []);
    await tab.until("told.length === 1");
  },
);

test("an earlier tab takes over the calls that a later tab signed before it crashed", full, async () => {
  const first = await chromium.another();
  await using way = await scene("later", first);
  const later = await chromium.another();
  await later.open(way.address);
  await later.until("window.isReady && open()");
  assert.equal(await later.run(`client.send("PING")`), "PONG");
  way.cut();
  await later.run(`send("INCR n")`);
  await later.until("kept().then((count) => count === 1)");
  await later.crash();
  await first.until("client.outbox.length === 1");
  way.isCut = false;
  await first.until("told.length === 1");
  assert.equal(await first.run(`client.send("GET n")`), "1");
});
