/**
 * Starts real daemons that their peers refuse permanently. A new one accepts no writes, and reports one cause and one
 * cure. One that was admitted before continues to accept writes. Writes that a new daemon acknowledged before its peers
 * answered are written again in the cluster that it belongs to.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, renameSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { writeClusterSecret } from "../../keys/cluster-secret-file.js";
import { writeFrame } from "../../protocol/frame.js";
import { writeRefused } from "../../protocol/version-2/messages-v2.js";
import { runDbsync } from "../client/child.js";
import { knowsSecret, secretFile } from "../support/cluster-secret.js";
import { type DaemonProcess, runDaemon, startDaemon } from "../support/daemon-process.js";
import { EnvelopeClient, type KeyPair, makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { RedisConnection } from "../support/redis-connection.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

const LIMIT = { timeout: 300_000 };

/** Sends a write to one daemon. @returns `accepted`, or the code of the refusal */
async function write(port: number, pair: KeyPair, commands = [["SET", "k", "v"]]): Promise<string> {
  using client = await EnvelopeClient.open(port, pair);
  const answer = await client.ask(commands);
  return answer.kind === "refused" ? answer.code : "accepted";
}

async function stateOf(port: number, pair: KeyPair): Promise<string> {
  using client = await EnvelopeClient.open(port, pair);
  return (await client.hello()).state;
}

const becomes = (state: string, port: number, pair: KeyPair) =>
  until(`a daemon is ${state}`, async () => (await stateOf(port, pair)) === state, { mayFail: true });

/** The load: it writes to all daemons until it is stopped, and records the calls that no daemon has accepted. */
class Load implements AsyncDisposable {
  readonly refused: string[] = [];
  count = 0;
  readonly #trio: Trio;
  #isRunning = true;
  readonly #done: Promise<void>;

  constructor(trio: Trio) {
    this.#trio = trio;
    this.#done = this.#run();
  }

  async #run(): Promise<void> {
    await using client = this.#trio.client();
    while (this.#isRunning) {
      await client.send(["INCR", "calls"]).catch((problem: Error) => this.refused.push(problem.message));
      this.count++;
    }
  }

  /** Waits until this number of further calls has ended. */
  async more(calls: number): Promise<void> {
    const end = this.count + calls;
    await until("the clients continue", () => this.count >= end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isRunning = false;
    await this.#done;
  }
}

test("a new daemon without the root key of its cluster accepts no writes, and says why", LIMIT, async () => {
  await using pair = await Trio.start([], 2);
  using folder = new ScratchFolder();
  const peers = pair.servers.flatMap((server) => ["--peer", server]);
  const own = ["-s", pair.app.file, ...peers, ...knowsSecret, "--data", join(folder.path, "data")];
  await using daemon = await startDaemon([...own, "--admin", "0"]);

  await becomes("not-admitted", daemon.port, pair.app);
  assert.equal(await write(daemon.port, pair.app), "not-admitted");
  const admin = `http://127.0.0.1:${await daemon.portOf("/healthz and /metrics")}`;
  const health = await fetch(`${admin}/healthz`);
  assert.deepEqual(
    [health.status, ((await health.json()) as { state: string }).state],
    [503, "not-admitted"],
  );
  const line = await daemon.logged(({ msg }) => msg === "writes are refused");
  assert.match(
    String(line["reason"]),
    /^its peers belong to another cluster .*start it with the same --cluster-name, -s/,
  );
  assert.equal(line.level, "warn");
  const servers = [...pair.servers, `127.0.0.1:${daemon.port}`].join(",");
  const { stdout } = await runDbsync(["status", "-k", folder.privateKey(pair.app), "-s", servers]);
  const problems = stdout.split("\n").filter((text) => text.startsWith("FAIL"));
  assert.equal(problems.length, 1, stdout);
  assert.match(
    String(problems[0]),
    /it belongs to the cluster .*start all daemons with the same -s, --root-key/,
  );
});

test("status reports one cause and one cure of a new daemon that no peer admits", LIMIT, async () => {
  await using pair = await Trio.start([], 2);
  using folder = new ScratchFolder();
  const other = folder.file("other.secret", "");
  writeClusterSecret(join(folder.path, "new.secret"));
  renameSync(join(folder.path, "new.secret"), other);
  const peers = pair.servers.flatMap((server) => ["--peer", server]);
  const keys = ["-s", pair.app.file, "--root-key", pair.root.file];
  await using daemon = await startDaemon([...keys, ...peers, "--cluster-secret", other]);

  await becomes("not-admitted", daemon.port, pair.app);
  const asRoot = [
    "-k",
    folder.privateKey(pair.root, "root.pem"),
    "-s",
    daemon.address.replace(/$/, `:${daemon.port}`),
  ];
  let shown = "";
  await until("both peers have refused it", async () => {
    shown = (await runDbsync(["status", ...asRoot])).stdout;
    return pair.servers.every((server) => shown.includes(server)) && /\(\S+, \S+\)/.test(shown);
  });
  const problems = shown.split("\n").filter((text) => text.startsWith("FAIL"));
  assert.equal(problems.length, 1, shown);
  assert.match(String(problems[0]), /no peer admits it: its peers have another --cluster-secret/);
  assert.match(shown, /start all daemons with the same --cluster-secret/);
  const info = await runDbsync(["send", ...asRoot, "INFO", "dbsync"]);
  assert.match(
    info.stdout,
    /dbsync_reason:its peers have another --cluster-secret .*start all daemons with the same/,
  );

  // The daemon is admitted as soon as it has the right secret.
  copyFileSync(secretFile, other);
  daemon.kill("SIGHUP");
  await becomes("live", daemon.port, pair.app);
  assert.equal(await write(daemon.port, pair.app), "accepted");
});

test("daemons that are authorized by CLUSTER ADD accept it while they refuse each other", LIMIT, async () => {
  const [app, root] = [makeKeyPair(), makeKeyPair()];
  using folder = new ScratchFolder();
  const ports = [await freePort(), await freePort()];
  const start = (index: number) =>
    startDaemon([
      ...["-p", String(ports[index]), "-s", app.file, "--root-key", root.file],
      ...["--peer", `127.0.0.1:${ports[1 - index]}`, "--data", join(folder.path, String(index))],
      ...["--resp", "0"],
    ]);
  await using first = await start(0);
  await using second = await start(1);
  const daemons: readonly DaemonProcess[] = [first, second];
  for (const { port } of daemons) {
    await becomes("not-admitted", port, app);
    assert.equal(await write(port, app), "not-admitted");
    assert.equal(await write(port, root, [["KEY", "ADD", makeKeyPair().pem]]), "not-admitted");
  }

  const added = await Promise.all(daemons.map((daemon) => authorizationOf(daemon)));
  // Once both have a key of the other, they admit each other and catch up. They then accept the rest afterwards.
  for (const { port } of daemons)
    for (const command of added)
      await until("it is authorized", async () => {
        const answer = await write(port, root, [command]);
        assert.ok(["accepted", "catching-up"].includes(answer), answer);
        return answer === "accepted";
      });
  for (const { port } of daemons) {
    await becomes("live", port, app);
    assert.equal(await write(port, app), "accepted");
  }

  async function authorizationOf({ port }: DaemonProcess): Promise<string[]> {
    using client = await EnvelopeClient.open(port, root);
    const [reply] = await client.replies([["CLUSTER", "MEMBERS"]]);
    const items = reply?.kind === "array" ? reply.items : [];
    const texts = items.map((item) => (item.kind === "bulk" ? item.bytes : ""));
    return (texts[texts.indexOf("authorize") + 1] ?? "").split(" ");
  }
});

test(
  "while the secret changes on one machine after the other, no write of two or three daemons is refused",
  LIMIT,
  async () => {
    for (const count of [2, 3]) {
      using folder = new ScratchFolder();
      const next = join(folder.path, "next.secret");
      writeClusterSecret(next);
      const file = (index: number) => join(folder.path, `${index}.secret`);
      for (let index = 0; index < count; index++) copyFileSync(secretFile, file(index));
      await using trio = await Trio.start((index) => ["--cluster-secret", file(index)], count);
      await using load = new Load(trio);
      await load.more(20);
      for (let index = 0; index < count; index++) {
        copyFileSync(next, file(index));
        if (index === 0) {
          // A restart, as when systemd passes the file. The only daemon with the new secret is refused by all others.
          await trio.end(index, "SIGTERM");
          await trio.start(index);
          await becomes("isolated", trio.ports[index] as number, trio.app);
          assert.equal(await write(trio.ports[index] as number, trio.app), "accepted");
        } else trio.daemon(index).kill("SIGHUP");
        await load.more(20);
      }
      for (const port of trio.ports) await becomes("live", port, trio.app);
      await load[Symbol.asyncDispose]();
      assert.deepEqual(load.refused, [], `${count} daemons`);
      await trio.level(120_000);
    }
  },
);

test(
  "a running daemon that becomes a pair accepts writes although its new peer refuses it at first",
  LIMIT,
  async () => {
    const [app, root] = [makeKeyPair(), makeKeyPair()];
    using folder = new ScratchFolder();

    const ports = [await freePort(), await freePort()] as const;
    const argsOf = (index: number) => [
      "-p",
      String(ports[index]),
      "-s",
      app.file,
      "--data",
      join(folder.path, String(index)),
    ];
    const peerOf = (index: number) => ["--peer", `127.0.0.1:${ports[1 - index]}`, ...knowsSecret];
    const roots = ["--root-key", root.file];

    {
      await using alone = await startDaemon([...argsOf(0), ...roots]);
      for (let i = 0; i < 20; i++) assert.equal(await write(alone.port, app), "accepted");
      await alone.stop();
    }

    await using first = await startDaemon([...argsOf(0), ...roots, ...peerOf(0), "--admin", "0"]);
    {
      // The administrator has forgotten the root key of the new daemon.
      await using wrong = await startDaemon([...argsOf(1), ...peerOf(1)]);
      await becomes("not-admitted", wrong.port, app);
      await becomes("isolated", first.port, app);
      assert.equal(await write(first.port, app), "accepted");

      const admin = `http://127.0.0.1:${await first.portOf("/healthz and /metrics")}`;
      assert.equal((await fetch(`${admin}/healthz`)).status, 200);

      const status = await runDbsync([
        "status",
        "-k",
        folder.privateKey(root),
        "-s",
        `127.0.0.1:${ports[0]}`,
      ]);
      assert.match(
        status.stdout,
        /FAIL .*no peer that answers admits it any longer: its peers belong to another cluster/,
      );
      assert.doesNotMatch(status.stdout, /cut off|empty --data/);
      await wrong.stop();
    }

    renameSync(join(folder.path, "1"), join(folder.path, "wrong"));
    await using second = await startDaemon([...argsOf(1), ...roots, ...peerOf(1)]);
    for (const port of [first.port, second.port]) {
      await becomes("live", port, app);
      assert.equal(await write(port, app), "accepted");
    }
  },
);

test("a daemon of another cluster at the address of a peer stops no write", LIMIT, async () => {
  await using pair = await Trio.start([], 2);
  await pair.end(1, "SIGKILL");
  const other = ["-p", String(pair.ports[1]), "-s", makeKeyPair().file, "--peer", pair.servers[0] as string];
  await using _stranger = await startDaemon([...other, ...knowsSecret]);
  for (let i = 0; (await stateOf(pair.ports[0] as number, pair.app)) !== "isolated"; i++)
    assert.equal(await write(pair.ports[0] as number, pair.app), "accepted", `write ${i}`);
  await pair.end(0, "SIGTERM");
  await pair.start(0);
  await becomes("isolated", pair.ports[0] as number, pair.app);
  assert.equal(await write(pair.ports[0] as number, pair.app), "accepted", "after a restart");
});

test("a peer of another release stops a new daemon, but none that was admitted", LIMIT, async () => {
  await using pair = await Trio.start([], 2);
  const [own, other] = pair.ports as readonly [number, number];
  const keys = ["-s", pair.app.file, "--root-key", pair.root.file, ...knowsSecret];
  await pair.end(1, "SIGTERM");
  await using _old = await oldRelease(other);
  await using added = await startDaemon([...keys, "--peer", `127.0.0.1:${other}`]);
  await becomes("not-admitted", added.port, pair.app);
  const line = await added.logged(({ msg }) => msg === "writes are refused");
  assert.match(String(line["reason"]), /another protocol between members .*install the same version/);

  for (let i = 0; (await stateOf(own, pair.app)) !== "isolated"; i++)
    assert.equal(await write(own, pair.app), "accepted", `write ${i}`);
  await pair.end(0, "SIGTERM");
  await pair.start(0);
  await becomes("isolated", own, pair.app);
  assert.equal(await write(own, pair.app), "accepted", "after a restart");
});

/** Listens as a release that cannot read the hello, and refuses it as a daemon refuses that of a client. */
async function oldRelease(port: number): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    const refusal = { id: "", code: "other-protocol", sentence: "", clock: Date.now() };
    socket.once("data", () =>
      socket.end(writeFrame(writeRefused({ ...refusal, effect: "not-applied" }), 2), "latin1"),
    );
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test(
  "writes that a refused daemon has acknowledged are written again in its cluster by one command",
  LIMIT,
  async () => {
    await using pair = await Trio.make([], 2);
    using folder = new ScratchFolder();
    const data = join(folder.path, "data");
    const [port, resp] = [await freePort(), await freePort()];
    const peers = pair.servers.flatMap((server) => ["--peer", server]);
    const args = ["-p", String(port), "-s", pair.app.file, ...peers, ...knowsSecret, "--data", data];
    {
      // Its peers do not run yet, so it accepts writes after a while.
      await using early = await startDaemon([...args, "--resp", String(resp)]);
      await becomes("isolated", early.port, pair.app);
      for (let i = 0; i < 10; i++)
        assert.equal(await write(port, pair.app, [["RPUSH", "list", String(i)]]), "accepted");
      using redis = await RedisConnection.open(resp);
      assert.equal((await redis.call("SET", "redis", "key")).kind, "status");
      await pair.startAll();
      await becomes("not-admitted", port, pair.app);
      assert.equal(await write(port, pair.app), "not-admitted");
      await early.stop();
    }

    const { code, stderr } = await runDaemon([...args, "--root-key", pair.root.file]);
    assert.equal(code, 2);
    const [, aside = "", words = ""] =
      /rename it to (\S+), .*again: dbsync (.*) -k private\.pem/s.exec(stderr) ?? [];
    assert.ok(words.startsWith("dead-letters write-again --stranded --data "), stderr);
    renameSync(data, aside);
    await using joined = await startDaemon([...args, "--root-key", pair.root.file]);
    await becomes("live", joined.port, pair.app);

    const command = [...words.split(" "), "-k", folder.privateKey(pair.app)];
    for (const printed of [/^11 new dead letters/, /^0 new dead letters/]) {
      const again = await runDbsync(command);
      assert.equal(again.code, 0, again.stdout + again.stderr);
      assert.match(again.stdout, printed);
    }
    await using client = pair.client();
    const list = Array.from({ length: 10 }, (_, i) => String(i)).join("\n");
    assert.equal(await client.send("LRANGE list 0 -1", { policy: "all-equal" }), list);
    assert.equal(await client.send("GET redis", { policy: "all-equal" }), "key");

    const admitted = await runDbsync([
      ...["dead-letters", "write-again", "--stranded", "--data", pair.folder(0)],
      ...["-s", pair.servers.join(","), "-k", folder.privateKey(pair.app)],
    ]);
    assert.equal(admitted.code, 1);
    assert.match(admitted.stderr, /has exchanged its writes with other daemons/);
  },
);

test("writes that the cluster has already are not written again", LIMIT, async () => {
  await using pair = await Trio.start([], 2);
  using folder = new ScratchFolder();
  await using client = pair.client();
  await client.send("INCR counter", { policy: "all-equal" });
  const [backup, restored] = [join(folder.path, "backup"), join(folder.path, "restored")];
  for (const words of [
    ["backup", backup, "--data", pair.folder(0)],
    ["restore", backup, "--data", restored],
  ]) {
    const done = await runDbsync(words);
    assert.equal(done.code, 0, done.stderr);
  }

  // The folder has no record of an admission, because no daemon has run with it.
  const { code, stderr } = await runDbsync([
    ...["dead-letters", "write-again", "--stranded", "--data", restored],
    ...["-s", pair.servers.join(","), "-k", folder.privateKey(pair.app)],
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /belongs to the same cluster/);
  assert.equal(await client.send("GET counter", { policy: "all-equal" }), "1");
});
