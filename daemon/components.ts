/** The parts of the daemon, as wiring.ts registers them: the list is their order. */
import { SlowLog } from "../engine/slow-log/slow-log.js";
import type { Environment } from "../net/process/environment.js";
import type { Service } from "../net/process/service.js";
import type { Settings } from "../options/settings.js";
import type { FrameSources } from "./admin/frames.js";
import type { BackendHealth, Health, State } from "./admin/health.js";
import { Metrics } from "./admin/metrics.js";
import type { InspectedDaemon } from "./inspection/inspected-daemon.js";

/**
 * The figures of the daemon, which /metrics, the page of --admin, /healthz and INFO read. A component registers its own later than
 * the object is handed on: callers keep the object, never a function of it.
 */
export interface Figures extends FrameSources, InspectedDaemon {
  readonly backends: () => readonly BackendHealth[];
  /** The daemon's state as operators see it. */
  readonly state: () => State;
}

export interface Component {
  /** Started in the order of registration, stopped in reverse. */
  readonly service?: Service;
  /** The figures that it reports. */
  readonly figures?: Partial<Figures>;
  /**
   * Checks what it takes over from settings that were read again.
   * @returns what applies it, once every component has checked its own
   * @throws StartError  it cannot be used
   */
  readonly reload?: (settings: Settings) => (() => void) | Promise<() => void>;
}

export class Components {
  /** Figures of all components. Those of components that are not registered, or not part of this daemon, are null or 0. */
  readonly figures: Figures;
  readonly #list: Component[] = [];

  constructor(daemon: { readonly settings: Settings; readonly health: Health }, environment: Environment) {
    this.figures = {
      ...noFigures(environment),
      settings: () => daemon.settings,
      health: () => daemon.health,
      folder: daemon.settings.data,
    };
  }

  add(component: Component): void {
    this.#list.push(component);
    Object.assign(this.figures, component.figures);
  }

  /** @throws StartError */
  async start(): Promise<void> {
    for (const { service } of this.#list) await service?.start();
  }

  async stop(): Promise<void> {
    for (const { service } of this.#list.toReversed()) await service?.stop();
  }

  /** @throws StartError  and then nothing has changed */
  async reload(settings: Settings): Promise<void> {
    const changes: (() => void)[] = [];
    for (const { reload } of this.#list) if (reload !== undefined) changes.push(await reload(settings));
    for (const apply of changes) apply();
  }
}

function noFigures({ clock, uptime }: Environment): Omit<Figures, "settings" | "health" | "folder"> {
  return {
    clock,
    uptime,
    startedAt: uptime(),
    metrics: new Metrics(),
    slowLog: new SlowLog(),
    id: () => "",
    cluster: () => "",
    backends: () => [],
    state: () => "live",
    bufferedBytes: () => 0,
    memory: () => ({ used: 0, limit: 0 }),
    eviction: () => ({ policy: "noeviction", evicted: 0 }),
    listeners: () => [],
    watchRecorded: () => {},
    members: () => null,
    failure: () => null,
    replica: () => null,
    order: () => null,
    keys: () => null,
    ring: () => null,
    families: () => null,
    jsonReplicas: () => null,
    ws: () => null,
  };
}
