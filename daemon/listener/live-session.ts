/**
 * The subscriptions of a connection of version 2: messages on channels, and key changes. The client receives both as
 * events between the answers. Rights are checked when the client subscribes, and again whenever the key's record has
 * changed.
 * Source: docs/protocol-v2.md "Events".
 */

import type { ByteString } from "../../protocol/byte-string.js";
import { writeFrame } from "../../protocol/frame.js";
import type { ChannelKind } from "../../protocol/members/subscriber-counts.js";
import { error, integer, type Reply } from "../../protocol/reply.js";
import { writeEvent, writeRefused } from "../../protocol/version-2/messages-v2.js";
import { refusalText } from "../engine/answers/refusals.js";
import type { Message, Subscriber } from "../engine/channels/channels.js";
import type { KeyWatcher, RemovalCause, WatchKind } from "../engine/channels/key-watchers.js";
import type { UnitListener, VerifiedEnvelope } from "../engine/pipeline/apply-units.js";
import type { ClientConnection } from "../net/connections/client-connection.js";
import type { KeyRecord, KeyRing } from "../store/key-ring.js";
import { refusalOf } from "../store/unit-permission.js";
import type { DbsyncServer, EventSources } from "./dbsync-server.js";

/** Maximum number of subscriptions of one connection. */
const SUBSCRIPTIONS_MAX = 10_000;
/** The approximate memory of a subscription in addition to its name, in bytes. */
const SUBSCRIPTION_BYTES = 200;
/** The number of changed keys in one turn above which a single event reports that all keys may have changed. */
const CHANGES_MAX = 10_000;

interface Changed {
  readonly db: number;
  readonly key: ByteString;
  readonly by: RemovalCause | null;
}

interface Subscription {
  readonly command: SubscriptionCommand;
  readonly db: number;
  readonly name: ByteString;
}

export class LiveSession implements Subscriber, KeyWatcher, UnitListener {
  readonly #sources: EventSources;
  readonly #server: DbsyncServer;
  readonly #connection: ClientConnection<Buffer>;
  readonly #subscriptions = new Map<string, Subscription>();
  /** The key whose rights apply, or null if the daemon has no keys or the connection has no subscriptions yet. */
  #record: KeyRecord | null = null;
  /** Changed keys that have not been reported yet, by database number and name. */
  readonly #changed = new Map<string, Changed>();
  /** Databases in which all keys may have changed, or null if there are none. */
  #replaced: ReadonlySet<number> | "all" | null = null;
  #isReportScheduled = false;
  /** The approximate memory of the subscriptions in bytes. */
  bytes = 0;

  constructor(sources: EventSources, server: DbsyncServer, connection: ClientConnection<Buffer>) {
    this.#sources = sources;
    this.#server = server;
    this.#connection = connection;
  }

  get isEmpty(): boolean {
    return this.#subscriptions.size === 0;
  }

  listen(verified: VerifiedEnvelope, ring: KeyRing | null): readonly Reply[] {
    const { envelope, signer } = verified;
    // Without `only`, an attacker could replay the same bytes to another daemon and subscribe there.
    if (envelope.only === null) return envelope.commands.map(() => FOR_ONE);
    if (this.#record !== null && this.#record.id !== signer?.id)
      return envelope.commands.map(() => OTHER_KEY);
    this.#record = (signer === null ? null : ring?.find(signer.id)) ?? signer;
    return envelope.commands.map((argv) => this.#take(argv, verified, ring));
  }

  receive(message: Message): void {
    if (this.#isPermitted()) this.#push(message.event);
  }

  miss(): void {
    this.#sendEvent(["gap", "members"]);
  }

  /** Does nothing. Only users' rights are reviewed; a key's rights are checked whenever an event is sent. */
  review(): void {}

  keyChanged(db: number, key: ByteString, by: RemovalCause | null): void {
    if (this.#replaced === "all" || this.#replaced?.has(db)) return;
    if (this.#changed.size >= CHANGES_MAX) this.allChanged(new Set([db]));
    else {
      const before = this.#changed.get(`${db} ${key}`);
      this.#changed.set(`${db} ${key}`, { db, key, by: by ?? before?.by ?? null });
    }
    this.#reportSoon();
  }

  allChanged(dbs: ReadonlySet<number> | null): void {
    if (dbs === null || this.#replaced === "all") this.#replaced = "all";
    else this.#replaced = new Set([...(this.#replaced ?? []), ...dbs]);
    this.#reportSoon();
  }

  /** Ends all subscriptions, because the connection was closed or the key has lost its rights. */
  clear(): void {
    for (const subscription of this.#subscriptions.values()) this.#remove(subscription);
    this.#subscriptions.clear();
    this.bytes = 0;
  }

  #take(argv: readonly ByteString[], { envelope }: VerifiedEnvelope, ring: KeyRing | null): Reply {
    const command = subscriptionCommandOf(argv);
    if (command === null) return NOT_A_SUBSCRIPTION;
    const { db } = envelope;
    const names = argv.slice(1);

    if (!command.subscribes) {
      for (const name of names) this.#unsubscribe({ command, db, name });
      return integer(this.#subscriptions.size);
    }

    if (command.target === "keys" && this.#sources.keys === null) return NO_KEYS;
    const denial = ring === null ? null : this.#denial(argv, command, ring, envelope.at);
    if (denial !== null) return denial;
    if (this.#subscriptions.size + names.length > SUBSCRIPTIONS_MAX) return TOO_MANY;

    for (const name of names) this.#subscribe({ command, db, name });
    return integer(this.#subscriptions.size);
  }

  #denial(
    argv: readonly ByteString[],
    command: SubscriptionCommand,
    ring: KeyRing,
    at: number,
  ): Reply | null {
    const record = this.#record as KeyRecord;
    if (command.target === "channels")
      return refusalOf(
        { key: record.id, at, commands: [argv], conditions: null, needsDaemon: false },
        record,
        ring,
      );
    const { acl } = record;
    const isHidden = (name: ByteString) =>
      command.kind === "key" ? !acl.mayRead(name) : !acl.mayReadBeginning(name);
    return argv.slice(1).some(isHidden) ? MAY_NOT_READ : null;
  }

  #subscribe(subscription: Subscription): void {
    const { command, db, name } = subscription;
    const id = idOf(subscription);
    if (this.#subscriptions.has(id)) return;
    this.#subscriptions.set(id, subscription);
    this.bytes += SUBSCRIPTION_BYTES + name.length;
    const { channels, keys } = this.#sources;
    if (command.target === "channels") channels.add(command.kind as ChannelKind, name, this);
    else keys?.add(command.kind as WatchKind, db, name, this);
  }

  #unsubscribe(subscription: Subscription): void {
    const id = idOf(subscription);
    if (!this.#subscriptions.delete(id)) return;
    this.bytes -= SUBSCRIPTION_BYTES + subscription.name.length;
    this.#remove(subscription);
  }

  #remove({ command, db, name }: Subscription): void {
    const { channels, keys } = this.#sources;
    if (command.target === "channels") channels.remove(command.kind as ChannelKind, name, this);
    else keys?.remove(command.kind as WatchKind, db, name, this);
  }

  /**
   * Schedules a report after the unit is complete, because other connections must not see an intermediate state.
   */
  #reportSoon(): void {
    if (this.#isReportScheduled) return;
    this.#isReportScheduled = true;
    setImmediate(this.#reportChanges);
  }

  readonly #reportChanges = (): void => {
    this.#isReportScheduled = false;
    const changed = [...this.#changed.values()];
    const replaced = this.#replaced;
    this.#changed.clear();
    this.#replaced = null;
    if (this.isEmpty || !this.#isPermitted()) return;
    if (replaced !== null)
      this.#sendEvent(["gap", "keys", ...(replaced === "all" ? [] : [[...replaced].join(" ")])]);
    for (const { db, key, by } of changed)
      if (replaced !== "all" && !replaced?.has(db))
        this.#sendEvent([this.#sources.exists(db, key) ? "changed" : (by ?? "deleted"), String(db), key]);
  };

  #sendEvent(args: readonly ByteString[]): void {
    this.#push(writeFrame(writeEvent(args), 2));
  }

  /** Returns whether the key still has the rights for its subscriptions; otherwise closes the connection. */
  #isPermitted(): boolean {
    const before = this.#record;
    const { signers, acceptsUnsigned } = this.#server.service.pipeline;
    const ring = signers?.ring ?? null;
    if (before === null && ring === null) return acceptsUnsigned || this.#end();

    const record = before === null ? undefined : ring?.find(before.id);
    const now = this.#server.host.environment.clock();
    if (ring === null || record === undefined || ring.validity(record, now) !== "valid") return this.#end();
    if (record === before) return true;

    this.#record = record;
    for (const { command, name } of this.#subscriptions.values())
      if (this.#denial([command.name, name], command, ring, now) !== null) return this.#end();
    return true;
  }

  #end(): false {
    if (this.isEmpty) return false;
    this.#close("no-longer-permitted", "its key was revoked or has expired, or its rules were changed");
    return false;
  }

  /** Sends a frame between the answers. Closes the connection if the client does not read its events. */
  #push(frame: ByteString): void {
    const connection = this.#connection;
    connection.push(frame);
    const bytes = connection.socket.writableLength;
    if (bytes > this.#server.host.limits.maxEventBytes)
      this.#close("events-not-taken", `${bytes} bytes are pending`);
  }

  #close(code: "events-not-taken" | "no-longer-permitted", detail: string): void {
    const sentence = refusalText(code);
    const clock = this.#server.host.environment.clock();
    const refusal = writeRefused({ id: "", code, sentence, clock, effect: "not-applied" });
    this.clear();
    this.#connection.drop(code, detail, writeFrame(refusal, 2));
  }
}

const idOf = ({ command, db, name }: Subscription): string =>
  `${command.kind} ${command.target === "keys" ? db : ""} ${name}`;

/** Refuses subscriptions if the daemon has no events. */
export const NO_EVENTS_LISTENER: UnitListener = {
  listen: ({ envelope }) => envelope.commands.map(() => NO_EVENTS),
};

const NO_EVENTS = error("ERR this daemon has no events: its databases do not report changes");
const FOR_ONE = error('ERR a subscription requires a header that names this daemon ("only")');
const OTHER_KEY = error("ERR another key has subscribed on this connection");
const NOT_A_SUBSCRIPTION = error(
  "ERR expected SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, WATCH, WATCHPREFIX or the corresponding UN… command, with names",
);
const NO_KEYS = error("ERR the database of this daemon does not report which keys change");
const TOO_MANY = error(`ERR a connection may have at most ${SUBSCRIPTIONS_MAX} subscriptions`);
const MAY_NOT_READ = error("NOPERM this key may not read all keys that the command names");

/** A command in an envelope that subscribes to events or unsubscribes from them. */
interface SubscriptionCommand {
  /** The command's name. */
  readonly name: string;
  readonly target: "channels" | "keys";
  readonly kind: ChannelKind | WatchKind;
  /** Whether the command subscribes; otherwise it unsubscribes. */
  readonly subscribes: boolean;
}

const subscribeAndUnsubscribe = (
  name: string,
  target: SubscriptionCommand["target"],
  kind: SubscriptionCommand["kind"],
): [string, SubscriptionCommand][] => [
  [name, { name, target, kind, subscribes: true }],
  [name.replace(/^(P|S)?(SUBSCRIBE|WATCH)/, "$1UN$2"), { name, target, kind, subscribes: false }],
];

const COMMANDS: ReadonlyMap<string, SubscriptionCommand> = new Map([
  ...subscribeAndUnsubscribe("SUBSCRIBE", "channels", "channel"),
  ...subscribeAndUnsubscribe("PSUBSCRIBE", "channels", "pattern"),
  ...subscribeAndUnsubscribe("SSUBSCRIBE", "channels", "shard"),
  ...subscribeAndUnsubscribe("WATCH", "keys", "key"),
  ...subscribeAndUnsubscribe("WATCHPREFIX", "keys", "prefix"),
]);

/** Returns the properties of a command, or null for a command of another kind or without arguments. */
function subscriptionCommandOf(argv: readonly ByteString[]): SubscriptionCommand | null {
  return argv.length < 2 ? null : (COMMANDS.get((argv[0] as ByteString).toUpperCase()) ?? null);
}
