/**
 * Wires the parts together; the only file that knows every one of them. Starts in order, stops in reverse.
 */
import { lookup } from "node:dns/promises";
import type { Logger } from "pino";
import type { Backend } from "./backends/backend.js";
import type { BackendSpecification } from "./backends/specification.js";
import type { Environment } from "./environment.js";
import { loadVerifier } from "./key-verifier.js";
import { DbsyncV1Listener } from "./listeners/dbsync-v1.js";
import { isLoopback } from "./loopback.js";
import { loadWith } from "./optional-package.js";
import { refuseUnsigned } from "./options.js";
import { Pipeline } from "./pipeline.js";
import type { Service } from "./service.js";
import type { Settings } from "./settings.js";
import { StartError } from "./start-error.js";

export interface DaemonParts {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly log: Logger;
}

export class Daemon implements Service {
  readonly #environment: Environment;
  readonly #log: Logger;
  #settings: Settings;
  #backends: Backend[] = [];
  #pipeline: Pipeline | null = null;
  #listener: DbsyncV1Listener | null = null;

  constructor({ settings, environment, log }: DaemonParts) {
    this.#settings = settings;
    this.#environment = environment;
    this.#log = log;
  }

  /** Where the version 1 listener listens, once started. */
  get address(): { readonly address: string; readonly port: number } | null {
    return this.#listener?.address ?? null;
  }

  async start(): Promise<void> {
    const settings = this.#settings;
    for (const line of settings.differences) this.#log.warn(`Not as php-dbsync: ${line}`);
    // What can be wrong is read before anything is opened.
    const verifier = await loadVerifier(settings.signKey, this.#log);
    const address = await addressOf(settings);
    this.#backends = await Promise.all(settings.database.map((one) => this.#makeBackend(one)));
    this.#pipeline = new Pipeline({ backends: this.#backends, verifier, environment: this.#environment });
    this.#listener = new DbsyncV1Listener({
      address,
      port: settings.port,
      closeAfterAnswer: settings.close,
      limits: settings.limits,
      pipeline: this.#pipeline,
      environment: this.#environment,
      log: this.#log,
    });
    // The databases first: nobody is let in before there is something to serve.
    for (const backend of this.#backends) await backend.start();
    try {
      await this.#listener.start();
    } catch (problem) {
      await this.#stopBackends();
      throw problem;
    }
    const bound = this.#listener.address;
    this.#log.info({ address: bound.address, port: bound.port }, "listening");
  }

  /** The listener first, so that what is in flight still finds the databases. */
  async stop(): Promise<void> {
    await this.#listener?.stop();
    await this.#stopBackends();
  }

  /**
   * Takes keys, log level and limits from a new configuration, and says what else of it needs a restart.
   * @throws StartError  and then nothing has changed
   */
  async reload(settings: Settings): Promise<void> {
    if (this.#pipeline === null || this.#listener === null) return;
    const signedBefore = this.#settings.signKey.length > 0;
    if (signedBefore !== settings.signKey.length > 0) {
      throw new StartError("sign-key: changing between signed and unsigned commands needs a restart.", 2);
    }
    const verifier = await loadVerifier(settings.signKey, this.#log);
    for (const name of restartNames(this.#settings, settings)) {
      this.#log.warn({ name }, "this setting has changed, which needs a restart; the old value stays");
    }
    this.#pipeline.verifier = verifier;
    this.#log.level = settings.logLevel;
    this.#listener.limits = settings.limits;
    for (const backend of this.#backends) backend.timeout = settings.limits.backendTimeout;
    const { signKey, logLevel, limits } = settings;
    this.#settings = { ...this.#settings, signKey, logLevel, limits };
    this.#log.info("configuration and keys read again");
  }

  async #makeBackend(specification: BackendSpecification): Promise<Backend> {
    const environment = this.#environment;
    if (specification.kind === "memory") {
      const { MemoryBackend } = await import("./backends/memory.js");
      return new MemoryBackend(environment);
    }
    const { RedisBackend } = await loadWith("ioredis", "-d redis", () => import("./backends/redis.js"));
    const timeout = this.#settings.limits.backendTimeout;
    return new RedisBackend({ specification, timeout, environment, log: this.#log });
  }

  async #stopBackends(): Promise<void> {
    for (const backend of this.#backends.toReversed()) await backend.stop();
  }
}

/** The address to listen on. A name is looked up once, and what it stands for is held to the same rule. */
async function addressOf(settings: Settings): Promise<string> {
  const { bind } = settings;
  const { address } = await lookup(bind).catch((problem: NodeJS.ErrnoException) => {
    throw new StartError(`${bind} is not a known host name (${problem.code}). Correct -b.`, 1);
  });
  if (isLoopback(address) !== true)
    refuseUnsigned(address === bind ? bind : `${bind} (${address})`, settings);
  return address;
}

/** Long option names whose values differ and cannot change while the daemon runs. */
function restartNames(before: Settings, after: Settings): string[] {
  const values = ({ bind, port, database, close, compat, allowUnsigned, logFormat }: Settings) => ({
    bind,
    port,
    database: database.map((one) => JSON.stringify(one)).join(),
    close,
    compat,
    "allow-unsigned": allowUnsigned,
    "log-format": logFormat,
  });
  const old = Object.entries(values(before));
  const fresh = new Map<string, unknown>(Object.entries(values(after)));
  return old.filter(([name, value]) => fresh.get(name) !== value).map(([name]) => name);
}
