/**
 * The listeners for users. They share the users and the path of commands. The daemon loads this module, and the module
 * of each listener, only if an option needs it. To add a listener, add a line to LISTENERS.
 */
import type { Logger } from "pino";
import type { SigningBackend } from "../../faces/sidecar/signing-backend.js";
import type { DaemonInterface } from "../../faces/users/daemon-interface.js";
import { LoadingPath } from "../../faces/users/loading-command-path.js";
import { LocalPath } from "../../faces/users/local-command-path.js";
import type { PasswordSecrets } from "../../faces/users/password-secrets.js";
import { permissionWarning, readUsers, readUsersAgain } from "../../faces/users/read-users.js";
import type { UserListenerParts } from "../../faces/users/user-listener.js";
import type { Users } from "../../faces/users/users.js";
import { DAEMON_STATES } from "../../protocol/daemon-states.js";
import { RecordedPath } from "../cluster/replica/recorded-command-path.js";
import type { CommandPath } from "../engine/backends/command-path.js";
import { MemoryBackend } from "../engine/backends/memory-backend.js";
import type { DaemonListener, FamilyCounts } from "../listener/daemon-listener.js";
import type { JsonReplicaFigures } from "../listener/json-replica-figures.js";
import type { LogLevel } from "../net/process/log.js";
import { isLoopback } from "../net/process/loopback.js";
import { StartError } from "../net/process/start-error.js";
import { OPTIONS } from "../options/option-table.js";
import { isSidecar, type Settings, USER_LISTENER_NAMES, type UserListenerName } from "../options/settings.js";
import { allUserListeners } from "../options/user-listener-rules.js";
import type { Core } from "./core.js";

type Load = () => Promise<new (parts: UserListenerParts) => DaemonListener>;

const LISTENERS: Readonly<Record<UserListenerName, Load>> = {
  resp: async () => (await import("../../faces/redis/resp-listener.js")).RespListener,
  json: async () => (await import("../../faces/json/json-listener.js")).JsonListener,
  memcached: async () => (await import("../../faces/memcached/memcached-listener.js")).MemcachedListener,
  sql: async () => (await import("../../faces/sql/sql-listener.js")).SqlListener,
  mongo: async () => (await import("../../faces/mongo/mongo-listener.js")).MongoListener,
};

/** Reads the users and creates the listeners, without starting them. @throws StartError */
export async function openUserListeners(core: Core): Promise<UserListeners> {
  const { settings, channels, log, pipeline } = core;
  const users = readUsers(settings, await secretsOf(core));
  warnOfReaders(settings.aclFile, log);
  const path = await pathOf(core);
  const listeners: UserListeners = new UserListeners(core, users);
  const loadingPath = loadingPathOf(core, listeners);
  const { allowUnsigned } = settings;
  users.whenChanged = () => {
    channels.review();
    pipeline.acceptsUnsigned = allowUnsigned || users.areOpen;
  };
  pipeline.acceptsUnsigned = allowUnsigned || users.areOpen;
  for (const name of USER_LISTENER_NAMES) {
    const listenAddress = settings[name];
    if (listenAddress === null) continue;
    const Listener = await LISTENERS[name]();
    // Until documents are loaded, the JSON listener itself refuses clients, in its own protocol.
    const own = { limits: settings.limits, users, path: name === "json" ? path : (loadingPath ?? path) };
    const daemon = daemonInterfaceOf(core, name, listeners);
    listeners.add(name, new Listener({ ...core, ...listenAddress, ...own, daemon }));
  }
  return listeners;
}

export class UserListeners {
  readonly #listeners = new Map<UserListenerName, DaemonListener>();
  readonly #users: Users;
  /** The settings at the start, with addresses and TLS. */
  readonly #settings: Settings;
  readonly #log: Logger;

  constructor({ settings, log }: Core, users: Users) {
    this.#users = users;
    this.#settings = settings;
    this.#log = log;
  }

  add(name: UserListenerName, listener: DaemonListener): void {
    this.#listeners.set(name, listener);
  }

  /** Returns a listener's address, or null if there is none or it is not started. */
  address(name: UserListenerName): { readonly address: string; readonly port: number } | null {
    return this.#listeners.get(name)?.address ?? null;
  }

  /** Whether clients that do not log in may do everything. */
  get areOpen(): boolean {
    return this.#users.areOpen;
  }

  get all(): readonly DaemonListener[] {
    return [...this.#listeners.values()];
  }

  /** The reason why documents cannot be read or written yet, or null if they can. */
  get loading(): string | null {
    return this.#listeners.get("json")?.loading ?? null;
  }

  /** Counts of commands of Redis clients, or null if there is no --resp. */
  get families(): readonly FamilyCounts[] | null {
    return this.#listeners.get("resp")?.families ?? null;
  }

  /** Figures of JSON replicas, or null if there is no --json-replica. */
  get jsonReplicas(): JsonReplicaFigures | null {
    return this.#listeners.get("json")?.jsonReplicas ?? null;
  }

  /** Logs the address of each listener. */
  logAddresses(): void {
    for (const [name, listener] of this.#listeners) {
      const { address, port } = listener.address;
      this.#log.info({ address, port }, `serving ${OPTIONS[name].clients} clients`);
      if (this.#users.withoutPassword !== null && isLoopback(address) !== true)
        this.#log.warn(`--${name} ${OPEN}`);
    }
  }

  /** Reads and checks the users again. @returns a function that applies them @throws StartError */
  reload({ aclFile }: Settings): () => void {
    const users = readUsersAgain(this.#users, { ...this.#settings, aclFile });
    return () => {
      this.#users.replaceAll(users);
      warnOfReaders(aclFile, this.#log);
    };
  }
}

/** Returns the secrets derived from passwords, which only MongoDB clients need, or null without --mongo. */
async function secretsOf({ settings, environment }: Core): Promise<PasswordSecrets | null> {
  if (settings.mongo === null) return null;
  const { PasswordSecrets } = await import("../../faces/users/password-secrets.js");
  return new PasswordSecrets(environment);
}

function warnOfReaders(aclFile: string | null, log: Logger): void {
  const warning = permissionWarning(aclFile);
  if (warning !== null) log.warn(warning);
}

function daemonInterfaceOf(
  { settings, replica, pipeline, condition, shutDown, memory, slowLog, log, channels }: Core,
  name: UserListenerName,
  listeners: UserListeners,
): DaemonInterface {
  return {
    settings,
    shutDown: shutDown ?? null,
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
    writeLog: (level, sentence) => log[level](sentence),
    get address() {
      return listeners.address(name)?.address ?? "";
    },
    get port() {
      return listeners.address(name)?.port ?? 0;
    },
    get members() {
      return pipeline.recording.members ?? 0;
    },
    get jsonReplicas() {
      return listeners.jsonReplicas;
    },
    get condition() {
      const own = condition();
      const { refusal } = DAEMON_STATES[own.state];
      return (refusal === null ? replica?.gateway?.own.condition : null) ?? own;
    },
  };
}

async function pathOf({ settings, backends, replica, pipeline }: Core): Promise<CommandPath> {
  const { localUnits } = pipeline.recording;
  if (replica !== null && replica.gateway !== null) {
    const { backend, gateway, isFinal } = replica;
    const connected = () => {
      // With a stream no members have to be connected, because positions in the stream are permanent.
      if (isFinal) return null;
      const members = pipeline.recording.members ?? 0;
      return settings.peers.length > 0 || members > 0 ? members : null;
    };
    return new RecordedPath(backend, gateway, localUnits, connected);
  }
  const [backend] = backends;
  if (isSidecar(settings)) {
    const { SignedPath } = await import("../../faces/sidecar/signed-path.js");
    return new SignedPath((backend as SigningBackend).carrier);
  }
  if (!(backend instanceof MemoryBackend))
    throw new StartError(`${allUserListeners("and")} need the database in memory.`, 2);
  return new LocalPath(backend, localUnits);
}

/** Returns the path of commands for all but JSON clients, or null if no documents are loaded at the start. */
function loadingPathOf({ settings, backends, pipeline }: Core, listeners: UserListeners): LoadingPath | null {
  const [backend] = backends;
  if (settings.jsonReplicas.length === 0 || !(backend instanceof MemoryBackend)) return null;
  backend.loading = () => listeners.loading;
  return new LoadingPath(backend, pipeline.recording.localUnits);
}

const OPEN =
  "accepts commands from any client that can connect, because a user has no password (see --acl-file)";
