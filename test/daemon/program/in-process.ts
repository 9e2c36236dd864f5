/** Runs a listener and its pipeline in the process of the test. The test can access the backends. */
import "../../support/installed-families.js";
import type { Backend } from "../../../daemon/engine/backends/backend.js";
import type { MemoryLimit } from "../../../daemon/engine/memory/memory-limit.js";
import { Databases } from "../../../daemon/engine/pipeline/databases.js";
import { Pipeline } from "../../../daemon/engine/pipeline/pipeline.js";
import { NO_OBSERVER, type Observer } from "../../../daemon/engine/pipeline/pipeline-parts.js";
import { Unrecorded } from "../../../daemon/engine/pipeline/recording-interface.js";
import { StartFloor } from "../../../daemon/engine/pipeline/start-floor.js";
import { hashOf, makeIdentity } from "../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import type { DaemonListener, DaemonListenerParts } from "../../../daemon/listener/daemon-listener.js";
import { DbsyncListener } from "../../../daemon/listener/dbsync-dialect.js";
import type { DbsyncService } from "../../../daemon/listener/dbsync-server.js";
import { type Environment, realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { LimitName, Limits } from "../../../daemon/options/limits.js";
import { DATE_WINDOW_DEFAULT, type DateWindow } from "../../../daemon/options/timeline-values.js";
import type { LogLine } from "../../support/daemon-process.js";
import { ALL_LIMITS } from "../../support/installed-options.js";
import { keepLog } from "../../support/log-lines.js";
import { UNBOUNDED } from "../../support/unbounded-memory.js";

export const defaultLimits: Limits = Object.fromEntries(
  Object.entries(ALL_LIMITS).map(([name, row]) => [name, row.fallback]),
) as Record<LimitName, number>;

export interface InProcessOptions {
  readonly backends: readonly Backend[];
  readonly keys?: readonly string[];
  readonly rootKeys?: readonly string[];
  readonly clusterName?: string;
  readonly window?: DateWindow;
  readonly takesVersion1?: boolean;
  readonly limits?: Partial<Limits>;
  readonly closeAfterAnswer?: boolean;
  readonly environment?: Environment;
  readonly gate?: DaemonListenerParts["gate"];
  readonly memory?: MemoryLimit;
  /** Creates the listener of --ws, which is started in addition to the other one. */
  readonly ws?: (
    parts: Pick<DaemonListenerParts, "limits" | "gate" | "environment" | "log" | "observer">,
    service: DbsyncService,
  ) => DaemonListener;
  readonly observer?: Observer;
}

export interface InProcessDaemon extends AsyncDisposable {
  readonly pipeline: Pipeline;
  readonly port: number;
  /** The port of --ws, or 0 without --ws. */
  readonly wsPort: number;
  readonly log: readonly LogLine[];
}

/** Starts the backends and the listener. Disposing of the result stops them. */
export async function startInProcess(options: InProcessOptions): Promise<InProcessDaemon> {
  const {
    backends,
    keys = [],
    rootKeys = [],
    clusterName = "dbsync",
    window = DATE_WINDOW_DEFAULT,
    takesVersion1 = true,
    limits = {},
    closeAfterAnswer = false,
    environment = realEnvironment,
    gate = null,
    memory = UNBOUNDED,
    observer = NO_OBSERVER,
  } = options;

  const { log, lines } = keepLog("debug");
  const settings = { signKey: keys, rootKey: rootKeys, clusterName };
  const daemon = makeIdentity().id;
  const bounds = { ...defaultLimits, ...limits };
  const floor = new StartFloor({ databases: [], future: 0, environment, log });
  await floor.start();

  const pipeline = new Pipeline({
    databases: new Databases(backends),
    signers: keys.length + rootKeys.length === 0 ? null : loadSigners(settings, log),
    hash: hashOf,
    window,
    seenLimits: { max: bounds.maxRemembered, maxBytes: bounds.maxRememberedBytes },
    floor,
    recording: new Unrecorded(environment, floor),
    environment,
    log,
    daemon,
    memory,
    observer,
  });
  const place = { address: "127.0.0.1", port: 0 };
  const own = { limits: bounds, gate, environment, log, observer };
  const service = {
    pipeline,
    daemon,
    closeAfterAnswer,
    takesVersion1,
    events: null,
    condition: () => pipeline.recording,
    slowLog: null,
    members: null,
  };
  const listener = new DbsyncListener({ ...own, ...place }, service);
  const ws = options.ws?.(own, service) ?? null;
  for (const backend of backends) await backend.start();
  await listener.start();
  await ws?.start();
  return {
    pipeline,
    port: listener.address.port,
    wsPort: ws?.address.port ?? 0,
    log: lines,
    async [Symbol.asyncDispose]() {
      pipeline.stop();
      await Promise.all([listener.stop(), ws?.stop()]);
      for (const backend of backends) await backend.stop();
    },
  };
}
