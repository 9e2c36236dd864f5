/** A daemon's life: its parts are started in order, stopped in reverse order, and receive new settings in between. */
import { isIPv6 } from "node:net";
import type { Logger } from "pino";
import type { Service } from "../net/process/service.js";
import { StartError } from "../net/process/start-error.js";
import { version } from "../net/process/version.js";
import { reloaded, restartNames } from "../options/reload.js";
import { hasKeys, isSigned, type Settings, tlsFilesOf, type UserListenerName } from "../options/settings.js";
import { hexOf } from "../protocol/version-2/envelope.js";
import type { Health } from "./admin/health.js";
import { Components } from "./components.js";
import type { DaemonOptions } from "./core.js";
import { type Wired, wire } from "./wiring.js";

export class Daemon implements Service {
  readonly #options: DaemonOptions;
  readonly #log: Logger;
  readonly #components: Components;
  #settings: Settings;
  /** null: not started. */
  #wired: Wired | null = null;
  #phase: "starting" | "running" | "stopping" = "starting";

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#log = options.log;
    this.#components = new Components(this, options.environment);
  }

  /** Changes with each reload. */
  get settings(): Settings {
    return this.#settings;
  }

  /** Where --admin listens, once started. */
  get adminAddress(): { readonly address: string; readonly port: number } | null {
    return this.#wired?.admin?.address ?? null;
  }

  /** 64 hexadecimal digits; null: unsigned commands, or not started. */
  get cluster(): string | null {
    return this.#components.figures.cluster() || null;
  }

  /** Where --resp listens, or another one for users, once started. */
  userAddress(name: UserListenerName): { readonly address: string; readonly port: number } | null {
    return this.#wired?.userListeners?.address(name) ?? null;
  }

  /** Where the listener listens, once started. */
  get address(): { readonly address: string; readonly port: number } | null {
    return this.#wired?.listener.address ?? null;
  }

  /** Where --ws listens, once started. */
  get wsAddress(): { readonly address: string; readonly port: number } | null {
    return this.#wired?.ws?.address ?? null;
  }

  async start(): Promise<void> {
    const settings = this.#settings;
    const { differences } = settings;
    if (differences.length > 0) this.#log.warn(`Not as php-dbsync: ${differences.join("; ")}.`);
    const wired = await wire(this.#options, this.#components);
    this.#wired = wired;
    try {
      await this.#components.start();
    } catch (problem) {
      await this.stop();
      throw problem;
    }
    this.#phase = "running";
    const { id, listener, ws, userListeners } = wired;
    const { address, port } = listener.address;
    const { cluster } = this;
    if (ws !== null)
      this.#log.info({ address: ws.address.address, port: ws.address.port }, "serving WebSocket clients");
    userListeners?.tell();
    const facts = { address, port, daemon: hexOf(id), ...(cluster === null ? {} : { cluster }) };
    this.#log.info(facts, "listening");
    const isReady = this.health.state !== "starting";
    const readiness = isReady ? "ready" : "started, but not yet ready for JSON clients";
    this.#log.info(readiness + firstStep(settings, address, port));
  }

  /**
   * Stops the listeners first, so that requests in flight still find the databases, and --admin last, which reports that
   * the daemon is stopping.
   */
  async stop(): Promise<void> {
    this.#phase = "stopping";
    if (this.#wired !== null) await this.#components.stop();
  }

  /** The state that --admin reports. */
  get health(): Health {
    const { figures } = this.#components;
    const jsonReplicas = figures.jsonReplicas();
    const isFetching = jsonReplicas?.isReady === false;
    return {
      version,
      state: this.#phase !== "running" ? this.#phase : isFetching ? "starting" : figures.state(),
      backends: figures.backends(),
      ...(jsonReplicas === null ? {} : { jsonReplicas }),
    };
  }

  /**
   * Takes keys, log level and limits from a new configuration, and says what else of it needs a restart.
   * @throws StartError  and then nothing has changed
   */
  async reload(settings: Settings): Promise<void> {
    if (this.#wired === null) return;
    const before = this.#settings;
    if (isSigned(before) !== isSigned(settings)) {
      throw new StartError("sign-key: changing between signed and unsigned commands needs a restart.", 2);
    }
    if ((tlsFilesOf(before) === null) !== (tlsFilesOf(settings) === null)) {
      throw new StartError("tls-cert: changing between TLS and none needs a restart.", 2);
    }
    await this.#components.reload(settings);
    for (const name of restartNames(before, settings)) {
      this.#log.warn({ name }, "this setting has changed, which needs a restart; the old value stays");
    }
    this.#log.level = settings.logLevel;
    this.#settings = reloaded(before, settings);
    this.#log.info("configuration and keys read again");
  }
}

/** Returns what a client on this machine can send first. Where no client can sign, only the other listeners take commands. */
function firstStep(settings: Settings, address: string, port: number): string {
  if (isSigned(settings) && !hasKeys(settings))
    return " for clients that do not sign; signed commands need -s or --root-key from the first start on";
  const host = isIPv6(address) ? "[::1]" : "127.0.0.1";
  const server = `${tlsFilesOf(settings) === null ? "" : "dbsyncs://"}${isAny(address) ? host : hostOf(address)}:${port}`;
  const isForRoots = settings.signKey.length === 0 && settings.rootKey.length > 0;
  const key = isSigned(settings) ? ` -k ${isForRoots ? "root-private.pem" : "private.pem"}` : "";
  return `; try: dbsync send -s ${server}${key} PING`;
}

const isAny = (address: string) => address === "0.0.0.0" || address === "::";
const hostOf = (address: string) => (isIPv6(address) ? `[${address}]` : address);
