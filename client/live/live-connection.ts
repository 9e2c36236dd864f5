/**
 * One connection to one daemon that is listened to: greeted, asked for what is wanted, and looked after, since a daemon that hangs
 * says as little as one that has nothing to tell.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { MalformedFrame } from "../../protocol/errors.js";
import { FrameParser, writeFrame } from "../../protocol/frame.js";
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
  writeHello,
  writeListen,
} from "../../protocol/version-2/messages-v2.js";
import type { ClientSocket, Environment, Timer } from "../shared/environment.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { Address } from "../shared/servers.js";

/** Between two hellos, which the daemon answers. */
const ASK_EVERY_MS = 5_000;
/** Who says nothing for so long is gone, or not there. */
const SILENT_MS = 12_000;
/** Commands of one envelope. */
const ASKED_AT_ONCE = 1_000;
const MAX_MESSAGE_BYTES = 512 * 1024 * 1024;

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

export class LiveConnection {
  readonly address: Address;
  /** Whether it has answered something that it was asked. */
  wasHeard = false;
  readonly #environment: Environment;
  readonly #sealer: Sealer;
  readonly #owner: LiveConnectionOwner;
  readonly #socket: ClientSocket;
  readonly #parser = new FrameParser(MAX_MESSAGE_BYTES, 2);
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
    this.#socket = environment.openSocket(address, {
      opened: () => this.#greet(),
      received: (chunk) => this.#received(chunk),
      closed: (error) => this.#lose(error === null ? "closed" : (error.code ?? error.message)),
    });
    this.#timer = environment.setTimer(ASK_EVERY_MS, this.#look);
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
    const header = { key, cluster, nonce: this.#sealer.nonce(), db, only: daemon, ...this.#date() };
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
    this.#socket.destroy();
  }

  #send(body: ByteString, { id, signature }: Seal, askings: readonly Asking[]): void {
    if (this.#isClosed) return;
    this.#asked.set(id, askings);
    const frame = writeFrame(writeListen(body, signature.toString("latin1")), 2);
    this.#socket.write(Buffer.from(frame, "latin1"));
  }

  #date(): EnvelopeDate {
    const at = Math.max(this.#last.at, Math.floor(this.#environment.now() + this.#ahead));
    const seq = at > this.#last.at ? 0 : this.#last.seq + 1;
    this.#last = seq > SEQ_MAX ? { at: at + 1, seq: 0 } : { at, seq };
    return this.#last;
  }

  #greet(): void {
    const clock = Math.floor(this.#environment.wallClock());
    const hello = { kind: "hello", versions: [2], daemon: "", cluster: this.#owner.cluster, clock } as const;
    const whole = writeHello({ ...hello, state: "", role: "client", knows: [KNOWS_LISTEN] });
    this.#socket.write(Buffer.from(writeFrame(whole, 2), "latin1"));
  }

  readonly #look = (): void => {
    if (this.#environment.now() - this.#heardAt > SILENT_MS) {
      this.#lose(this.#hello === null ? "no answer" : "silent");
      return;
    }
    if (this.#hello !== null) this.#greet();
    this.#timer = this.#environment.setTimer(ASK_EVERY_MS, this.#look);
  };

  #received(chunk: Buffer): void {
    this.#heardAt = this.#environment.now();
    try {
      for (const payload of this.#parser.push(chunk)) {
        this.#take(readToldMessage(payload));
        if (this.#isClosed) return;
      }
      if (this.#parser.malformed !== null) throw this.#parser.malformed;
    } catch (problem) {
      if (!(problem instanceof MalformedFrame)) throw problem;
      this.#lose(problem.message);
    }
  }

  #take(message: DaemonMessage | EventMessage): void {
    if (message.kind === "event") this.#owner.told(message.words);
    else if (message.kind === "hello") this.#greeted(message);
    else if (message.kind === "result") this.#answered(message);
    else this.#lose(`${message.code}: ${message.sentence}`);
  }

  #greeted(hello: Hello): void {
    this.#ahead = hello.clock - this.#environment.now();
    if (this.#hello !== null) return;
    const { cluster } = this.#owner;
    if (cluster !== "" && hello.cluster !== cluster) this.#lose(`it is of cluster ${hexOf(hello.cluster)}`);
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
