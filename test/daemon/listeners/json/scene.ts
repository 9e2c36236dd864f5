/** A JSON listener in the test's own process, before a memory of its own. */
import { LocalUnits } from "../../../../daemon/backends/local-units.js";
import { MemoryBackend } from "../../../../daemon/backends/memory.js";
import { Newest } from "../../../../daemon/backends/newest.js";
import { JsonListener } from "../../../../daemon/listeners/json/listener.js";
import { type MemoryFace, UNBOUNDED } from "../../../../daemon/memory/memory-limit.js";
import type { Limits } from "../../../../daemon/options/limits.js";
import { NOBODY } from "../../../../daemon/pipeline/observer.js";
import { LocalPath } from "../../../../daemon/users/local-path.js";
import { Users } from "../../../../daemon/users/users.js";
import { realEnvironment } from "../../../../serving/process/environment.js";
import type { LogLine } from "../../../support/daemon-process.js";
import { keepLog } from "../../../support/log-lines.js";
import type { RawClient } from "../../../support/raw-client.js";
import { defaultLimits } from "../../in-process.js";
import { withFile } from "../resp/scene.js";

export interface JsonScene extends AsyncDisposable {
  readonly port: number;
  readonly log: readonly LogLine[];
  /** Other limits, as after SIGHUP. */
  reload(limits: Partial<Limits>): void;
}

export interface SceneOptions {
  readonly limits?: Partial<Limits>;
  /** Lines of an ACL file. */
  readonly users?: readonly string[];
  readonly memory?: MemoryFace;
  /** Ports of servers that are sent what is written. */
  readonly replicas?: readonly number[];
  /** A certain port; else a free one. */
  readonly port?: number;
}

export async function startJson({
  limits = {},
  users,
  memory = UNBOUNDED,
  replicas = [],
  port = 0,
}: SceneOptions = {}): Promise<JsonScene> {
  const { log, lines } = keepLog("debug");
  const environment = realEnvironment;
  const backend = new MemoryBackend(environment);
  const known = users === undefined ? new Users(null) : withFile(users, (file) => new Users(file));
  const listener = new JsonListener({
    ...{
      address: "127.0.0.1",
      port,
      daemon: { settings: { jsonReplicas: replicas.map((one) => ({ host: "127.0.0.1", port: one })) } },
      gate: null,
      observer: NOBODY,
      environment,
      log,
      memory,
      users: known,
    },
    limits: { ...defaultLimits, ...limits },
    path: new LocalPath(backend, new LocalUnits(environment, new Newest())),
  });
  await backend.start();
  await listener.start();
  return {
    port: listener.address.port,
    log: lines,
    reload(others) {
      listener.limits = { ...defaultLimits, ...limits, ...others };
    },
    async [Symbol.asyncDispose]() {
      await listener.stop();
      await backend.stop();
    },
  };
}

/** Takes one answer, without its end; "" if the server closes instead. */
export async function answer(client: RawClient): Promise<string> {
  let searched = 0;
  for (;;) {
    const end = client.received.indexOf("\n\r", Math.max(0, searched - 1));
    if (end >= 0) return (await client.read(end + 2)).slice(0, -2);
    if (client.ended) return await client.read(client.received.length);
    searched = client.received.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Sends a request and takes its answer. */
export async function ask(client: RawClient, request: unknown): Promise<string> {
  client.send(`${Buffer.from(JSON.stringify(request), "utf8").toString("latin1")}\n`);
  return await answer(client);
}
