/**
 * An acknowledged EXEC is applied, and so is an acknowledged write with a condition. A connection reads its
 * own acknowledged writes. This holds even if one daemon is out of date: that daemon is disconnected from its peers,
 * has missed the sidecar's writes, and for a moment is the only one that answers.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "../../client/public-api.js";
import { CuttablePort } from "../support/cuttable-port.js";
import { EnvelopeClient } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { pause, within } from "../support/pause.js";
import { RedisConnection, textOfValue } from "../support/redis-connection.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";
import { Increments } from "./increments.js";

const STALE = 2;
/** Milliseconds for which only the outdated daemon answers. */
const ALONE_MS = 1_000;
/** The sidecar's --backend-timeout, and a time after which it no longer sends earlier requests on a new connection. */
const SIDECAR_TIMEOUT = "2s";
const FORGOTTEN_MS = 6_000;
const STOOD_STILL_MS = 9_000;

class Scene implements AsyncDisposable {
  readonly folder = new ScratchFolder();
  trio!: Trio;
  /** The gates between the clients and each daemon. */
  gates: CuttablePort[] = [];
  /** The gates between the daemons, by the indices of both daemons. */
  links = new Map<string, CuttablePort>();

  static async start(): Promise<Scene> {
    const scene = new Scene();
    const trio = await Trio.make();
    scene.trio = trio;
    for (const from of trio.ports.keys())
      for (const to of trio.ports.keys())
        if (from !== to)
          scene.links.set(`${from}-${to}`, await CuttablePort.open(() => trio.ports[to] as number));
    trio.linkPort = (from, to) => scene.links.get(`${from}-${to}`)?.port ?? 0;
    for (const port of trio.ports) scene.gates.push(await CuttablePort.open(() => port));
    await trio.startAll();
    await trio.untilNoneIsLate();
    return scene;
  }

  get servers(): string[] {
    return this.gates.map(({ address }) => address);
  }

  /** Holds the connections between the outdated daemon and its peers, in both directions. */
  holdPeers(): void {
    for (const [name, link] of this.links) if (name.includes(String(STALE))) link.isHeld = true;
  }

  /** Makes only the outdated daemon reachable, through a new connection. */
  async onlyStale(): Promise<void> {
    for (const [index, gate] of this.gates.entries()) if (index !== STALE) gate.isHeld = true;
    this.gates[STALE]?.release();
  }

  releaseAll(): void {
    for (const gate of [...this.gates, ...this.links.values()]) gate.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gate of [...this.gates, ...this.links.values()]) await gate[Symbol.asyncDispose]();
    await this.trio?.[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

describe("a daemon that is out of date", () => {
  test("does not undo an acknowledged EXEC of a sidecar's client", { timeout: 300_000 }, async () => {
    await using scene = await Scene.start();
    const resp = await freePort();
    const key = scene.folder.privateKey(scene.trio.app);
    await using _sidecar = await startSidecar(key, scene.servers, [
      "--resp",
      String(resp),
      "--backend-timeout",
      SIDECAR_TIMEOUT,
    ]);
    using line = await RedisConnection.open(resp);
    const increments = new Increments("counter");
    await until("an EXEC is acknowledged", async () => (await increments.add(line)) === true);
    await scene.trio.level(120_000);

    scene.holdPeers();
    (scene.gates[STALE] as CuttablePort).isCut = true;
    await until("EXECs are acknowledged without the third daemon", async () => {
      await increments.add(line);
      return increments.acknowledged > 5;
    });

    await pause(FORGOTTEN_MS);
    await scene.onlyStale();
    const late = increments.add(line);
    await within(ALONE_MS, late);
    scene.releaseAll();
    await late;
    await scene.trio.level(120_000);
    await using client = scene.trio.client();
    increments.check(Number(await client.call("GET counter")));
  });

  test("does not return older data to a connection than its acknowledged writes", {
    timeout: 300_000,
  }, async () => {
    await using scene = await Scene.start();
    const resp = await freePort();
    const key = scene.folder.privateKey(scene.trio.app);
    await using _sidecar = await startSidecar(key, scene.servers, [
      "--resp",
      String(resp),
      "--backend-timeout",
      SIDECAR_TIMEOUT,
    ]);
    using line = await RedisConnection.open(resp);
    await until("a write is acknowledged", async () => (await line.value("SET", "mine", "old")) === "OK");
    await scene.trio.level(120_000);

    scene.holdPeers();
    (scene.gates[STALE] as CuttablePort).isCut = true;
    assert.equal(textOfValue(await line.value("SET", "mine", "new")), "OK");

    await pause(FORGOTTEN_MS);
    await scene.onlyStale();
    const reading = line.value("GET", "mine");
    await within(ALONE_MS, reading);
    scene.releaseAll();
    const read = await reading;
    assert.ok(
      read === "new" || read instanceof Error,
      `read ${textOfValue(read)} after "new" was acknowledged`,
    );
  });

  test("does not break an acknowledged condition (if) of the client library", {
    timeout: 300_000,
  }, async () => {
    await using scene = await Scene.start();
    await using writer = scene.trio.client([0, 1]);
    await using reader = scene.trio.client([STALE]);
    await writer.call("SET balance 1", { replicated: 3 });
    const [old] = (await reader.call("WRITERS balance")) as [string];
    scene.holdPeers();
    await writer.call("SET balance 2", { replicated: 2 });

    await scene.onlyStale();
    await using client = createClient({
      servers: scene.servers,
      key: scene.trio.app.privateKey,
      timeout: 20_000,
    });
    const changing = client.call("SET balance 10", { if: [{ key: "balance", writer: old }] }).then(
      (value) => value,
      (reason: Error) => reason,
    );
    await within(ALONE_MS, changing);
    scene.releaseAll();
    const changed = await changing;
    await scene.trio.level(120_000);
    const balance = await writer.call("GET balance");
    if (changed === "OK") assert.equal(balance, "10", "an acknowledged write with a condition was applied");
    if (changed === null)
      assert.equal(balance, "2", "a write that was reported as not applied has no effect");
  });

  test("flags its answers after a suspension until it has received its peers' entries", {
    timeout: 300_000,
  }, async () => {
    await using scene = await Scene.start();
    const { trio } = scene;
    await using writer = trio.client([0, 1]);
    await writer.call("SET state old", { replicated: 3 });
    using waiting = await EnvelopeClient.open(trio.ports[STALE] as number, trio.app);
    await waiting.replies([["GET", "state"]]);

    trio.daemon(STALE).kill("SIGSTOP");
    scene.holdPeers();
    await writer.call("SET state new", { replicated: 2 });
    await pause(STOOD_STILL_MS);
    // The request waits in the socket of the suspended daemon.
    const pendingReply = waiting.ask([["GET", "state"]]);
    trio.daemon(STALE).kill("SIGCONT");
    const early = await within(ALONE_MS, pendingReply);
    scene.releaseAll();
    const answer = early ?? (await pendingReply);
    if (answer.kind === "refused") return;
    const [reply] = answer.replies;
    const isNew = JSON.stringify(reply).includes("new");
    const isFlagged = /isolated|catching-up/.test(answer.flags.join(" "));
    assert.ok(isNew || isFlagged, `${JSON.stringify(reply)} with the flags "${answer.flags.join(" ")}"`);
  });
});
