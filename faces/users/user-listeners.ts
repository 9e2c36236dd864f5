/**
 * The listeners for users. They share the users, and the path of commands, which are applied in memory. The daemon
 * loads this module, and the module of each listener, only if an option needs it.
 */
import type { Logger } from "pino";
import { GatewayPath } from "../../daemon/cluster/replica/gateway-path.js";
import type { CommandPath } from "../../daemon/engine/backends/command-path.js";
import { MemoryBackend } from "../../daemon/engine/backends/memory-backend.js";
import type { InfoFields } from "../../daemon/engine/info/info-text.js";
import type { DaemonListener } from "../../daemon/listener/daemon-listener.js";
import { isLoopback } from "../../daemon/net/process/host-and-port.js";
import type { LogLevel } from "../../daemon/net/process/log-settings.js";
import { StartError } from "../../daemon/net/process/service.js";
import type { UserListenerName } from "../../daemon/options/option-table.js";
import type { Settings } from "../../daemon/options/settings.js";
import { allUserListeners } from "../../daemon/options/settings-rules.js";
import { type Core, type LiveFigures, unsignedConditionOf } from "../../daemon/program/components.js";
import { type Face, missingFace, type OpenedFace } from "../../daemon/program/face.js";
import type { DaemonInterface } from "./daemon-interface.js";
import { LoadingPath, LocalPath } from "./local-command-path.js";
import type { PasswordSecrets } from "./password-secrets.js";
import { permissionWarning, readUsers, readUsersAgain } from "./read-users.js";
import { userFacesOf } from "./user-face.js";
import type { Users } from "./users.js";

/** Reads the users and creates the listeners, without starting them. @throws StartError */
export async function openUserListeners(core: Core, faces: readonly Face[]): Promise<UserListeners> {
  const { settings, channels, log, pipeline } = core;
  const userFaces = userFacesOf(faces);
  const users = readUsers(settings, await secretsOf(core, userFaces));
  warnOfReaders(settings.aclFile, log);
  const path = await pathOf(core);
  const listeners: UserListeners = new UserListeners(core, users);
  const loadingPath = loadingPathOf(core, listeners, userFaces);
  const { allowUnsigned } = settings;
  users.whenChanged = () => {
    channels.review();
    pipeline.acceptsUnsigned = allowUnsigned || users.areOpen;
  };
  pipeline.acceptsUnsigned = allowUnsigned || users.areOpen;
  for (const name of settings.table.userListeners) {
    const listenAddress = settings[name];
    if (listenAddress === null) continue;

    const face = userFaces.get(name);
    if (face === undefined) throw missingFace(`--${name}`);

    const Listener = await face.load();
    const own = {
      limits: settings.limits,
      users,
      path: face.loadsData === undefined ? (loadingPath ?? path) : path,
    };
    const daemon = daemonInterfaceOf(core, name, listeners);
    listeners.add(name, new Listener({ ...core, ...listenAddress, ...own, daemon }));
  }

  return listeners;
}

type UserFaces = ReturnType<typeof userFacesOf>;

export class UserListeners implements OpenedFace {
  readonly listeners = new Map<UserListenerName, DaemonListener>();
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
    this.listeners.set(name, listener);
  }

  get figures(): Partial<LiveFigures> {
    return {
      ...this.#joined(({ figures }) => figures),
      documentsPending: () => this.loading,
      service: () => {
        const { resp = null, sentinel = null } = this.#joined((listener) => listener.service);
        return resp === null && sentinel === null ? null : { resp, sentinel };
      },
      faceHealth: () => this.#joined(({ health }) => health),
    };
  }

  /** The reason why documents cannot be read or written yet, or null if they can. */
  get loading(): string | null {
    for (const { loading } of this.listeners.values()) if (loading !== null) return loading;
    return null;
  }

  /** The fields that the listeners add to INFO replication. */
  get replicationFields(): InfoFields {
    return this.#joined(({ replicationFields }) => replicationFields);
  }

  #joined<Part extends object>(partOf: (listener: DaemonListener) => Part): Part {
    return Object.assign({}, ...[...this.listeners.values()].map(partOf));
  }

  /** Logs the address of each listener. */
  logAddresses(): void {
    for (const [name, listener] of this.listeners) {
      const { address, port } = listener.address;
      this.#log.info({ address, port }, `serving ${this.#settings.table.rows[name].clients} clients`);
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

/** Returns the secrets derived from passwords, or null if the clients of no listener need them. */
async function secretsOf({ settings, environment }: Core, faces: UserFaces): Promise<PasswordSecrets | null> {
  const needs = [...faces].some(([name, { usesSecrets }]) => usesSecrets && settings[name] !== null);
  if (!needs) return null;
  const { PasswordSecrets } = await import("./password-secrets.js");
  return new PasswordSecrets(environment);
}

function warnOfReaders(aclFile: string | null, log: Logger): void {
  const warning = permissionWarning(aclFile);
  if (warning !== null) log.warn(warning);
}

function daemonInterfaceOf(core: Core, name: UserListenerName, listeners: UserListeners): DaemonInterface {
  const { settings, replica, pipeline, shutDown, memory, slowLog, log, channels } = core;
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
      return listeners.listeners.get(name)?.address.address ?? "";
    },
    get port() {
      return listeners.listeners.get(name)?.address.port ?? 0;
    },
    get members() {
      return pipeline.recording.members ?? 0;
    },
    get replicationFields() {
      return listeners.replicationFields;
    },
    get condition() {
      return unsignedConditionOf(core);
    },
    named: core.named,
  };
}

async function pathOf({ settings, backends, path, replica, pipeline }: Core): Promise<CommandPath> {
  const { localUnits } = pipeline.recording;
  if (replica !== null && replica.gateway !== null) {
    const { backend, gateway, isFinal } = replica;
    const connected = () => {
      // With a stream no members have to be connected, because positions in the stream are permanent.
      if (isFinal) return null;
      const members = pipeline.recording.members ?? 0;
      return settings.peers.length > 0 || members > 0 ? members : null;
    };
    return new GatewayPath(backend, gateway, localUnits, connected);
  }

  const [backend] = backends;
  if (path !== null) return await path();
  if (!(backend instanceof MemoryBackend))
    throw new StartError(`${allUserListeners(settings, "and")} need the database in memory.`, 2);

  return new LocalPath(backend, localUnits);
}

/** Returns the path of commands for all but JSON clients, or null if no documents are loaded at the start. */
function loadingPathOf(
  { settings, backends, pipeline }: Core,
  listeners: UserListeners,
  faces: UserFaces,
): LoadingPath | null {
  const [backend] = backends;
  const isLoading = [...faces.values()].some(({ loadsData }) => loadsData?.(settings));
  if (!isLoading || !(backend instanceof MemoryBackend)) return null;
  backend.loading = () => listeners.loading;
  return new LoadingPath(backend, pipeline.recording.localUnits);
}

const OPEN =
  "accepts commands from any client that can connect, because a user has no password (see --acl-file)";
