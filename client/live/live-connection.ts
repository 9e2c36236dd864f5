import type { ByteString } from "../../protocol/byte-string.js";
import { writeFrame } from "../../protocol/frame.js";
import type { Reply } from "../../protocol/reply.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { hexOf, SEQ_MAX, signedBytes } from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import {
  type DaemonMessage,
  type EnvelopeDate,
  type EventMessage,
  type Hello,
  KNOWS_LISTEN,
  type ResultMessage,
  readSubscriberMessage,
  writeListen,
} from "../../protocol/version-2/messages-v2.js";
import type { ClientEnvironment, Timer } from "../shared/client-environment.js";
import type { Stage } from "../shared/errors.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { Address } from "../shared/server-list.js";
import { ConnectionV2, type ConnectionV2Owner } from "../version-2/connection-v2.js";
import { clusterOrNoKey, disagreement, isSigning } from "../version-2/signing-terms.js";

/** The interval at which the client sends hellos, which the daemon answers. */
const HELLO_INTERVAL_MS = 5_000;
/** A daemon that is silent for this long counts as lost. */
const SILENT_MS = 12_000;
/** The maximum number of commands in one envelope. */
const REQUESTS_MAX = 1_000;

/** A request to a daemon, and the handler of its reply. */
export interface Request {
  readonly argv: readonly ByteString[];
  readonly answered: (reply: Reply) => void;
}

/** The owner of the connection, which receives what the daemon sends. */
interface LiveConnectionOwner {
  /** The cluster's id, 32 bytes, or empty for any cluster. */
  readonly cluster: ByteString;
  /** Called once, when the daemon's hello has arrived: requests can be sent now. */
  greeted(hello: Hello): void;
  /** Called for each event, with its words. */
  receive(words: readonly ByteString[]): void;
  /** Called when the connection is lost, but not after `close`. */
  lost(detail: string): void;
}

/**
 * The connection to the daemon that the client listens to. It sends hellos, because a hung daemon would otherwise look
 * like one without events.
 */
export class LiveConnection implements ConnectionV2Owner<DaemonMessage | EventMessage> {
  readonly address: Address;
  readonly isSigned: boolean;
  readonly others = null;
  /** Whether the daemon has answered a request. */
  hasAnswered = false;
  readonly #environment: ClientEnvironment;
  readonly #sealer: Sealer;
  readonly #owner: LiveConnectionOwner;
  readonly #connection: ConnectionV2<DaemonMessage | EventMessage>;
  readonly #pending = new Map<ByteString, readonly Request[]>();
  #timer: Timer;
  #hello: Hello | null = null;
  /** The daemon's clock minus `now`. */
  #ahead = 0;
  #last: EnvelopeDate = { at: 0, seq: 0 };
  #receivedAt: number;
  /** Resolves when all earlier requests have been sent. It preserves their order, because signing is asynchronous. */
  #sent: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(address: Address, environment: ClientEnvironment, sealer: Sealer, owner: LiveConnectionOwner) {
    this.address = address;
    this.#environment = environment;
    this.#sealer = sealer;
    this.#owner = owner;
    this.#receivedAt = environment.now();
    this.isSigned = isSigning(sealer);

    this.#connection = new ConnectionV2<DaemonMessage | EventMessage>({
      address,
      environment,
      owner: this,
      trace: null,
      now: this.#receivedAt,
      read: readSubscriberMessage,
    });
    this.#timer = environment.setTimer(HELLO_INTERVAL_MS, this.#check);
  }

  get cluster(): ByteString {
    return this.#owner.cluster;
  }

  /** Whether requests can be sent. */
  get isOpen(): boolean {
    return this.#hello !== null && !this.#isClosed;
  }

  /** Sends requests. The connection must be open. @param db  the database for all of them */
  request(requests: readonly Request[], db: number): void {
    for (let i = 0; i < requests.length; i += REQUESTS_MAX)
      this.#sendRequests(requests.slice(i, i + REQUESTS_MAX), db);
  }

  #sendRequests(requests: readonly Request[], db: number): void {
    const { daemon, cluster } = this.#hello as Hello;
    const { keyId: key } = this.#sealer;
    const header = {
      key,
      cluster: clusterOrNoKey(cluster),
      nonce: this.#sealer.nonce(),
      db,
      only: daemon,
      ...this.#date(),
    };

    const commands = requests.map(({ argv }) => writeCommand(argv));
    const body = writeBody(header, commands);
    const signed = signedBytes(body);
    const seal = this.#sealer.seal?.(signed) ?? null;
    if (seal !== null) this.#send(body, seal, requests);
    else
      this.#sent = Promise.all([this.#sealer.sealAsync(signed), this.#sent]).then(
        ([later]) => this.#send(body, later, requests),
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
    if (message.kind === "event") this.#owner.receive(message.elements);
    else if (message.kind === "hello") this.#greeted(message);
    else if (message.kind === "result") this.#answered(message);
    else this.#lose(`${message.code}: ${message.sentence}`);
  }

  chunkEnded(now: number): void {
    this.#receivedAt = now;
  }

  disconnected(_stage: Stage, detail: string): void {
    this.#lose(detail || "closed");
  }

  #send(body: ByteString, { id, signature }: Seal, requests: readonly Request[]): void {
    if (this.#isClosed) return;
    this.#pending.set(id, requests);
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
    this.#timer = this.#environment.setTimer(HELLO_INTERVAL_MS, this.#check);
  };

  #greeted(hello: Hello): void {
    this.#ahead = hello.clock - this.#environment.now();
    if (this.#hello !== null) return;
    const { cluster } = this;
    const problem = disagreement(hello, this.isSigned);
    if (problem !== null) this.#lose(problem);
    else if (cluster !== "" && hello.cluster !== cluster)
      this.#lose(`it belongs to cluster ${hexOf(hello.cluster)}`);
    else if (!hello.knows.includes(KNOWS_LISTEN))
      this.#lose("it sends no events: its data is in a Redis or on other daemons");
    else {
      this.#hello = hello;
      this.#owner.greeted(hello);
    }
  }

  #answered({ id, units, replies }: ResultMessage): void {
    const requests = this.#pending.get(id);
    if (requests?.length !== units) return;
    this.#pending.delete(id);
    this.hasAnswered = true;
    for (const { answered } of requests) {
      answered(replies.readReply());
      // Skip the flags, which are not used.
      replies.readBulk();
    }
  }

  #lose(detail: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#owner.lost(detail);
  }
}
