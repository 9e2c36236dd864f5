/** The components of the daemon, in the order in which wiring.ts registers them. */

import type { DaemonCondition } from "../../protocol/daemon-states.js";
import type { DashboardFrame } from "../../protocol/json/dashboard-frame.js";
import { SlowLog } from "../engine/slow-log/slow-log.js";
import type { Environment } from "../net/process/clock-and-randomness.js";
import type { Service } from "../net/process/service.js";
import type { Settings } from "../options/settings.js";
import type { KeyRing } from "../store/key-ring.js";
import type { BackendHealth, Health } from "./inspection/health.js";
import type { InspectedDaemon } from "./inspection/inspected-daemon.js";
import { Metrics } from "./inspection/metrics.js";

/**
 * The figures of the daemon, which /metrics, the page of --admin, /healthz and INFO read. Components replace functions
 * of the object after it was passed to its readers. The readers must therefore store the object, and never one of its
 * functions.
 */
export interface Figures extends InspectedDaemon {
  /** The key ring, or null if commands are unsigned. */
  readonly ring: () => KeyRing | null;
  /** Sets the watcher that is notified of recorded entries, or removes it (null). */
  readonly watchRecorded: (watcher: RecordedWatcher | null) => void;
  /** The port for browsers, or null if there is none. */
  readonly ws: () => DashboardFrame["ws"];
  /** The data folder, or null if there is none. */
  readonly folder: string | null;
  readonly backends: () => readonly BackendHealth[];
  /** The state of the component that records writes. */
  readonly recordingCondition: () => DaemonCondition;
  /** The reason why documents cannot be read or written yet, or null if they can. */
  readonly documentsPending: () => string | null;
}

type RecordedWatcher = (entries: readonly { readonly at: number }[], isFromClients: boolean) => void;

export interface Component {
  /** A service, started in the order of registration and stopped in reverse order. */
  readonly service?: Service;
  /** The figures that the component reports. */
  readonly figures?: Partial<Figures>;
  /**
   * Checks the values that the component needs from new settings.
   * @returns a function that applies the values, called after all components have checked their values
   * @throws StartError  a value cannot be used
   */
  readonly reload?: (settings: Settings) => (() => void) | Promise<() => void>;
}

/** The daemon, as its components see it. */
interface DescribedDaemon {
  readonly settings: Settings;
  readonly health: Health;
  readonly condition: DaemonCondition;
}

export class Components {
  /** Figures of all components; null or 0 for components that are not registered. */
  readonly figures: Figures;
  readonly #list: Component[] = [];

  constructor(daemon: DescribedDaemon, environment: Environment) {
    this.figures = {
      ...noFigures(environment),
      settings: () => daemon.settings,
      health: () => daemon.health,
      condition: () => daemon.condition,
      folder: daemon.settings.data,
    };
  }

  add(component: Component): void {
    this.#list.push(component);
    Object.assign(this.figures, component.figures);
  }

  /** Starts all services. @throws StartError */
  async start(): Promise<void> {
    for (const { service } of this.#list) await service?.start();
  }

  async stop(): Promise<void> {
    for (const { service } of this.#list.toReversed()) await service?.stop();
  }

  /** Applies new settings. @throws StartError  nothing has changed */
  async reload(settings: Settings): Promise<void> {
    const changes: (() => void)[] = [];
    for (const { reload } of this.#list) if (reload !== undefined) changes.push(await reload(settings));
    for (const apply of changes) apply();
  }
}

function noFigures({
  clock,
  uptime,
}: Environment): Omit<Figures, "settings" | "health" | "condition" | "folder"> {
  return {
    clock,
    uptime,
    startedAt: uptime(),
    metrics: new Metrics(),
    slowLog: new SlowLog(),
    id: () => "",
    cluster: () => "",
    backends: () => [],
    recordingCondition: () => ({ state: "live", reason: "" }),
    documentsPending: () => null,
    bufferedBytes: () => 0,
    memory: () => ({ used: 0, limit: 0 }),
    workingMemory: () => ({ used: 0, peak: 0, limit: 0, waiting: 0 }),
    eviction: () => ({ policy: "noeviction", evicted: 0 }),
    listeners: () => [],
    watchRecorded: () => {},
    members: () => null,
    replica: () => null,
    order: () => null,
    keys: () => null,
    ring: () => null,
    families: () => null,
    jsonReplicas: () => null,
    ws: () => null,
  };
}
