/** Starts a RESP listener before a timeline whose storage waits until the test completes its writes. */
import assert from "node:assert/strict";
import { ClusterNode } from "../../../daemon/cluster/node/cluster-node.js";
import { Gateway } from "../../../daemon/cluster/replica/gateway.js";
import { RecordedPath } from "../../../daemon/cluster/replica/recorded-command-path.js";
import { Channels } from "../../../daemon/engine/channels/channels.js";
import { Broadcasts } from "../../../daemon/engine/pipeline/publish-messages.js";
import { makeIdentity } from "../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { Metrics } from "../../../daemon/program/inspection/metrics.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { settingsFrom } from "../../../test/daemon/program/replicas.js";
import { log } from "../../../test/daemon/program/scene.js";
import { HeldStorage } from "../../../test/daemon/timeline/support/held-storage.js";
import type { LogLine } from "../../../test/support/daemon-process.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { startResp } from "./scene.js";

/** The key of an application, which may sign writes. */
export const app = makeKeyPair();
export const lines = (...commands: readonly string[]) => commands.map((command) => `${command}\r\n`).join("");
export const INCREMENT = `EVAL "return redis.call('INCR', KEYS[1])" 1`;
/** Longer than the turns in which a daemon would send an answer that does not wait. */
const TURNS = 20;

export interface HeldScene extends AsyncDisposable {
  readonly storage: HeldStorage;
  readonly node: ClusterNode;
  readonly cluster: ByteString;
  /** The port for Redis clients. */
  readonly port: number;
  /** The log of the listener. */
  readonly log: readonly LogLine[];
  open(): Promise<RawClient>;
}

/** Starts a RESP listener before a timeline whose storage waits. */
export async function startHeld(): Promise<HeldScene> {
  const settings = settingsFrom(["-s", app.file, "--resp", "0"]);
  const signers = loadSigners(settings, log);
  const storage = new HeldStorage();
  const channels = new Channels();
  const broadcasts = new Broadcasts({
    ...{ channels, environment: realEnvironment },
    ...{ window: settings.window, max: 100 },
  });

  const node = new ClusterNode(
    {
      ...{ settings, identity: makeIdentity(), signers, log, startThread: BUILD.startThread },
      ...{
        arrived: () => {},
        page: () => null,
        clientTotals: () => new Metrics().totals,
        named: null,
        environment: realEnvironment,
      },
    },
    { storage, secret: null, broadcasts, gatewayClass: Gateway },
  );

  await node.start();
  const { backend, gateway, recording } = node;
  assert.ok(gateway !== null);
  const path = new RecordedPath(backend, gateway, recording.localUnits, () => null);
  const scene = await startResp({ path, enableDebugCommand: "yes" });
  const clients: RawClient[] = [];

  // The script engine is loaded, and the daemon's key authorized, while nothing waits.
  {
    using first = await RawClient.open(scene.port);
    first.send(lines(`${INCREMENT} loaded`, "QUIT"));
    assert.equal(await first.rest(), ":1\r\n+OK\r\n");
  }

  storage.hold();
  // The node may write a mark at any time. The tests depend on such a write being released.
  storage.put([], [["state", Buffer.alloc(0)]]);

  return {
    storage,
    node,
    cluster: signers.cluster,
    port: scene.port,
    log: scene.log,
    async open() {
      const client = await RawClient.open(scene.port);
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client[Symbol.dispose]();
      // What a client of this scene has not read is put back: that write is not held either.
      storage.release();
      await scene[Symbol.asyncDispose]();
      await node.stop();
    },
  };
}

/** Lets the daemon run for some turns. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export const get = (node: ClusterNode, key: string) => {
  const reply = node.timeline.database.execute(["GET", key], { at: Date.now(), db: 0, id: "" });
  return reply.kind === "bulk" ? reply.bytes : null;
};
