/**
 * The listeners for users: what they have in common is users, and the way of their commands. The daemon loads this
 * module, and with it each listener's own, only if it is asked for. A new listener is a line of LISTENERS.
 */
import type { Logger } from "pino";
import type { KeptWrites } from "../cluster/node/kept-writes.js";
import { RecordedPath } from "../cluster/replica/recorded-path.js";
import type { Backend } from "../engine/backends/backend.js";
import { MemoryBackend } from "../engine/backends/memory.js";
import type { Channels } from "../engine/channels/channels.js";
import type { MemoryLimit } from "../engine/memory/memory-limit.js";
import type { Observer } from "../engine/pipeline/observer.js";
import type { Pipeline } from "../engine/pipeline/pipeline.js";
import type { SigningBackend } from "../engine/sidecar/signing-backend.js";
import type { SlowLog } from "../engine/slow-log/slow-log.js";
import type { CommandPath } from "../engine/users/command-path.js";
import { LoadingPath } from "../engine/users/loading-path.js";
import { LocalPath } from "../engine/users/local-path.js";
import type { PasswordSecrets } from "../engine/users/password-secrets.js";
import { readersOf, readUsers, readUsersAgain } from "../engine/users/read-users.js";
import type { Users } from "../engine/users/users.js";
import type { DaemonFace } from "../listeners/daemon-face.js";
import type { DaemonListener, DaemonListenerParts, FamilyCounts } from "../listeners/daemon-listener.js";
import type { JsonReplicaFigures } from "../listeners/replica-figures.js";
import type { UserListenerParts } from "../listeners/user-listener.js";
import type { Environment } from "../net/process/environment.js";
import type { LogLevel } from "../net/process/log.js";
import { isLoopback } from "../net/process/loopback.js";
import type { Service } from "../net/process/service.js";
import { StartError } from "../net/process/start-error.js";
import { isSidecar, type Settings, USER_LISTENER_NAMES, type UserListenerName } from "../options/settings.js";
import { OPTIONS } from "../options/table.js";
import { allUserListeners } from "../options/user-listener-rules.js";

type Load = () => Promise<new (parts: UserListenerParts) => DaemonListener>;

const LISTENERS: Readonly<Record<UserListenerName, Load>> = {
  resp: async () => (await import("../listeners/resp/listener.js")).RespListener,
  json: async () => (await import("../listeners/json/listener.js")).JsonListener,
  memcached: async () => (await import("../listeners/memcached/listener.js")).MemcachedListener,
  sql: async () => (await import("../listeners/sql/listener.js")).SqlListener,
  mongo: async () => (await import("../listeners/mongo/listener.js")).MongoListener,
};

export interface UserListenersParts {
  readonly settings: Settings;
  readonly gate: DaemonListenerParts["gate"];
  readonly pipeline: Pipeline;
  /** The daemon's only one. */
  readonly backends: readonly Backend[];
  /** null: no timeline. */
  readonly replica: Pick<KeptWrites, "backend" | "gateway" | "failure" | "copies" | "isFinal"> | null;
  /** Stops the process in its own time; null: it is not ours to stop. */
  readonly shutDown: (() => void) | null;
  readonly channels: Channels;
  readonly memory: MemoryLimit;
  readonly slowLog: SlowLog;
  readonly observer: Observer;
  readonly environment: Environment;
  readonly log: Logger;
}

/** Reads the users, starts nothing. @throws StartError */
export async function openUserListeners(parts: UserListenersParts): Promise<UserListeners> {
  const { settings, gate, memory, observer, environment, log } = parts;
  const { limits } = settings;
  const users = readUsers(settings, await secretsOf(parts));
  warnOfReaders(settings.aclFile, log);
  const path = await pathOf(parts);
  const loadingPath = loadingPathOf(parts, () => listeners.get("json")?.loading ?? null);
  const { channels } = parts;
  users.whenChanged = () => channels.review();
  const listeners = new Map<UserListenerName, DaemonListener>();
  for (const name of USER_LISTENER_NAMES) {
    const place = settings[name];
    if (place === null) continue;
    const Listener = await LISTENERS[name]();
    const listener: DaemonListener = new Listener({
      ...place,
      gate,
      memory,
      observer,
      environment,
      log,
      limits,
      users,
      // JSON clients are refused in the words of their protocol.
      path: name === "json" ? path : (loadingPath ?? path),
      daemon: faceOf(
        parts,
        () => listener.address,
        () => listeners.get("json")?.jsonReplicas ?? null,
      ),
    });
    listeners.set(name, listener);
  }
  return new UserListeners(listeners, users, { settings, log });
}

export class UserListeners implements Service {
  readonly #listeners: ReadonlyMap<UserListenerName, DaemonListener>;
  readonly #users: Users;
  /** Those of the start, for where it listens and whether with TLS. */
  readonly #settings: Settings;
  readonly #log: Logger;

  constructor(
    listeners: ReadonlyMap<UserListenerName, DaemonListener>,
    users: Users,
    { settings, log }: Pick<UserListenersParts, "settings" | "log">,
  ) {
    this.#listeners = listeners;
    this.#users = users;
    this.#settings = settings;
    this.#log = log;
  }

  /** Where one listens, once started; null: there is none. */
  address(name: UserListenerName): { readonly address: string; readonly port: number } | null {
    return this.#listeners.get(name)?.address ?? null;
  }

  /** Bytes of unfinished requests and untaken answers. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const listener of this.#listeners.values()) bytes += listener.bufferedBytes;
    return bytes;
  }

  get all(): readonly DaemonListener[] {
    return [...this.#listeners.values()];
  }

  /** null: there is no --resp. */
  get families(): readonly FamilyCounts[] | null {
    return this.#listeners.get("resp")?.families ?? null;
  }

  /** null: none has --json-replica. */
  get jsonReplicas(): JsonReplicaFigures | null {
    return this.#listeners.get("json")?.jsonReplicas ?? null;
  }

  async start(): Promise<void> {
    for (const listener of this.#listeners.values()) await listener.start();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#listeners.values()].map((listener) => listener.stop()));
  }

  /** Says in the log where clients are served. */
  tell(): void {
    for (const [name, listener] of this.#listeners) {
      const { address, port } = listener.address;
      this.#log.info({ address, port }, `serving ${OPTIONS[name].clients} clients`);
      if (this.#users.withoutPassword !== null && isLoopback(address) !== true)
        this.#log.warn(`--${name} ${OPEN}`);
    }
  }

  /** New limits and users. @throws StartError  and then nothing has changed */
  reload({ limits, aclFile }: Settings): void {
    this.#users.become(readUsersAgain(this.#users, { ...this.#settings, aclFile }));
    warnOfReaders(aclFile, this.#log);
    for (const listener of this.#listeners.values()) listener.limits = limits;
  }
}

/** Of passwords, for those who prove theirs; null: only MongoDB clients do. */
async function secretsOf({ settings, environment }: UserListenersParts): Promise<PasswordSecrets | null> {
  if (settings.mongo === null) return null;
  const { PasswordSecrets } = await import("../engine/users/password-secrets.js");
  return new PasswordSecrets(environment);
}

function warnOfReaders(aclFile: string | null, log: Logger): void {
  const warning = readersOf(aclFile);
  if (warning !== null) log.warn(warning);
}

/** @param place  where the listener listens that asks */
function faceOf(
  { settings, replica, pipeline, shutDown, memory, slowLog, log, channels }: UserListenersParts,
  place: () => DaemonListener["address"],
  jsonReplicas: () => JsonReplicaFigures | null,
): DaemonFace {
  return {
    settings,
    shutDown,
    memory,
    slowLog,
    channels,
    copies: replica?.copies ?? null,
    get logLevel() {
      return log.level as LogLevel;
    },
    set logLevel(level) {
      log.level = level;
    },
    say: (level, sentence) => log[level](sentence),
    get address() {
      return place().address;
    },
    get port() {
      return place().port;
    },
    get members() {
      return pipeline.members ?? 0;
    },
    get jsonReplicas() {
      return jsonReplicas();
    },
    get state() {
      return pipeline.state;
    },
    get failure() {
      return replica?.failure ?? null;
    },
  };
}

async function pathOf({ settings, backends, replica, pipeline }: UserListenersParts): Promise<CommandPath> {
  const { localUnits } = pipeline;
  if (replica !== null && replica.gateway !== null) {
    const { backend, gateway, isFinal } = replica;
    const others = () => {
      // What is numbered there is numbered for good.
      if (isFinal) return null;
      const members = pipeline.members ?? 0;
      return settings.peers.length > 0 || members > 0 ? members : null;
    };
    return new RecordedPath({ backend, gateway, units: localUnits, others });
  }
  const [backend] = backends;
  if (isSidecar(settings)) {
    const { SignedPath } = await import("../engine/sidecar/signed-path.js");
    return new SignedPath((backend as SigningBackend).carrier);
  }
  if (!(backend instanceof MemoryBackend))
    throw new StartError(`${allUserListeners("and")} need the database in memory.`, 2);
  return new LocalPath(backend, localUnits);
}

/** Returns the path of clients other than JSON's where documents are fetched at the start; null: they are not. */
function loadingPathOf(
  { settings, backends, pipeline }: UserListenersParts,
  loading: () => string | null,
): LoadingPath | null {
  const [backend] = backends;
  if (settings.jsonReplicas.length === 0 || !(backend instanceof MemoryBackend)) return null;
  backend.loading = loading;
  return new LoadingPath(backend, pipeline.localUnits);
}

const OPEN =
  "takes commands of anybody that reaches it, since there is a user who needs no password (--acl-file)";
