/**
 * The components of the daemon, in the order in which wiring.ts registers them, and the objects that its listeners
 * share.
 */

import type { Logger } from "pino";
import type { ByteString } from "../../protocol/byte-string.js";
import { DAEMON_STATES, type DaemonCondition } from "../../protocol/daemon-states.js";
import type { DashboardFrame } from "../../protocol/json/dashboard-frame.js";
import type { ServiceAddress } from "../../protocol/members/service-address.js";
import type { Replica } from "../cluster/node/replica.js";
import type { NamedDaemon } from "../cluster/peers/shared/named-daemon.js";
import type { Backend } from "../engine/backends/backend.js";
import type { CommandPath } from "../engine/backends/command-path.js";
import type { Channels } from "../engine/channels/channels.js";
import type { MemoryLimit } from "../engine/memory/memory-limit.js";
import type { Pipeline } from "../engine/pipeline/pipeline.js";
import { SlowLog } from "../engine/slow-log/slow-log.js";
import type { DaemonListenerParts } from "../listener/daemon-listener.js";
import type { ByteBudget } from "../net/connections/byte-budget.js";
import type { Environment } from "../net/process/clock-and-randomness.js";
import type { Service } from "../net/process/service.js";
import type { Settings } from "../options/settings.js";
import type { KeyRing } from "../store/key-ring.js";
import type { Semantics } from "../store/semantics.js";
import type { BackendHealth, Health, InspectedDaemon } from "./inspection/inspected-daemon.js";
import { Metrics } from "./inspection/metrics.js";

export interface DaemonOptions {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly log: Logger;
  /** The semantics of commands by version number; default: those of this release. */
  readonly known?: Semantics | undefined;
  /** Stops the process when a client sends SHUTDOWN; default: clients may not stop it. */
  readonly shutDown?: (() => void) | undefined;
}

/** The objects of a daemon that its listeners share. */
export interface Core extends DaemonOptions {
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** Returns the daemon's state, and the reason for it. */
  readonly condition: () => DaemonCondition;
  /** Creates the TLS gate of a listener; null without TLS. */
  readonly gate: DaemonListenerParts["gate"];
  readonly observer: Metrics;
  readonly slowLog: SlowLog;
  readonly channels: Channels;
  /** The owner of the recorded writes, or null if writes are not recorded. */
  readonly replica: Replica | null;
  readonly backends: readonly Backend[];
  /** Returns the path of users' commands if the database is not in memory, otherwise null. */
  readonly path: (() => Promise<CommandPath>) | null;
  readonly memory: MemoryLimit;
  readonly pipeline: Pipeline;
  /** The daemon that sentinels name (--sentinel), or null if there is neither a timeline nor a listener for users. */
  readonly named: NamedDaemon | null;
  /** The bytes that the connections of all listeners hold together. */
  readonly budget: ByteBudget;
}

/**
 * Returns the daemon's state for clients that do not sign: the daemon signs for them, with a key that may not be
 * authorized.
 */
export function unsignedConditionOf({
  condition,
  replica,
}: Pick<Core, "condition" | "replica">): DaemonCondition {
  const own = condition();
  const { refusal } = DAEMON_STATES[own.state];
  return (refusal === null ? replica?.gateway?.own.condition : null) ?? own;
}

/** The addresses at which Redis clients connect; null: there is none. */
export interface RedisAddresses {
  readonly resp: ServiceAddress | null;
  readonly sentinel: ServiceAddress | null;
}

/**
 * The figures of the daemon, which /metrics, the page of --admin, /healthz and INFO read. Components replace functions
 * of the object after it was passed to its readers. The readers must therefore store the object, and never one of its
 * functions.
 */
export interface LiveFigures extends InspectedDaemon {
  /** The key ring, or null if commands are unsigned. */
  readonly ring: () => KeyRing | null;
  /** Sets the watcher that is notified of recorded entries, or removes it (null). */
  readonly watchRecorded: (watcher: EntryWatcher | null) => void;
  /** The port for browsers, or null if there is none. */
  readonly ws: () => DashboardFrame["ws"];
  /** The data folder, or null if there is none. */
  readonly folder: string | null;
  readonly backends: () => readonly BackendHealth[];
  /** The state of the component that records writes. */
  readonly recordingCondition: () => DaemonCondition;
  /** The reason why documents cannot be read or written yet, or null if they can. */
  readonly documentsPending: () => string | null;
  /** The addresses for Redis clients, or null if there are none. */
  readonly service: () => RedisAddresses | null;
  /** What the listeners of faces add to the health report. */
  readonly faceHealth: () => Readonly<Record<string, unknown>>;
}

type EntryWatcher = (entries: readonly { readonly at: number }[], isFromClients: boolean) => void;

export interface Component {
  /** A service, started in the order of registration and stopped in reverse order. */
  readonly service?: Service;
  /** The figures that the component reports. */
  readonly figures?: Partial<LiveFigures>;
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
  readonly figures: LiveFigures;
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
}: Environment): Omit<LiveFigures, "settings" | "health" | "condition" | "folder"> {
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
    service: () => null,
    faceHealth: () => ({}),
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
    ws: () => null,
  };
}
