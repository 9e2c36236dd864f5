/** Starts a JSON listener in the test process, with its own memory. */

import type { Limits } from "../../../daemon/options/limits.js";
import { defaultLimits } from "../../../test/daemon/program/in-process.js";
import { startUserListener, type UserSceneOptions } from "../../../test/faces/user-scene.js";
import type { LogLine } from "../../../test/support/daemon-process.js";
import { double } from "../../../test/support/double.js";
import { until } from "../../../test/support/until.js";
import type { DaemonInterface } from "../../users/daemon-interface.js";
import { JsonListener } from "../json-listener.js";
import type { JsonReplicaFigures } from "../replicas/replicas.js";
import { Original } from "./original.js";

export interface JsonScene extends AsyncDisposable {
  readonly port: number;
  readonly log: readonly LogLine[];
  /** The figures of the listener's --json-replica, or null if it has none. */
  readonly figures: JsonReplicaFigures | null;
  /** Replaces limits, as SIGHUP does. */
  reload(limits: Partial<Limits>): void;
}

export interface SceneOptions extends UserSceneOptions {
  /** The ports of servers that receive the writes. */
  readonly replicas?: readonly number[];
  /** The port, by default a free one. */
  readonly port?: number;
}

export async function startJson({
  replicas = [],
  port = 0,
  ...options
}: SceneOptions = {}): Promise<JsonScene> {
  const servers = replicas.map((one) => ({ host: "127.0.0.1", port: one }));
  const daemon = double<DaemonInterface>({ settings: { jsonReplicas: servers } });
  const scene = await startUserListener(options, (parts) => new JsonListener({ ...parts, port, daemon }));
  return {
    port: scene.port,
    log: scene.log,
    get figures() {
      return scene.listener.jsonReplicas;
    },
    reload(changed: Partial<Limits>) {
      scene.listener.limits = { ...defaultLimits, ...options.limits, ...changed };
    },
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

/** Starts a listener whose configured servers have sent no documents and are stopped. */
export async function startJsonAlone(
  options: SceneOptions & { readonly replicas: readonly number[] },
): Promise<JsonScene> {
  const originals = await Promise.all(options.replicas.map((port) => Original.start(port, [])));
  try {
    const ours = await startJson(options);
    await until("the fetch is done", () => ours.log.some(({ msg }) => String(msg).startsWith("ready: ")));
    return ours;
  } finally {
    for (const original of originals) await original[Symbol.asyncDispose]();
  }
}
