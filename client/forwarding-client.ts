/**
 * The client of a program that forwards commands as bytes, such as `dbsyncd -d dbsync`. It signs them with its key and
 * sends them to all daemons in order. Commands that arrive together share an envelope.
 */
import { type ByteString, bytesOfText } from "../protocol/byte-string.js";
import { type ErrorReply, error } from "../protocol/reply.js";
import { writeCommand } from "../protocol/resp/resp-writer.js";
import type { Condition } from "../protocol/version-2/envelope.js";
import type { ReplyHandlers } from "./calls/pending-call.js";
import { openClient } from "./dbsync-send.js";
import type { OutboxClient } from "./outbox-client.js";
import type { CallSettings } from "./settings/call-options.js";
import { readSendOptions, type SendOptions } from "./settings/client-settings.js";
import { readDefaults } from "./settings/default-options.js";
import type { EnvelopeOptions } from "./settings/header-options.js";
import { type ClientEnvironment, realClientEnvironment } from "./shared/client-environment.js";
import { commandKindOf, isReadCommand } from "./shared/command-bytes.js";
import type { CommandKind } from "./shared/commands.js";
import { DbsyncError } from "./shared/errors.js";

export type { ReplyHandlers };

type Argv = readonly ByteString[];

/**
 * The timeout of a write that must become final. It covers the daemons' window of dates, and the daemons' reports after
 * that window.
 */
const STABLE_TIMEOUT_MS = 60_000;

/** The number of databases whose settings are cached. */
const CACHED_DATABASES = 16;

/**
 * An environment that delays signing until the client has read the commands that have already arrived from all
 * connections, because one envelope for many commands is far cheaper than one for each.
 */
const ENVIRONMENT: ClientEnvironment = { ...realClientEnvironment, soon: (run) => void setImmediate(run) };

/** An environment without defaults: it has no variables and no dbsync.ini. */
const NOTHING = { folder: "", home: "", system: "" };

/** The connection that a command comes from. */
export interface ForwardingSender {
  readonly db: number;
  /** Whether the daemon answers only once the position of the write is final. */
  readonly isStable: boolean;
  /** The keys that the connection watches. */
  readonly watched?: { readonly size: number };
}

export class ForwardingClient {
  readonly #client: OutboxClient;
  readonly #settings: CallSettings;
  /**
   * The settings by database. They are cached because calls share an envelope only if they have the same settings
   * object.
   */
  #ofDatabases: CallSettings[] = [];
  /** The timeout of a command in milliseconds. */
  #timeout = 0;

  /**
   * Opens a client with only these options. It does not read environment variables such as DBSYNC_SERVERS, nor
   * dbsync.ini.
   * @param warned  receives warnings about the key
   * @throws DbsyncError  an option or a key that cannot be used
   */
  static open(
    options: SendOptions & { readonly servers: string },
    warned: (warning: string) => void,
  ): { carrier: ForwardingClient; fingerprint: string | null } {
    const variables = { DBSYNC_SERVERS: options.servers };
    const settings = readSendOptions(options, () => readDefaults({ ...NOTHING, variables }));
    const { client, key } = openClient(settings, warned, ENVIRONMENT, true);
    return { carrier: new ForwardingClient(client, settings), fingerprint: key.fingerprint };
  }

  constructor(client: OutboxClient, settings: CallSettings) {
    this.#client = client;
    this.#settings = settings;
    this.timeout = settings.timeout;
  }

  get timeout(): number {
    return this.#timeout;
  }

  set timeout(timeout: number) {
    this.#timeout = timeout;
    this.#ofDatabases = Array.from({ length: CACHED_DATABASES }, (_, db) => ({
      ...this.#settings,
      timeout,
      envelope: db === 0 ? null : headerOf(db),
    }));
  }

  /** Whether a daemon is reachable, as far as is known. */
  get isReachable(): boolean {
    return this.#client.isReachable;
  }

  /** Sends one command. @param argv  the command's name, then its arguments */
  send(argv: Argv, sender: ForwardingSender, carrying: ReplyHandlers): void {
    const commandKind = commandKindOf(argv);
    const settings = this.#settingsFor(sender, commandKind);
    const isWatching = commandKind === "reads" && sender.watched !== undefined && sender.watched.size > 0;
    const used = isWatching ? watching(settings) : settings;
    this.#client.forward(argv, writeCommand(argv), commandKind, used, carrying);
  }

  /** Sends several commands as one unit, which is applied only if all conditions hold. */
  sendTogether(
    commands: readonly Argv[],
    conditions: readonly Condition[],
    sender: ForwardingSender,
    carrying: ReplyHandlers,
  ): void {
    const commandKind = commands.every(isReadCommand) ? "reads" : "writes";
    const settings = this.#settingsFor(sender, commandKind);
    const header = settings.envelope ?? headerOf(sender.db);
    const envelope = { ...header, multi: true, if: conditions.length === 0 ? null : conditions };
    const bytes = commands.map(writeCommand);
    this.#client.forward(commands, bytes, commandKind, { ...settings, envelope }, carrying);
  }

  /**
   * Sends reads as one unit. Their replies are those that more than half of the daemons have sent, regardless of the
   * client's policy.
   */
  readTogether(commands: readonly Argv[], sender: ForwardingSender, carrying: ReplyHandlers): void {
    const settings = this.#settingsFor(sender, "reads");
    const envelope = { ...headerOf(sender.db), multi: true };
    const bytes = commands.map(writeCommand);
    this.#client.forward(commands, bytes, "reads", { ...settings, policy: "majority", envelope }, carrying);
  }

  /** Sends several commands as one unit on which the members of a list decide, regardless of the client's policy. */
  decideTogether(
    commands: readonly Argv[],
    conditions: readonly Condition[],
    sender: ForwardingSender,
    carrying: ReplyHandlers,
  ): void {
    const settings = this.#settingsFor(sender, "writes");
    const header = settings.envelope ?? headerOf(sender.db);
    const envelope = { ...header, multi: true, if: conditions };
    const bytes = commands.map(writeCommand);
    this.#client.forward(commands, bytes, "writes", { ...settings, policy: "usual", envelope }, carrying);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** Only writes wait until they are final: daemons refuse to wait for an envelope that they do not record. */
  #settingsFor({ db, isStable }: ForwardingSender, commandKind: CommandKind): CallSettings {
    const settings = this.#ofDatabases[db] ?? { ...this.#settings, envelope: headerOf(db) };
    if (!isStable || commandKind !== "writes") return settings;
    const envelope = { ...headerOf(db), wait: { kind: "stable" } as const };
    return { ...settings, timeout: STABLE_TIMEOUT_MS, envelope };
  }
}

function headerOf(db: number): EnvelopeOptions {
  return { db, if: null, after: null, only: null };
}

/**
 * Returns the settings of a read for a connection with watched keys. Unless a policy is set, the read needs the answer
 * of a majority. Two majorities share a daemon, so the value is no older than the last writers that WATCH has read.
 * Otherwise the client could read an older value, although the condition of its transaction names the newer writer.
 */
const watching = (settings: CallSettings): CallSettings =>
  settings.policy === "usual" ? { ...settings, policy: "majority" } : settings;

/** Returns the error that the daemons replied to a command, or null if the call failed for another reason. */
export function repliedError(problem: Error): ErrorReply | null {
  if (!(problem instanceof DbsyncError) || problem.code !== "reply") return null;
  const failed = problem.outcomes.find((outcome) => outcome.status === "failed" && outcome.stage === "reply");
  return failed?.status === "failed" ? error(bytesOfText(failed.detail)) : null;
}
