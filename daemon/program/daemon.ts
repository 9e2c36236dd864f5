/**
 * The life cycle of a daemon: starts its components in order, applies new settings, and stops the components in reverse
 * order.
 */
import { isIPv6 } from "node:net";
import type { Logger } from "pino";
import { DAEMON_STATES, type DaemonCondition } from "../../protocol/daemon-states.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { type Service, StartError } from "../net/process/service.js";
import { version } from "../net/process/version.js";
import { reloaded, restartNames } from "../options/read-settings.js";
import { hasKeys, isSigned, type Settings, tlsFilesOf } from "../options/settings.js";
import { Components, type Figures } from "./components.js";
import type { BuildOptions, ListenerAddress } from "./face.js";
import type { Health } from "./inspection/inspected-daemon.js";
import { type Wired, wire } from "./wiring.js";

export class Daemon implements Service {
  readonly #options: BuildOptions;
  readonly #log: Logger;
  readonly #components: Components;
  #settings: Settings;
  /** The components that other code accesses, or null before the start. */
  #wired: Wired | null = null;
  #phase: Phase = "starting";

  constructor(options: BuildOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#log = options.log;
    this.#components = new Components(this, options.environment);
  }

  /** The current settings, which each reload replaces. */
  get settings(): Settings {
    return this.#settings;
  }

  /** The cluster's id, 64 hexadecimal digits, or null if commands are unsigned or the daemon is not started. */
  get cluster(): string | null {
    return this.#components.figures.cluster() || null;
  }

  /** Returns the address of a face's listener by the name of its option, or null if there is none. */
  addressOf(name: string): ListenerAddress | null {
    if (this.#wired === null) return null;
    const { opened, figureServer } = this.#wired;
    if (figureServer?.name === name) return figureServer.server.address;
    return opened.flatMap(({ listeners }) => listeners.get(name) ?? [])[0]?.address ?? null;
  }

  /** The address of the main listener, or null before the start. */
  get address(): ListenerAddress | null {
    return this.#wired?.listener.address ?? null;
  }

  async start(): Promise<void> {
    const settings = this.#settings;
    const { differences } = settings;
    if (differences.length > 0) this.#log.warn(`Differences from php-dbsync: ${differences.join("; ")}.`);

    const wired = await wire(this.#options, this.#components);
    this.#wired = wired;
    try {
      await this.#components.start();
    } catch (problem) {
      await this.stop();
      throw problem;
    }

    this.#phase = "running";
    const { id, listener, opened, pipeline, stateLog, pin } = wired;
    const { address, port } = listener.address;
    const { cluster } = this;

    for (const face of opened) face.logAddresses();
    const facts = { address, port, daemon: hexOf(id), ...(cluster === null ? {} : { cluster }) };
    this.#log.info(facts, "listening");

    const isClosed = !pipeline.acceptsUnsigned;
    stateLog.started(firstStep(settings, { address, port, isClosed, pin: pin() }));
  }

  /**
   * Stops all components: the listeners first, so that the databases are still available to requests in flight, and
   * --admin last, because it reports that the daemon is stopping.
   */
  async stop(): Promise<void> {
    this.#phase = "stopping";
    if (this.#wired !== null) await this.#components.stop();
  }

  /** The daemon's state, from which all reports of it follow. */
  get condition(): DaemonCondition {
    return conditionOf(this.#phase, this.#components.figures);
  }

  /** The state that --admin reports. */
  get health(): Health {
    const { figures } = this.#components;
    return {
      version,
      state: this.condition.state,
      backends: figures.backends(),
      ...figures.faceHealth(),
    };
  }

  /**
   * Applies keys, log level and limits of a new configuration, and logs the other changed settings, which need a
   * restart.
   * @throws StartError  the configuration cannot be used, and nothing has changed
   */
  async reload(settings: Settings): Promise<void> {
    if (this.#wired === null) return;
    const before = this.#settings;

    if (isSigned(before) !== isSigned(settings)) {
      throw new StartError("sign-key: changing between signed and unsigned commands needs a restart.", 2);
    }
    if ((tlsFilesOf(before) === null) !== (tlsFilesOf(settings) === null)) {
      throw new StartError("tls-cert: turning TLS on or off needs a restart.", 2);
    }

    await this.#components.reload(settings);
    for (const name of restartNames(before, settings)) {
      this.#log.warn({ name }, "this setting has changed, but the old value applies until a restart");
    }

    this.#log.level = settings.logLevel;
    this.#settings = reloaded(before, settings);
    this.#log.info("configuration and keys read again");
  }
}

interface Port {
  readonly address: string;
  readonly port: number;
  /** Whether unsigned commands are refused, because clients have to log in at the listeners for users. */
  readonly isClosed: boolean;
  /** The pin of the certificate, which its authority or its names need not prove, or "" without TLS. */
  readonly pin: string;
}

/**
 * Returns the end of the line that reports that the daemon is ready: the command with which a client on this machine
 * can test the daemon.
 */
function firstStep(settings: Settings, { address, port, isClosed, pin }: Port): string {
  if (isSigned(settings) && !hasKeys(settings))
    return " for clients that do not sign; to accept signed commands, set -s or --root-key from the first start";
  if (!isSigned(settings) && isClosed)
    return `; the port ${port} executes no commands, because clients have to log in at other ports: set -s to accept signed commands, or --allow-unsigned`;
  const host = isIPv6(address) ? "[::1]" : "127.0.0.1";
  const name = `${isAny(address) ? host : hostOf(address)}:${port}`;
  const server = pin === "" ? name : `dbsyncs://${name}${pin}`;
  const isForRoots = settings.signKey.length === 0 && settings.rootKey.length > 0;
  const key = isSigned(settings) ? ` -k ${isForRoots ? "root-private.pem" : "private.pem"}` : "";
  return `; try: dbsync send -s ${server}${key} PING`;
}

const isAny = (address: string) => address === "0.0.0.0" || address === "::";
const hostOf = (address: string) => (isIPv6(address) ? `[${address}]` : address);

type Phase = "starting" | "running" | "stopping";

/**
 * Returns the daemon's state, which follows from its phase and from the states of its components. The first reason that
 * applies determines it: a write receives the same refusal.
 */
function conditionOf(
  phase: Phase,
  {
    backends,
    recordingCondition,
    documentsPending,
  }: Pick<Figures, "backends" | "recordingCondition" | "documentsPending">,
): DaemonCondition {
  if (phase !== "running") return { state: phase, reason: "" };
  const down = backends().find(({ up }) => !up);
  if (down !== undefined) return { state: "database-down", reason: down.name };
  const recording = recordingCondition();
  const pending = documentsPending();
  return pending !== null && DAEMON_STATES[recording.state].refusal === null
    ? { state: "loading-documents", reason: pending }
    : recording;
}
