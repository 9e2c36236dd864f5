/**
 * Wires the parts together; the only file that knows every one of them. Starts in order, stops in reverse.
 */
import type { Logger } from "pino";
import { hexOf } from "../protocol/envelope.js";
import type { Health } from "./admin/health.js";
import type { Metrics } from "./admin/metrics.js";
import type { AdminServer } from "./admin/server.js";
import type { Backend } from "./backends/backend.js";
import { DbsyncListener, type DbsyncParts } from "./listeners/dbsync/listener.js";
import { makeBackend } from "./make-backend.js";
import { makeMemoryLimit } from "./memory/daemon-memory.js";
import type { MemoryLimit } from "./memory/memory-limit.js";
import { bindAddressOf } from "./options/reach.js";
import { reloaded, restartNames } from "./options/reload.js";
import {
  hasTimeline,
  hasUserListener,
  isSigned,
  type Settings,
  tlsFilesOf,
  type UserListenerName,
} from "./options/settings.js";
import { Databases } from "./pipeline/databases.js";
import { NOBODY, type Observer } from "./pipeline/observer.js";
import { Pipeline } from "./pipeline/pipeline.js";
import type { PipelineParts } from "./pipeline/pipeline-parts.js";
import { Unrecorded } from "./pipeline/recording.js";
import type { SeenBounds } from "./pipeline/seen.js";
import { StartFloor } from "./pipeline/start-floor.js";
import type { Environment } from "./process/environment.js";
import type { Service } from "./process/service.js";
import { StartError } from "./process/start-error.js";
import { version } from "./process/version.js";
import type { Replica } from "./replica/replica.js";
import { hashOf, type Identity, makeIdentity } from "./trust/identity.js";
import type { Signers } from "./trust/signers.js";
import type { TlsCertificate } from "./trust/tls.js";
import type { UserListeners } from "./user-listeners.js";

export interface DaemonParts {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly log: Logger;
  /** Stops the whole process, as SHUTDOWN asks; default: nobody may ask. */
  readonly shutDown?: () => void;
}

export class Daemon implements Service {
  readonly #environment: Environment;
  readonly #log: Logger;
  readonly #shutDown: (() => void) | null;
  #certificate: TlsCertificate | null = null;
  #identity: Identity = makeIdentity();
  #settings: Settings;
  #backends: Backend[] = [];
  #floor: StartFloor | null = null;
  /** Replaced when the keys are read again. */
  #signers: Signers | null = null;
  /** null: no timeline. */
  #replica: Replica | null = null;
  #memory: MemoryLimit | null = null;
  #pipeline: Pipeline | null = null;
  #listener: DbsyncListener | null = null;
  /** null: there are none. */
  #userListeners: UserListeners | null = null;
  #admin: AdminServer | null = null;
  /** null: nobody asks for them. */
  #metrics: Metrics | null = null;
  #phase: "starting" | "running" | "stopping" = "starting";

  constructor({ settings, environment, log, shutDown }: DaemonParts) {
    this.#shutDown = shutDown ?? null;
    this.#settings = settings;
    this.#environment = environment;
    this.#log = log;
  }

  /** Where --admin listens, once started. */
  get adminAddress(): { readonly address: string; readonly port: number } | null {
    return this.#admin?.address ?? null;
  }

  /** 64 hexadecimal digits; null: unsigned commands, or not started. */
  get cluster(): string | null {
    return this.#signers === null ? null : hexOf(this.#signers.cluster);
  }

  /** Where --resp listens, or another one for users, once started. */
  userAddress(name: UserListenerName): { readonly address: string; readonly port: number } | null {
    return this.#userListeners?.address(name) ?? null;
  }

  /** Where the listener listens, once started. */
  get address(): { readonly address: string; readonly port: number } | null {
    return this.#listener?.address ?? null;
  }

  async start(): Promise<void> {
    const settings = this.#settings;
    for (const line of settings.differences) this.#log.warn(`Not as php-dbsync: ${line}`);
    // What can be wrong is read before anything is opened.
    const signers = await this.#loadSigners(settings);
    this.#signers = signers;
    const address = await bindAddressOf(settings);
    const gate = await this.#makeGate();
    await this.#makeAdmin();
    await this.#makeReplica(settings);
    const replica = this.#replica;
    const own = { environment: this.#environment, log: this.#log };
    const sources = { settings, metrics: this.#metrics, ...own };
    const made =
      replica === null
        ? await Promise.all(settings.database.map((one) => makeBackend(one, sources)))
        : [{ backend: replica.backend, outliving: null }];
    this.#backends = made.map(({ backend }) => backend);
    const outliving = made.flatMap((one) => one.outliving ?? []);
    const memory = makeMemoryLimit({ settings, backends: this.#backends, ...own });
    this.#memory = memory;
    const observer: Observer = this.#metrics ?? NOBODY;
    // Nothing can have been applied to an empty memory; to a Redis, by the daemon that ran before.
    const future = outliving.length === 0 ? 0 : settings.window.future;
    const floor = new StartFloor({ databases: signers === null ? [] : outliving, future, ...own });
    this.#floor = floor;
    this.#pipeline = this.#makePipeline({ signers, memory, observer, floor });
    this.#listener = new DbsyncListener({
      address,
      port: settings.port,
      gate,
      closeAfterAnswer: settings.close,
      takesVersion1: settings.require === "v1" && settings.v1 !== "off",
      daemon: this.#identity.id,
      members: replica?.takeMember ?? null,
      observer,
      limits: settings.limits,
      pipeline: this.#pipeline,
      environment: this.#environment,
      log: this.#log,
    });
    await this.#makeUserListeners(gate, memory, observer);
    try {
      await this.#admin?.start();
      // The databases first: nobody is let in before there is something to serve.
      for (const backend of this.#backends) await backend.start();
      await floor.start();
      await this.#replica?.start();
      await memory.start();
      await this.#certificate?.start();
      await this.#listener.start();
      await this.#userListeners?.start();
    } catch (problem) {
      await this.stop();
      throw problem;
    }
    this.#phase = "running";
    const bound = this.#listener.address;
    const cluster = signers === null ? {} : { cluster: hexOf(signers.cluster) };
    const daemon = hexOf(this.#identity.id);
    this.#userListeners?.tell();
    this.#log.info({ address: bound.address, port: bound.port, daemon, ...cluster }, "listening");
  }

  /** The listener first, so that what is in flight still finds the databases; last who tells that we stop. */
  async stop(): Promise<void> {
    this.#phase = "stopping";
    this.#pipeline?.stop();
    await Promise.all([this.#listener?.stop(), this.#userListeners?.stop()]);
    await this.#certificate?.stop();
    await this.#memory?.stop();
    await this.#replica?.stop();
    await this.#floor?.stop();
    for (const backend of this.#backends.toReversed()) await backend.stop();
    await this.#admin?.stop();
  }

  /** What --admin tells. */
  get health(): Health {
    const backends = this.#backends.map(({ name, up }) => ({ name, up }));
    const state = this.#pipeline?.shownState ?? "live";
    return { version, state: this.#phase === "running" ? state : this.#phase, backends };
  }

  /**
   * Takes keys, log level and limits from a new configuration, and says what else of it needs a restart.
   * @throws StartError  and then nothing has changed
   */
  async reload(settings: Settings): Promise<void> {
    if (this.#pipeline === null || this.#listener === null) return;
    if (isSigned(this.#settings) !== isSigned(settings)) {
      throw new StartError("sign-key: changing between signed and unsigned commands needs a restart.", 2);
    }
    const tls = tlsFilesOf(settings);
    if ((tlsFilesOf(this.#settings) === null) !== (tls === null)) {
      throw new StartError("tls-cert: changing between TLS and none needs a restart.", 2);
    }
    const signers = await this.#reloadSigners(settings);
    const changeMembers = this.#replica?.reread(settings);
    this.#userListeners?.reload(settings);
    if (tls !== null) this.#certificate?.reload(tls);
    for (const name of restartNames(this.#settings, settings)) {
      this.#log.warn({ name }, "this setting has changed, which needs a restart; the old value stays");
    }
    changeMembers?.();
    this.#signers = signers;
    this.#pipeline.signers = signers;
    this.#pipeline.seen.bounds = boundsOf(settings);
    this.#log.level = settings.logLevel;
    if (this.#memory !== null) this.#memory.bytes = settings.limits.maxmemory;
    this.#listener.limits = settings.limits;
    for (const backend of this.#backends) backend.timeout = settings.limits.backendTimeout;
    this.#settings = reloaded(this.#settings, settings);
    this.#log.info("configuration and keys read again");
  }

  /** How the listener comes to its gate; null: no TLS, and none of its modules is loaded. */
  async #makeGate(): Promise<DbsyncParts["gate"]> {
    const tls = tlsFilesOf(this.#settings);
    if (tls === null) return null;
    const [{ TlsCertificate, LOOK_EVERY_MS }, { TlsGate }] = await Promise.all([
      import("./trust/tls.js"),
      import("./listeners/tls-gate.js"),
    ]);
    const parts = { files: tls, lookEvery: LOOK_EVERY_MS, environment: this.#environment, log: this.#log };
    const certificate = new TlsCertificate(parts);
    this.#certificate = certificate;
    return (refusals) => new TlsGate({ certificate, refusals });
  }

  async #makeUserListeners(
    gate: DbsyncParts["gate"],
    memory: MemoryLimit,
    observer: Observer,
  ): Promise<void> {
    const settings = this.#settings;
    if (!hasUserListener(settings) || this.#pipeline === null) return;
    const { openUserListeners } = await import("./user-listeners.js");
    this.#userListeners = await openUserListeners({
      ...{ settings, gate, memory, observer, pipeline: this.#pipeline, backends: this.#backends },
      ...{ replica: this.#replica, environment: this.#environment, log: this.#log },
      shutDown: this.#shutDown,
    });
  }

  /** The modules of keys/ and the key ring are loaded only if there are keys. */
  async #loadSigners(settings: Settings): Promise<Signers | null> {
    if (!isSigned(settings)) return null;
    const { loadSigners } = await import("./trust/load-signers.js");
    return loadSigners(settings, this.#log);
  }

  async #reloadSigners(settings: Settings): Promise<Signers | null> {
    const before = this.#signers;
    if (before === null) return null;
    const { loadSignersAgain } = await import("./trust/load-signers.js");
    const { clusterName } = this.#settings;
    return loadSignersAgain(
      before,
      { ...settings, clusterName, hasTimeline: this.#replica !== null },
      this.#log,
    );
  }

  /** With a data folder the daemon is whose folder it is. */
  async #makeReplica(settings: Settings): Promise<void> {
    if (this.#signers === null || !hasTimeline(settings)) return;
    if (settings.data !== null) {
      const { openDataFolder } = await import("./trust/data-folder.js");
      this.#identity = openDataFolder(settings.data, (sentence) => this.#log.warn(sentence));
    }
    this.#replica = await (await import("./replica/replica.js")).openReplica({
      settings,
      identity: this.#identity,
      signers: this.#signers,
      environment: this.#environment,
      log: this.#log,
      arrived: (entries) => this.#pipeline?.arrived(entries.map(({ id }) => id)),
    });
  }

  #makePipeline(made: Pick<PipelineParts, "signers" | "memory" | "observer" | "floor">): Pipeline {
    const { floor } = made;
    return new Pipeline({
      recording: this.#replica?.recording ?? new Unrecorded({ environment: this.#environment, floor }),
      databases: new Databases(this.#backends),
      daemon: this.#identity.id,
      hash: hashOf,
      remembered: boundsOf(this.#settings),
      ...{ environment: this.#environment, log: this.#log, window: this.#settings.window },
      ...made,
    });
  }

  async #makeAdmin(): Promise<void> {
    const { admin: place, adminHosts: hosts } = this.#settings;
    if (place === null) return;
    const [{ Metrics }, { makeAdmin }] = await Promise.all([
      import("./admin/metrics.js"),
      import("./admin/admin.js"),
    ]);
    const metrics = new Metrics();
    this.#metrics = metrics;
    const bufferedBytes = () =>
      (this.#listener?.bufferedBytes ?? 0) + (this.#userListeners?.bufferedBytes ?? 0);
    const replica = () => this.#replica?.history.figures ?? null;
    const jsonFleet = () => this.#userListeners?.jsonFleet ?? null;
    const sources = { metrics, bufferedBytes, replica, jsonFleet, health: () => this.health };
    this.#admin = await makeAdmin({ place, hosts, sources, log: this.#log });
  }
}

function boundsOf({ limits }: Settings): SeenBounds {
  return { most: limits.maxRemembered, mostBytes: limits.maxRememberedBytes };
}
