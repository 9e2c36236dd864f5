/** A daemon's life: its parts are started in order, stopped in reverse, and take over new settings in between. */
import { isIPv6 } from "node:net";
import type { Logger } from "pino";
import type { Backend } from "../engine/backends/backend.js";
import type { Signers } from "../engine/trust/signers.js";
import type { Environment } from "../net/process/environment.js";
import type { Service } from "../net/process/service.js";
import { StartError } from "../net/process/start-error.js";
import { version } from "../net/process/version.js";
import { reloaded, restartNames } from "../options/reload.js";
import { hasKeys, isSigned, type Settings, tlsFilesOf, type UserListenerName } from "../options/settings.js";
import { hexOf } from "../protocol/version-2/envelope.js";
import type { Semantics } from "../store/semantics.js";
import type { BackendHealth, Health } from "./admin/health.js";
import { boundsOf, type Wired, wire } from "./wiring.js";

export interface DaemonParts {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly log: Logger;
  /** What commands mean, by number; default: what this release knows. */
  readonly known?: Semantics | undefined;
  /** Stops the whole process, as SHUTDOWN asks; default: nobody may ask. */
  readonly shutDown?: () => void;
}

export class Daemon implements Service {
  readonly #parts: DaemonParts;
  readonly #log: Logger;
  #settings: Settings;
  /** null: not started. */
  #wired: Wired | null = null;
  /** Replaced when the keys are read again. */
  #signers: Signers | null = null;
  #phase: "starting" | "running" | "stopping" = "starting";

  constructor(parts: DaemonParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    this.#log = parts.log;
  }

  /** Where --admin listens, once started. */
  get adminAddress(): { readonly address: string; readonly port: number } | null {
    return this.#wired?.admin?.address ?? null;
  }

  /** 64 hexadecimal digits; null: unsigned commands, or not started. */
  get cluster(): string | null {
    return this.#signers === null ? null : hexOf(this.#signers.cluster);
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
    const { environment, known, shutDown = null } = this.#parts;
    const wired = await wire({
      settings,
      environment,
      log: this.#log,
      known,
      shutDown,
      health: () => this.health,
      current: () => this.#settings,
    });
    const { identity, signers, listener, ws, userListeners } = wired;
    this.#wired = wired;
    this.#signers = signers;
    try {
      for (const part of inOrder(wired)) await part.start();
      await listener.start();
      await ws?.start();
      await userListeners?.start();
    } catch (problem) {
      await this.stop();
      throw problem;
    }
    this.#phase = "running";
    const { address, port } = listener.address;
    const cluster = signers === null ? {} : { cluster: hexOf(signers.cluster) };
    if (ws !== null)
      this.#log.info({ address: ws.address.address, port: ws.address.port }, "serving WebSocket clients");
    userListeners?.tell();
    this.#log.info({ address, port, daemon: hexOf(identity.id), ...cluster }, "listening");
    const readiness = this.#isFetching ? "started, but not yet ready for JSON clients" : "ready";
    this.#log.info(readiness + firstStep(settings, address, port));
  }

  /** The listeners first, so that what is in flight still finds the databases; last who tells that we stop. */
  async stop(): Promise<void> {
    this.#phase = "stopping";
    const wired = this.#wired;
    if (wired === null) return;
    wired.pipeline.stop();
    await Promise.all([wired.listener.stop(), wired.ws?.stop(), wired.userListeners?.stop()]);
    for (const part of inOrder(wired).toReversed()) await part.stop();
  }

  /** What --admin tells. */
  get health(): Health {
    const backends = (this.#wired?.backends ?? []).map(healthOf);
    const state = this.#wired?.pipeline.shownState ?? "live";
    const jsonReplicas = this.#wired?.userListeners?.jsonReplicas ?? null;
    return {
      version,
      state: this.#phase !== "running" ? this.#phase : this.#isFetching ? "starting" : state,
      backends,
      ...(jsonReplicas === null ? {} : { jsonReplicas }),
    };
  }

  /** Whether servers of --json-replica have yet to send their documents. */
  get #isFetching(): boolean {
    return this.#wired?.userListeners?.jsonReplicas?.isReady === false;
  }

  /**
   * Takes keys, log level and limits from a new configuration, and says what else of it needs a restart.
   * @throws StartError  and then nothing has changed
   */
  async reload(settings: Settings): Promise<void> {
    const wired = this.#wired;
    if (wired === null) return;
    const { replica, userListeners, certificate, pipeline, memory, listener, ws, backends } = wired;
    if (isSigned(this.#settings) !== isSigned(settings)) {
      throw new StartError("sign-key: changing between signed and unsigned commands needs a restart.", 2);
    }
    const tls = tlsFilesOf(settings);
    if ((tlsFilesOf(this.#settings) === null) !== (tls === null)) {
      throw new StartError("tls-cert: changing between TLS and none needs a restart.", 2);
    }
    const signers = await this.#reloadSigners(settings, replica !== null);
    const changeMembers = replica?.reread(settings);
    userListeners?.reload(settings);
    if (tls !== null) certificate?.reload(tls);
    for (const name of restartNames(this.#settings, settings)) {
      this.#log.warn({ name }, "this setting has changed, which needs a restart; the old value stays");
    }
    changeMembers?.();
    this.#signers = signers;
    pipeline.signers = signers;
    pipeline.seen.bounds = boundsOf(settings);
    this.#log.level = settings.logLevel;
    memory.bytes = settings.limits.maxmemory;
    listener.limits = settings.limits;
    if (ws !== null) ws.limits = settings.limits;
    for (const backend of backends) backend.timeout = settings.limits.backendTimeout;
    this.#settings = reloaded(this.#settings, settings);
    this.#log.info("configuration and keys read again");
  }

  async #reloadSigners(settings: Settings, hasTimeline: boolean): Promise<Signers | null> {
    const before = this.#signers;
    if (before === null) return null;
    const { loadSignersAgain } = await import("../engine/trust/load-signers.js");
    const { clusterName } = this.#settings;
    return loadSignersAgain(before, { ...settings, clusterName, hasTimeline }, this.#log);
  }
}

/** What stands behind the listeners; the databases first, since nobody is let in before there is something to serve. */
function inOrder({ admin, backends, floor, replica, mirror, memory, certificate }: Wired): Service[] {
  return [admin, ...backends, floor, replica, mirror, memory, certificate].filter((part) => part !== null);
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

const healthOf = ({ name, up, server }: Backend): BackendHealth => ({
  name,
  up,
  ...(server === undefined ? {} : { server }),
});
