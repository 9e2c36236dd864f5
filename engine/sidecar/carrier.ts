/**
 * The client library as this daemon uses it: commands go out signed with its key to all daemons, those that come together in
 * one envelope, in the order in which they came.
 */
import type { Carrying } from "../../client/calls/pending-call.js";
import type { FanOutClient } from "../../client/fan-out-client.js";
import type { CallSettings } from "../../client/settings/call-options.js";
import type { EnvelopeOptions } from "../../client/settings/header-options.js";
import { companyOf, isReadCommand } from "../../client/shared/command.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import { DATABASES_DEFAULT } from "../../store/database.js";

type Argv = readonly ByteString[];

/** Until what is to be final is given up: the daemons' window, and then their reports. */
const STABLE_TIMEOUT_MS = 60_000;

/** For whom a command goes out. */
export interface CarriedFor {
  readonly db: number;
  /** Whether the answer waits until the place of the write is final. */
  readonly isStable: boolean;
  /** As of CommandSender. */
  readonly watched?: { readonly size: number };
}

export class Carrier {
  readonly #client: FanOutClient;
  readonly #settings: CallSettings;
  /** One for each database, as calls that have the same share envelopes. */
  #ofDatabases: CallSettings[] = [];
  /** Milliseconds that a command may take. */
  #timeout = 0;

  constructor(client: FanOutClient, settings: CallSettings) {
    this.#client = client;
    this.#settings = settings;
    this.timeout = settings.timeout;
  }

  get timeout(): number {
    return this.#timeout;
  }

  set timeout(timeout: number) {
    this.#timeout = timeout;
    this.#ofDatabases = Array.from({ length: DATABASES_DEFAULT }, (_, db) => ({
      ...this.#settings,
      timeout,
      envelope: db === 0 ? null : headerOf(db),
    }));
  }

  /** Whether any daemon may be reached, as far as is known. */
  get isReachable(): boolean {
    return this.#client.isReachable;
  }

  /** @param argv  name first */
  send(argv: Argv, sender: CarriedFor, carrying: Carrying): void {
    const company = companyOf(argv);
    const settings = this.#settingsFor(sender);
    const isWatching = company === "reads" && sender.watched !== undefined && sender.watched.size > 0;
    this.#client.carry(writeCommand(argv), company, isWatching ? watching(settings) : settings, carrying);
  }

  /** Several as one unit, if all conditions hold. */
  sendTogether(
    commands: readonly Argv[],
    conditions: readonly Condition[],
    sender: CarriedFor,
    carrying: Carrying,
  ): void {
    const settings = this.#settingsFor(sender);
    const header = settings.envelope ?? headerOf(sender.db);
    const envelope = { ...header, multi: true, if: conditions.length === 0 ? null : conditions };
    const company = commands.every(isReadCommand) ? "reads" : "writes";
    this.#client.carry(commands.map(writeCommand), company, { ...settings, envelope }, carrying);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #settingsFor({ db, isStable }: CarriedFor): CallSettings {
    const settings = this.#ofDatabases[db] ?? { ...this.#settings, envelope: headerOf(db) };
    if (!isStable) return settings;
    const envelope = { ...headerOf(db), wait: { kind: "stable" } as const };
    return { ...settings, timeout: STABLE_TIMEOUT_MS, envelope };
  }
}

function headerOf(db: number): EnvelopeOptions {
  return { db, if: null, after: null, only: null };
}

/**
 * Of what a connection with watched keys reads: without a policy what a majority answers alike. Two majorities share a daemon, so the
 * value is no older than the writers that WATCH saw; an older one would pass for the one that the condition names.
 */
const watching = (settings: CallSettings): CallSettings =>
  settings.policy === "usual" ? { ...settings, policy: "majority" } : settings;
