/** The state that all connections of the RESP listener share, except the databases. */
import type {
  CheckedCommand,
  CommandPath,
  WriteObserver,
} from "../../../daemon/engine/backends/command-path.js";
import type { Channels } from "../../../daemon/engine/channels/channels.js";
import { shortenedCommand, withoutSecrets } from "../../../daemon/engine/slow-log/shown-command.js";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { ENCODING_LIMITS } from "../../../daemon/store/keyspace/encoding-name.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { FoldedEntry } from "../../../daemon/timeline/fold/fold.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { quotedArgument } from "../../../protocol/resp/inline-command.js";
import { ShortStrings } from "../../../protocol/resp/resp-reader.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { DaemonInterface } from "../../users/daemon-interface.js";
import type { UserSocketHost } from "../../users/user-listener.js";
import { argumentBytes } from "../bytes/reply-bytes.js";
import { Scripts } from "../scripts/scripts.js";
import { ClientPause } from "./client-pause.js";
import { Clients, type RedisClient } from "./clients.js";
import { type CommandCounts, LoadSamples } from "./command-counts.js";
import { DeniedLog } from "./denied-log.js";
import { KeyspaceNotices } from "./keyspace-notices.js";
import { LatencyLog } from "./latency-log.js";
import { TrackingTable } from "./tracking-table.js";
import { WaitingClients } from "./waiting-clients.js";
import { AbsentKeys } from "./watched-keys.js";

const RUN_ID_BYTES = 20;
/**
 * Maximum number of error kinds that are counted by name, and maximum length of a name in bytes, because scripts can
 * choose both.
 */
const ERROR_KINDS_MAX = 128;
const ERROR_KIND_BYTES_MAX = 64;
/**
 * Maximum length in bytes of a command that monitors receive unabridged. Quoting makes a command up to four times as
 * long, and the length of a string is limited.
 */
const SHOWN_BYTES_MAX = 64 * 1024;

/** A command that has been run. */
export interface CompletedCommand {
  readonly command: Command;
  readonly argv: readonly ByteString[];
  readonly client: RedisClient;
  readonly milliseconds: number;
}

export class RespServer implements WriteObserver {
  /** The listener as its connections see it. CONFIG SET replaces its limits. */
  readonly host: UserSocketHost;
  readonly environment: Environment;
  readonly path: CommandPath;
  readonly daemon: DaemonInterface;
  readonly channels: Channels;
  readonly notices: KeyspaceNotices;
  readonly tracking: TrackingTable;
  readonly waitingClients: WaitingClients;
  readonly absentKeys: AbsentKeys;
  readonly scripts: Scripts;
  readonly strings = new ShortStrings();
  readonly runId: string;
  /** The uptime, in milliseconds, at which the listener started. */
  readonly startedAt: number;
  readonly clients = new Clients();
  readonly latency = new LatencyLog();
  readonly denied = new DeniedLog();
  readonly pause: ClientPause;
  readonly load: LoadSamples;
  /** The connections that receive every command (MONITOR). */
  readonly monitors = new Set<RedisClient>();
  /** The counts of all commands. */
  readonly counts: ReadonlyMap<Command, CommandCounts>;
  /** Values of CONFIG SET that are not stored elsewhere. */
  readonly settings = new Map<string, ByteString>();
  /** The limits that determine the names of encodings, as changed by CONFIG SET. */
  encoding = ENCODING_LIMITS;
  /** The number of errors by their first word. */
  readonly errors = new Map<string, number>();
  errorReplies = 0;
  commands = 0;
  inputBytes = 0;
  outputBytes = 0;
  /**
   * The start of the current command, as uptime in milliseconds. Commands follow one another directly, so one reading
   * of the clock ends a command and begins the next.
   */
  mark = 0;
  #lastId = 0;

  constructor(host: UserSocketHost, daemon: DaemonInterface, counts: ReadonlyMap<Command, CommandCounts>) {
    const { environment, path } = host;
    this.host = host;
    this.environment = environment;
    this.path = path;
    this.daemon = daemon;
    this.channels = daemon.channels;
    this.counts = counts;
    this.notices = new KeyspaceNotices(path.changes, daemon.channels);
    this.notices.flags = daemon.settings.notifyKeyspaceEvents;
    this.tracking = new TrackingTable(path.changes, this.clients);
    this.waitingClients = new WaitingClients(path, environment);
    this.absentKeys = new AbsentKeys(path);
    this.scripts = new Scripts(environment.uptime);
    this.runId = hexOf(environment.randomBytes(RUN_ID_BYTES));
    this.startedAt = environment.uptime();
    this.pause = new ClientPause(environment);
    this.load = new LoadSamples(environment, this, () => daemon.memory.used);
    path.observeWrites(this);
  }

  /** Returns the number of a new connection. */
  nextId(): number {
    return ++this.#lastId;
  }

  written(command: Command, argv: readonly ByteString[], db: number, reply: Reply): void {
    this.waitingClients.onWritten(command, argv, db, reply);
  }

  get awaits(): boolean {
    return this.waitingClients.size > 0;
  }

  sent(calls: readonly CheckedCommand[], db: number): void {
    this.waitingClients.onSent(calls, db);
  }

  decided(entries: readonly FoldedEntry[]): void {
    this.waitingClients.onDecided(entries);
  }

  changed(): void {
    this.waitingClients.markAllReady();
  }

  /** The current time in Unix seconds. */
  get seconds(): number {
    return Math.floor(this.environment.clock() / 1000);
  }

  /** Returns a number that CONFIG SET has set. @param fallback  used until then */
  numberOf(name: string, fallback: number): number {
    return Number(this.settings.get(name) ?? fallback);
  }

  failed(text: ByteString): void {
    this.errorReplies++;
    // As in Redis, an error that consists of one word counts as ERR.
    const end = text.indexOf(" ");
    const kind = end > 0 && end <= ERROR_KIND_BYTES_MAX ? text.slice(0, end) : "ERR";
    const count = this.errors.get(kind) ?? 0;
    if (count > 0 || this.errors.size < ERROR_KINDS_MAX) this.errors.set(kind, count + 1);
  }

  /** Shows a command to the monitors before it runs, if it runs a script. @returns whether it runs a script */
  showScript(command: Command, argv: readonly ByteString[], client: RedisClient): boolean {
    if (command.runsScript === true) this.show(command, argv, client);
    return command.runsScript === true;
  }

  /**
   * Shows a command to the monitors after it has run; EXEC is shown after its commands. @param from  an address, or
   * `lua`
   */
  show(command: Command, argv: readonly ByteString[], { db, remote }: RedisClient, from = remote): void {
    // As in Redis, monitors see neither administrators' commands nor QUIT.
    if (command.flags.includes("admin") || command.name === "QUIT") return;
    const microseconds = Math.round(this.environment.clock() * 1000);
    const at = `${Math.floor(microseconds / 1e6)}.${String(microseconds % 1e6).padStart(6, "0")}`;
    const shown = argumentBytes(argv) > SHOWN_BYTES_MAX ? shortenedCommand(argv) : argv;
    const words = withoutSecrets(command, shown).map(quotedArgument).join(" ");
    const line = `+${at} [${db} ${from}] ${words}\r\n`;
    for (const monitor of this.monitors) monitor.push(line);
  }

  /** Logs a command if its time exceeds the limits. */
  logSlow({ command, argv, client, milliseconds }: CompletedCommand): void {
    const { limits } = this.host;
    if (milliseconds >= limits.slowlogTime && isLogged(command)) {
      const { remote, name } = client;
      const microseconds = Math.round(milliseconds * 1000);
      this.daemon.slowLog.add(
        { at: this.seconds, microseconds, argv: withoutSecrets(command, argv), remote, name },
        limits.slowlogLength,
      );
    }

    if (limits.latencyTime > 0 && milliseconds >= limits.latencyTime) {
      const event = command.flags.includes("fast") ? "fast-command" : "command";
      this.latency.add(event, this.seconds, milliseconds);
    }
  }

  /** Resets the counters of INFO. */
  resetCounts(): void {
    for (const counts of this.counts.values()) counts.reset();
    this.errors.clear();
    this.errorReplies = 0;
    this.commands = 0;
    this.inputBytes = 0;
    this.outputBytes = 0;
    this.clients.total = 0;
  }
}

/** Returns whether a command appears in the slow log. EXEC does not, but its commands do. */
function isLogged({ name }: Command): boolean {
  return name !== "EXEC";
}
