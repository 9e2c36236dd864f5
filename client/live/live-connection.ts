/**
 * One connection to one daemon that is listened to: greeted, asked for what is wanted, and looked after, since a daemon that hangs
 * says as little as one that has nothing to tell.
 */
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
  readToldMessage,
  writeListen,
} from "../../protocol/version-2/messages-v2.js";
import type { Environment, Timer } from "../shared/environment.js";
import type { Stage } from "../shared/errors.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { Address } from "../shared/servers.js";
import { ConnectionV2, type ConnectionV2Owner } from "../version-2/connection-v2.js";
import { clusterNamed, disagreement, unsignedWords } from "../version-2/signing-terms.js";

/** Between two hellos, which the daemon answers. */
const ASK_EVERY_MS = 5_000;
/** Who says nothing for so long is gone, or not there. */
const SILENT_MS = 12_000;
/** Commands of one envelope. */
const ASKED_AT_ONCE = 1_000;

/** What is asked of a daemon, and who is told how that went. */
export interface Asking {
  readonly argv: readonly ByteString[];
  readonly answered: (reply: Reply) => void;
}

export interface LiveConnectionOwner {
  /** 32 bytes; empty: any will do. */
  readonly cluster: ByteString;
  /** It can be asked. */
  greeted(hello: Hello): void;
  told(words: readonly ByteString[]): void;
  /** It is gone, or not what is looked for. */
  lost(detail: string): void;
}

export class LiveConnection implements ConnectionV2Owner<DaemonMessage | EventMessage> {
  readonly address: Address;
  readonly knows: readonly string[];
  /** Whether it has answered something that it was asked. */
  wasHeard = false;
  readonly #environment: Environment;
  readonly #sealer: Sealer;
  readonly #owner: LiveConnectionOwner;
  readonly #connection: ConnectionV2<DaemonMessage | EventMessage>;
  readonly #asked = new Map<ByteString, readonly Asking[]>();
  #timer: Timer;
  #hello: Hello | null = null;
  /** The daemon's clock less `now`. */
  #ahead = 0;
  #last: EnvelopeDate = { at: 0, seq: 0 };
  #heardAt: number;
  /** Settled when all that was asked has been sent: signatures may be ready in another order. */
  #sent: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(address: Address, environment: Environment, sealer: Sealer, owner: LiveConnectionOwner) {
    this.address = address;
    this.#environment = environment;
    this.#sealer = sealer;
    this.#owner = owner;
    this.#heardAt = environment.now();
    this.knows = [KNOWS_LISTEN, ...(unsignedWords(sealer) ?? [])];
    this.#connection = new ConnectionV2<DaemonMessage | EventMessage>({
      address,
      environment,
      owner: this,
      trace: null,
      now: this.#heardAt,
      read: readToldMessage,
    });
    this.#timer = environment.setTimer(ASK_EVERY_MS, this.#look);
  }

  get cluster(): ByteString {
    return this.#owner.cluster;
  }

  /** Whether it can be asked. */
  get isOpen(): boolean {
    return this.#hello !== null && !this.#isClosed;
  }

  /** Only once it is open. @param db  of all of them */
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

  /** Tells nobody. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer.cancel();
    this.#connection.close();
  }

  opened(): void {}

  told(message: DaemonMessage | EventMessage): void {
    if (message.kind === "event") this.#owner.told(message.words);
    else if (message.kind === "hello") this.#greeted(message);
    else if (message.kind === "result") this.#answered(message);
    else this.#lose(`${message.code}: ${message.sentence}`);
  }

  heard(now: number): void {
    this.#heardAt = now;
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

  readonly #look = (): void => {
    if (this.#environment.now() - this.#heardAt > SILENT_MS) {
      this.#lose(this.#hello === null ? "no answer" : "silent");
      return;
    }
    if (this.#hello !== null) this.#connection.greet();
    this.#timer = this.#environment.setTimer(ASK_EVERY_MS, this.#look);
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
      this.#lose("it tells nothing by itself: it is of an older version, or stands before a Redis");
    else {
      this.#hello = hello;
      this.#owner.greeted(hello);
    }
  }

  #answered({ id, units, replies }: ResultMessage): void {
    const askings = this.#asked.get(id);
    if (askings?.length !== units) return;
    this.#asked.delete(id);
    this.wasHeard = true;
    for (const { answered } of askings) {
      answered(replies.readReply());
      // Flags, of which there are none here.
      replies.readBulk();
    }
  }

  #lose(detail: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#owner.lost(detail);
  }
}
