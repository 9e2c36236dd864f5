/**
 * The listeners for users. They share the users, and the path of commands, which are applied in memory. The daemon
 * loads this module, and the module of each listener, only if an option needs it.
 */
import type { Logger } from "pino";
import { RecordedPath } from "../../daemon/cluster/replica/recorded-command-path.js";
import {
  ALL_COMMANDS_SUPPORTED,
  type CheckedCommand,
  type CommandPath,
  type CommandSender,
  type LocalData,
  type StepRunner,
  type WriteObserver,
  type Writers,
} from "../../daemon/engine/backends/command-path.js";
import type { KeyChangeObservers } from "../../daemon/engine/backends/key-change-observers.js";
import type { KeyCounts } from "../../daemon/engine/backends/key-counts.js";
import type { LocalUnits } from "../../daemon/engine/backends/local-units.js";
import { MemoryBackend } from "../../daemon/engine/backends/memory-backend.js";
import type { InfoFields } from "../../daemon/engine/info/info-text.js";
import type { DaemonListener } from "../../daemon/listener/daemon-listener.js";
import { isLoopback } from "../../daemon/net/process/host-and-port.js";
import type { LogLevel } from "../../daemon/net/process/log-settings.js";
import { StartError } from "../../daemon/net/process/service.js";
import type { UserListenerName } from "../../daemon/options/option-table.js";
import type { Settings } from "../../daemon/options/settings.js";
import { allUserListeners } from "../../daemon/options/settings-rules.js";
import { type Core, type Figures, unsignedConditionOf } from "../../daemon/program/components.js";
import { type Face, missingFace, type OpenedFace } from "../../daemon/program/face.js";
import { SCRIPT_WEIGHT } from "../../daemon/store/read-allowance.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { finishReply } from "../../protocol/lazy-replies.js";
import { array, type ErrorReply, NIL_ARRAY, type Reply } from "../../protocol/reply.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import type { PasswordSecrets } from "./password-secrets.js";
import { permissionWarning, readUsers, readUsersAgain } from "./read-users.js";
import { userFacesOf } from "./user-face.js";
import type { DaemonInterface } from "./user-listener.js";
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

  get figures(): Partial<Figures> {
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
    return new RecordedPath(backend, gateway, localUnits, connected);
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

/**
 * The path of commands that are applied in memory, in the turn in which they arrive. Only queries may take several
 * turns.
 */
export class LocalPath implements CommandPath, LocalData {
  readonly records = false;
  readonly localData: LocalData = this;
  readonly closedDates = null;
  readonly unsupported = ALL_COMMANDS_SUPPORTED;
  readonly others = null;
  /** The reply to a write never arrives later, so the sender's waiters are not used. */
  readonly send = this.execute;
  readonly appliesAhead = false;
  readonly decides = false;
  readonly #backend: MemoryBackend;
  readonly #units: LocalUnits;

  constructor(backend: MemoryBackend, units: LocalUnits) {
    this.#backend = backend;
    this.#units = units;
  }

  get databases(): number {
    return this.#backend.databases;
  }

  writesDecided(): boolean {
    return false;
  }

  get changes(): KeyChangeObservers {
    return this.#backend.changes;
  }

  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    const reply = this.#backend.run(command, argv, this.#units.joined(sender), sender.now);
    if (command.group === "dbsync") this.#units.part();
    return reply;
  }

  inspect(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    return this.execute(command, argv, sender);
  }

  whenSafe(reply: Reply): Reply {
    return reply;
  }

  /** Runs a command as `execute` does, but always in this turn. */
  protected executeNow(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply {
    const reply = this.#backend.runNow(command, argv, this.#units.joined(sender), sender.now);
    if (command.group === "dbsync") this.#units.part();
    return finishReply(reply);
  }

  executeTogether(
    calls: readonly CheckedCommand[],
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply {
    if (!this.hold(conditions)) return NIL_ARRAY;
    return this.sharing(() =>
      array(calls.map(({ command, argv }) => this.executeNow(command, argv, sender))),
    );
  }

  sharing<Result>(run: () => Result): Result | ErrorReply {
    return this.#backend.asUnit(run);
  }

  executeInSteps(
    program: (run: StepRunner) => Reply,
    conditions: readonly Condition[],
    { now, as, isStable, lastWrite, readsAll, encoding }: CommandSender,
  ): Reply {
    if (!this.hold(conditions)) return NIL_ARRAY;
    const sender = { db: 0, now, as, isStable, lastWrite, readsAll, encoding };
    const run = () =>
      program((command, argv, db) => {
        sender.db = db;
        return this.executeNow(command, argv, sender);
      });
    return this.#backend.asUnit(run, SCRIPT_WEIGHT);
  }

  get expiredKeys(): number {
    return this.#backend.expiredKeys;
  }

  get keyCounts(): readonly KeyCounts[] {
    return this.#backend.keyCounts;
  }

  observeWrites(observer: WriteObserver): void {
    this.#backend.observer = observer;
  }

  writersOf(db: number, keys: readonly ByteString[]): Writers {
    this.#units.part();
    return keys.map((key) => this.#backend.writerOf(db, key));
  }

  hold(conditions: readonly Condition[]): boolean {
    return conditions.every(({ db, key, writer }) => this.#backend.writerOf(db, key) === writer);
  }
}

/**
 * The path of commands while this daemon may still be fetching its documents. Document commands are refused until it
 * has fetched them.
 */
class LoadingPath extends LocalPath {
  readonly #backend: MemoryBackend;

  constructor(backend: MemoryBackend, units: LocalUnits) {
    super(backend, units);
    this.#backend = backend;
  }

  override execute(
    command: Command,
    argv: readonly ByteString[],
    sender: CommandSender,
  ): Reply | Promise<Reply> {
    return this.#backend.refusalOf(command) ?? super.execute(command, argv, sender);
  }

  protected override executeNow(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply {
    return this.#backend.refusalOf(command) ?? super.executeNow(command, argv, sender);
  }
}
