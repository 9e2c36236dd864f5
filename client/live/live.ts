/**
 * The subscriptions of a client, at one daemon; when that one is lost, at the next. Each iterator receives the
 * address of its daemon, and each gap. Loaded with the first `subscribe` or `watch`.
 */
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { writeFrame } from "../../protocol/frame.js";
import type { Reply } from "../../protocol/reply.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { bytesOfHex, HASH_BYTES, hexOf, SEQ_MAX, signedBytes } from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import {
  type DaemonMessage,
  type EnvelopeDate,
  type EventMessage,
  type Hello,
  KNOWS_LISTEN,
  type ResultMessage,
  readToldMessage,
  writeListen,
} from "../../protocol/version-2/messages-v2.js";
import { BackOff } from "../shared/back-off.js";
import type { Environment, Timer } from "../shared/environment.js";
import { DbsyncError, type Stage } from "../shared/errors.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { Address } from "../shared/servers.js";
import { ConnectionV2, type ConnectionV2Owner } from "../version-2/connection-v2.js";
import { clusterNamed, disagreement, finalRefusal, unsignedWords } from "../version-2/signing-terms.js";
import type { EventQueue } from "./event-queue.js";
import type { GapEvent, LiveEvent } from "./live-event.js";

/** The interval of hellos, which the daemon answers. */
const ASK_EVERY_MS = 5_000;
/** A daemon that is silent for this long counts as lost. */
const SILENT_MS = 12_000;
/** Commands of one envelope. */
const ASKED_AT_ONCE = 1_000;

/** A subscription. */
export interface Wanted {
  /** The command, such as SUBSCRIBE. */
  readonly word: string;
  readonly name: ByteString;
  readonly db: number;
  /** The index of its events, as `topicOf`; null: every event is checked. */
  readonly topic: string | null;
  /** Returns the event for the iterator; null: it belongs to another subscription. */
  readonly read: (words: readonly ByteString[]) => LiveEvent | null;
}

interface Listener extends Wanted {
  readonly queue: EventQueue<LiveEvent>;
}

/** The servers to listen to, and their cluster: hexadecimal digits, "" to ask for it. */
export interface LiveOptions {
  readonly servers: readonly Address[];
  readonly cluster: string;
}

export class Live {
  /** 32 bytes; empty: any. */
  cluster: ByteString;
  readonly #servers: readonly Address[];
  readonly #environment: Environment;
  readonly #sealer: Sealer;
  readonly #listeners = new Set<Listener>();
  /** The subscriptions by the index of their events. */
  readonly #byTopic = new Map<string | null, Set<Listener>>();
  #connection: LiveConnection | null = null;
  /** Index of the server to try next. */
  #next = 0;
  /** Servers that could not be reached in this round through the list. */
  #failures = 0;
  /** Whether all iterators have received the current gap. */
  #hasReportedLoss = false;
  readonly #backOff = new BackOff();
  #timer: Timer | null = null;

  constructor({ servers, cluster }: LiveOptions, environment: Environment, sealer: Sealer) {
    this.#servers = servers;
    this.#environment = environment;
    this.#sealer = sealer;
    this.cluster = unsignedWords(sealer) ? "" : (bytesOfHex(cluster, HASH_BYTES) ?? "");
  }

  listen<Event extends LiveEvent>(wanted: Wanted, queue: EventQueue<Event>): void {
    const listener: Listener = { ...wanted, queue: queue as unknown as EventQueue<LiveEvent> };
    this.#listeners.add(listener);
    const others = this.#byTopic.get(listener.topic);
    if (others === undefined) this.#byTopic.set(listener.topic, new Set([listener]));
    else others.add(listener);
    this.#hasReportedLoss = false;
    if (this.#connection?.isOpen) this.#ask([listener], this.#connection);
    else this.#connect();
  }

  forget(queue: object): void {
    for (const listener of this.#listeners) {
      if (listener.queue !== queue) continue;
      this.#remove(listener);
      this.#leave(listener);
    }
    if (this.#listeners.size === 0) this.#stop();
  }

  /** All iterators end. */
  close(): void {
    this.#failAll(new DbsyncError("closed", "it listens no more"));
  }

  greeted({ cluster }: Hello): void {
    this.cluster = cluster;
    this.#ask([...this.#listeners], this.#connection as LiveConnection);
  }

  receive(words: readonly ByteString[]): void {
    const [what, reason] = words;
    if (what !== "gap") {
      for (const topic of [topicOf(words), null])
        for (const { read, queue } of this.#byTopic.get(topic) ?? []) {
          const event = read(words);
          if (event !== null) queue.push(event);
        }
      return;
    }
    const isOfKeys = reason === "keys";
    const detail = isOfKeys ? "all keys may have changed" : "messages of other daemons may be missing";
    const gap = this.#gap(isOfKeys ? "keys" : "members", detail);
    for (const { word, queue } of this.#listeners) if (isOfKeys === word.startsWith("WATCH")) queue.push(gap);
  }

  lost(detail: string): void {
    const servers = this.#servers;
    const gap = this.#gap("lost", detail);
    const failed = this.#connection as LiveConnection;
    // One that greets and then refuses is no better than one that is not there.
    const wasOpen = failed.hasAnswered;
    this.#connection = null;
    this.#next = (servers.indexOf(failed.address) + 1) % servers.length;
    if (!wasOpen) this.#failures++;
    // No other server remains, and this one has said what it accepts.
    const refusal = this.#failures >= servers.length ? finalRefusal(detail, failed.address.text) : null;
    if (refusal !== null) {
      this.#failAll(refusal);
      return;
    }
    if (wasOpen || this.#failures >= servers.length) this.#reportLoss(gap);
    this.#connectLater(detail);
  }

  /** Reports a gap to all iterators, once for several attempts. */
  #reportLoss(gap: GapEvent): void {
    if (this.#hasReportedLoss) return;
    this.#hasReportedLoss = true;
    for (const { queue } of this.#listeners) queue.push(gap);
  }

  /** Connects to the next server, immediately unless all servers have been tried. */
  #connectLater(detail: string): void {
    const servers = this.#servers;
    if (this.#failures < servers.length) {
      this.#connect();
      return;
    }
    this.#failures = 0;
    const environment = this.#environment;
    this.#backOff.failed({ stage: "connect", detail }, environment.now(), environment.random());
    this.#timer?.cancel();
    this.#timer = environment.setTimer(this.#backOff.wait(environment.now()), () => {
      this.#timer = null;
      this.#connect();
    });
  }

  #connect(): void {
    if (this.#listeners.size === 0 || this.#connection !== null || this.#timer !== null) return;
    const address = this.#servers[this.#next] as Address;
    this.#connection = new LiveConnection(address, this.#environment, this.#sealer, this);
  }

  #ask(listeners: readonly Listener[], connection: LiveConnection): void {
    const byDb = new Map<number, Asking[]>();
    for (const listener of listeners) {
      const { word, name, db } = listener;
      const answered = (reply: Reply) => this.#answered(listener, reply, connection);
      const askings = byDb.get(db) ?? [];
      askings.push({ argv: [word, name], answered });
      byDb.set(db, askings);
    }
    for (const [db, askings] of byDb) connection.ask(askings, db);
  }

  #failAll(error: DbsyncError): void {
    for (const { queue } of this.#listeners) queue.fail(error);
    this.#listeners.clear();
    this.#byTopic.clear();
    this.#failures = 0;
    this.#stop();
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    const others = this.#byTopic.get(listener.topic);
    others?.delete(listener);
    if (others?.size === 0) this.#byTopic.delete(listener.topic);
  }

  #answered(listener: Listener, reply: Reply, { address }: LiveConnection): void {
    this.#failures = 0;
    this.#hasReportedLoss = false;
    this.#backOff.succeeded();
    if (!this.#listeners.has(listener)) return;
    if (reply.kind !== "error") {
      listener.queue.push({ type: "open", server: address.text });
      return;
    }
    this.#remove(listener);
    listener.queue.fail(
      new DbsyncError("reply", `${address.text}: ${reply.text}`, { command: listener.word }),
    );
    if (this.#listeners.size === 0) this.#stop();
  }

  #leave({ word, name, db }: Listener): void {
    const isWanted = [...this.#listeners].some(
      (other) => other.word === word && other.name === name && other.db === db,
    );
    if (isWanted || this.#listeners.size === 0 || !this.#connection?.isOpen) return;
    const opposite = word.replace(/^([PS]?)(SUBSCRIBE|WATCH)/, "$1UN$2");
    this.#connection.ask([{ argv: [opposite, name], answered: () => {} }], db);
  }

  #gap(reason: GapEvent["reason"], detail: string): GapEvent {
    return { type: "gap", reason, server: this.#connection?.address.text ?? "", detail };
  }

  #stop(): void {
    this.#connection?.close();
    this.#connection = null;
    this.#timer?.cancel();
    this.#timer = null;
  }
}

/** Returns the index of an event: its kind and its first detail, or its database and key. */
export function topicOf([what = "", first = "", second = ""]: readonly ByteString[]): string {
  return what.endsWith("message") ? `${what} ${first}` : `key ${first} ${second}`;
}

/** Returns the bytes of a name. */
export const nameBytes = (name: string | Uint8Array): ByteString =>
  typeof name === "string" ? bytesOfText(name) : Buffer.from(name).toString("latin1");

/** A request to a daemon, and the handler of its reply. */
interface Asking {
  readonly argv: readonly ByteString[];
  readonly answered: (reply: Reply) => void;
}

/**
 * The connection to the daemon that the client listens to. It is checked by hellos, since a hung daemon is as silent
 * as one without events.
 */
class LiveConnection implements ConnectionV2Owner<DaemonMessage | EventMessage> {
  readonly address: Address;
  readonly knows: readonly string[];
  /** Whether the daemon has answered a request. */
  hasAnswered = false;
  readonly #environment: Environment;
  readonly #sealer: Sealer;
  readonly #live: Live;
  readonly #connection: ConnectionV2<DaemonMessage | EventMessage>;
  readonly #asked = new Map<ByteString, readonly Asking[]>();
  #timer: Timer;
  #hello: Hello | null = null;
  /** The daemon's clock less `now`. */
  #ahead = 0;
  #last: EnvelopeDate = { at: 0, seq: 0 };
  #receivedAt: number;
  /** Resolves when all requests have been sent: signatures may be ready in another order. */
  #sent: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(address: Address, environment: Environment, sealer: Sealer, live: Live) {
    this.address = address;
    this.#environment = environment;
    this.#sealer = sealer;
    this.#live = live;
    this.#receivedAt = environment.now();
    this.knows = [KNOWS_LISTEN, ...(unsignedWords(sealer) ?? [])];
    this.#connection = new ConnectionV2<DaemonMessage | EventMessage>({
      address,
      environment,
      owner: this,
      trace: null,
      now: this.#receivedAt,
      read: readToldMessage,
    });
    this.#timer = environment.setTimer(ASK_EVERY_MS, this.#check);
  }

  get cluster(): ByteString {
    return this.#live.cluster;
  }

  /** Whether requests can be sent. */
  get isOpen(): boolean {
    return this.#hello !== null && !this.#isClosed;
  }

  /** Sends requests; only when open. @param db  the database of all of them */
  ask(askings: readonly Asking[], db: number): void {
    for (let i = 0; i < askings.length; i += ASKED_AT_ONCE)
      this.#askSome(askings.slice(i, i + ASKED_AT_ONCE), db);
  }

  #askSome(askings: readonly Asking[], db: number): void {
    const { daemon, cluster } = this.#hello as Hello;
    const { keyId: key } = this.#sealer;
    const header = {
      key,
      cluster: clusterNamed(cluster),
      nonce: this.#sealer.nonce(),
      db,
      only: daemon,
      ...this.#date(),
    };
    const commands = askings.map(({ argv }) => writeCommand(argv));
    const body = writeBody(header, commands);
    const signed = signedBytes(body);
    const seal = this.#sealer.seal?.(signed) ?? null;
    if (seal !== null) this.#send(body, seal, askings);
    else
      this.#sent = Promise.all([this.#sealer.sealAside(signed), this.#sent]).then(
        ([later]) => this.#send(body, later, askings),
        ({ message }: Error) => this.#lose(message),
      );
  }

  /** Closes the connection without notifying the owner. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer.cancel();
    this.#connection.close();
  }

  opened(): void {}

  receive(message: DaemonMessage | EventMessage): void {
    if (message.kind === "event") this.#live.receive(message.words);
    else if (message.kind === "hello") this.#greeted(message);
    else if (message.kind === "result") this.#answered(message);
    else this.#lose(`${message.code}: ${message.sentence}`);
  }

  chunkEnded(now: number): void {
    this.#receivedAt = now;
  }

  gone(_stage: Stage, detail: string): void {
    this.#lose(detail || "closed");
  }

  #send(body: ByteString, { id, signature }: Seal, askings: readonly Asking[]): void {
    if (this.#isClosed) return;
    this.#asked.set(id, askings);
    const frame = writeFrame(writeListen(body, signature.toString("latin1")), 2);
    this.#connection.write(Buffer.from(frame, "latin1"));
  }

  #date(): EnvelopeDate {
    const at = Math.max(this.#last.at, Math.floor(this.#environment.now() + this.#ahead));
    const seq = at > this.#last.at ? 0 : this.#last.seq + 1;
    this.#last = seq > SEQ_MAX ? { at: at + 1, seq: 0 } : { at, seq };
    return this.#last;
  }

  readonly #check = (): void => {
    if (this.#environment.now() - this.#receivedAt > SILENT_MS) {
      this.#lose(this.#hello === null ? "no answer" : "silent");
      return;
    }
    if (this.#hello !== null) this.#connection.greet();
    this.#timer = this.#environment.setTimer(ASK_EVERY_MS, this.#check);
  };

  #greeted(hello: Hello): void {
    this.#ahead = hello.clock - this.#environment.now();
    if (this.#hello !== null) return;
    const { cluster } = this;
    const problem = disagreement(hello, this.knows);
    if (problem !== null && problem !== "version-1") this.#lose(problem);
    else if (cluster !== "" && hello.cluster !== cluster)
      this.#lose(`it is of cluster ${hexOf(hello.cluster)}`);
    else if (hello.knows?.includes(KNOWS_LISTEN) !== true)
      this.#lose("it sends no events: it is of an older version, or serves a Redis");
    else {
      this.#hello = hello;
      this.#live.greeted(hello);
    }
  }

  #answered({ id, units, replies }: ResultMessage): void {
    const askings = this.#asked.get(id);
    if (askings?.length !== units) return;
    this.#asked.delete(id);
    this.hasAnswered = true;
    for (const { answered } of askings) {
      answered(replies.readReply());
      // The flags: none.
      replies.readBulk();
    }
  }

  #lose(detail: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#live.lost(detail);
  }
}
