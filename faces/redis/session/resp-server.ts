/** The state that all connections of the RESP listener share, except the databases. */
import type {
  CheckedCommand,
  CommandPath,
  WriteObserver,
} from "../../../daemon/engine/backends/command-path.js";
import type {
  EventObserver,
  KeyChangeObservers,
} from "../../../daemon/engine/backends/key-change-observers.js";
import type { Channels } from "../../../daemon/engine/channels/channels.js";
import { shortened, withoutSecrets } from "../../../daemon/engine/slow-log/slow-log.js";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { type EventFlags, NO_EVENTS } from "../../../daemon/options/event-flags.js";
import { ENCODING_LIMITS } from "../../../daemon/store/keyspace/encoding-name.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { quotedArgument } from "../../../protocol/resp/inline-command.js";
import { ShortStrings } from "../../../protocol/resp/resp-reader.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { DaemonInterface, UserSocketHost } from "../../users/user-listener.js";
import { argumentBytes } from "../bytes/reply-bytes.js";
import { Scripts } from "../scripts/scripts.js";
import { type Client, Clients } from "./clients.js";
import { type CommandCounts, LoadSamples } from "./command-counts.js";
import { DeniedLog } from "./denied-log.js";
import { PutBackRetries } from "./put-back-retries.js";
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
export interface ExecutedCommand {
  readonly command: Command;
  readonly argv: readonly ByteString[];
  readonly client: Client;
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
  readonly putBackRetries: PutBackRetries;
  /** The connections that receive every command (MONITOR). */
  readonly monitors = new Set<Client>();
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
    this.putBackRetries = new PutBackRetries(environment);
    this.load = new LoadSamples(environment, this, () => daemon.memory.used);
    path.observeWrites(this);
  }

  /** Returns the number of a new connection. */
  nextId(): number {
    return ++this.#lastId;
  }

  written(command: Command, argv: readonly ByteString[], db: number, reply: Reply): void {
    this.waitingClients.written(command, argv, db, reply);
  }

  get awaits(): boolean {
    return this.waitingClients.size > 0;
  }

  sent(calls: readonly CheckedCommand[], db: number): void {
    this.waitingClients.sent(calls, db);
  }

  changed(): void {
    this.waitingClients.changed();
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
  showScript(command: Command, argv: readonly ByteString[], client: Client): boolean {
    if (command.runsScript === true) this.show(command, argv, client);
    return command.runsScript === true;
  }

  /**
   * Shows a command to the monitors after it has run; EXEC is shown after its commands. @param from  an address, or
   * `lua`
   */
  show(command: Command, argv: readonly ByteString[], { db, remote }: Client, from = remote): void {
    // As in Redis, monitors see neither administrators' commands nor QUIT.
    if (command.flags.includes("admin") || command.name === "QUIT") return;
    const microseconds = Math.round(this.environment.clock() * 1000);
    const at = `${Math.floor(microseconds / 1e6)}.${String(microseconds % 1e6).padStart(6, "0")}`;
    const shown = argumentBytes(argv) > SHOWN_BYTES_MAX ? shortened(argv) : argv;
    const words = withoutSecrets(command, shown).map(quotedArgument).join(" ");
    const line = `+${at} [${db} ${from}] ${words}\r\n`;
    for (const monitor of this.monitors) monitor.push(line);
  }

  /** Logs a command if its time exceeds the limits. */
  logSlow({ command, argv, client, milliseconds }: ExecutedCommand): void {
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

type PauseMode = "all" | "write";

/** The pause of CLIENT PAUSE: for a given time, all commands wait, or only those that may write. */
class ClientPause {
  readonly #environment: Environment;
  readonly #held = new Set<() => void>();
  /** The mode of the current pause, or null if there is no pause. */
  mode: PauseMode | null = null;
  /** The uptime in milliseconds when the pause ends. */
  #until = 0;
  #cancel: () => void = () => {};

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The number of connections that wait for the end of the pause. */
  get held(): number {
    return this.#held.size;
  }

  /** Begins a pause. A current pause that lasts longer, or covers all commands, is not shortened or reduced. */
  begin(mode: PauseMode, milliseconds: number): void {
    if (this.mode !== "all") this.mode = mode;
    this.#until = Math.max(this.#until, this.#environment.uptime() + milliseconds);
    this.#cancel();
    this.#cancel = this.#environment.setTimer(this.#until - this.#environment.uptime(), this.end);
  }

  readonly end = (): void => {
    this.#cancel();
    this.mode = null;
    this.#until = 0;
    const held = [...this.#held];
    this.#held.clear();
    for (const resume of held) resume();
  };

  /** Registers a function to call when the pause ends. */
  hold(resume: () => void): void {
    this.#held.add(resume);
  }

  forget(resume: () => void): void {
    this.#held.delete(resume);
  }
}

/**
 * Keyspace notifications: events about keys, published on channels of this daemon only. An event is published once,
 * when the command first runs here. Source: redis-server 7.0, notify.c.
 */
export class KeyspaceNotices implements EventObserver {
  readonly #changes: KeyChangeObservers | null;
  readonly #channels: Channels;
  #flags = NO_EVENTS;

  /** @param changes  the source of key changes, or null if key changes are not known here */
  constructor(changes: KeyChangeObservers | null, channels: Channels) {
    this.#changes = changes;
    this.#channels = channels;
  }

  /** Whether events can be observed here. */
  get isPossible(): boolean {
    return this.#changes !== null;
  }

  get flags(): EventFlags {
    return this.#flags;
  }

  set flags(flags: EventFlags) {
    this.#flags = flags;
    if (flags.classes.size > 0 && (flags.byKey || flags.byEvent)) this.#changes?.observeEvents(this);
    else this.#changes?.forget(this);
  }

  readonly event: EventObserver["event"] = (kind, name, db, key) => {
    const { classes, byKey, byEvent } = this.#flags;
    if (!classes.has(kind)) return;
    if (byKey) this.#publish(`__keyspace@${db}__:${key}`, name);
    if (byEvent) this.#publish(`__keyevent@${db}__:${name}`, key);
  };

  /** Publishes to this daemon's own subscribers. */
  #publish(channel: ByteString, text: ByteString): void {
    this.#channels.publishLocally({ kind: "channel", channel, text });
  }
}

/** Maximum number of samples of an event. */
const SAMPLES_MAX = 160;

interface LatencySample {
  /** The time in Unix seconds. */
  readonly at: number;
  readonly milliseconds: number;
}

interface LatencyEvent {
  /** The samples, oldest first. */
  readonly samples: readonly LatencySample[];
  readonly highest: number;
}

/**
 * Samples of slow commands for the LATENCY commands. For each event, the newest samples are stored, with only the
 * highest one of each second.
 */
class LatencyLog {
  readonly #events = new Map<string, { samples: LatencySample[]; highest: number }>();

  get events(): ReadonlyMap<string, LatencyEvent> {
    return this.#events;
  }

  /** Adds a sample. @param milliseconds  is rounded down */
  add(name: string, at: number, milliseconds: number): void {
    const rounded = Math.floor(milliseconds);
    const event = this.#events.get(name) ?? { samples: [], highest: 0 };
    this.#events.set(name, event);
    event.highest = Math.max(event.highest, rounded);
    const last = event.samples.at(-1);
    if (last?.at === at) event.samples.pop();
    event.samples.push({ at, milliseconds: Math.max(rounded, last?.at === at ? last.milliseconds : 0) });
    if (event.samples.length > SAMPLES_MAX) event.samples.shift();
  }

  /** Removes events. @param names  the events; if empty, all events @returns the number of removed events */
  reset(names: readonly string[]): number {
    if (names.length > 0) return names.filter((name) => this.#events.delete(name)).length;
    const { size } = this.#events;
    this.#events.clear();
    return size;
  }
}
