/**
 * One client of the RESP listener: bytes in, bytes out; what they mean is its session's. Answers leave in the order of the
 * requests, those of one turn in one write. As Redis it goes on reading while its client does not, up to a bound:
 * clients send long pipelines before they read the first answer.
 */
import type { Socket } from "node:net";
import type { ByteString } from "../../../protocol/byte-string.js";
import { error, type Reply } from "../../../protocol/reply.js";
import type { RespRequestParser } from "../../../protocol/resp-request-parser.js";
import { writeReply } from "../../../protocol/resp-writer.js";
import { type LaterReply, whenThere } from "../../answers/later-reply.js";
import type { RefusalCode } from "../../answers/refusals.js";
import { traceFrame } from "../../process/log.js";
import type { Hosted } from "../connection-host.js";
import { HeldBytes } from "../held-bytes.js";
import { lingerThenCut, sayGoodBye } from "../linger.js";
import { listenTo } from "../socket-events.js";
import { AnswerWriter } from "./answer-writer.js";
import { parserFor, RESP_LISTENER, type RespHost } from "./resp-host.js";
import { AnswerQueue, argumentBytes, WRITE_CHARS } from "./session/answers.js";
import { ConnectedClient } from "./session/connected-client.js";
import { RespSession } from "./session/session.js";

/** Milliseconds a connection may work before others get their turn; looked at after so many commands. */
const TURN_MS = 5;
const COMMANDS_PER_LOOK = 16;
/** Requests of a connection that may wait for their answers. */
const UNANSWERED_MOST = 4096;

export class RespConnection implements Hosted {
  readonly remote: string;
  readonly address: string;
  /** `uptime` milliseconds. */
  activeAt: number;
  readonly client: ConnectedClient;
  readonly session: RespSession;
  readonly #socket: Socket;
  readonly #host: RespHost;
  readonly #held: HeldBytes;
  readonly #parser: RespRequestParser;
  readonly #writer: AnswerWriter;
  readonly #answers = new AnswerQueue();
  /** A command that waits until all before it are answered. */
  #heldBack: readonly ByteString[] | null = null;
  #isWaitingForTurn = false;
  /** Whether the command that is held back waits for the end of a pause. */
  #isPaused = false;
  #isSending = false;
  /** Whether it has served a command of somebody who may send some. */
  #hasProved = false;
  /** Answers of this turn that have not been sent. */
  #written: ByteString = "";
  #inputEnded = false;
  #isStopping = false;
  #state: "open" | "ending" | "gone" = "open";

  constructor(socket: Socket, host: RespHost) {
    this.#socket = socket;
    this.#host = host;
    this.#held = new HeldBytes(host.budget);
    this.#parser = parserFor(host);
    this.activeAt = host.environment.uptime();
    this.client = new ConnectedClient(
      {
        ...{ id: host.nextId(), socket, kill: () => this.destroy() },
        activeAt: () => this.activeAt,
        requestBytes: () => this.#parser.heldBytes,
        // What answers no command goes behind the answers before it.
        push: (bytes) => this.#state === "open" && this.#writer.write(this.#take() + bytes),
      },
      (client) => new RespSession(host, client),
    );
    this.remote = this.client.remote;
    this.address = socket.remoteAddress ?? "";
    this.session = this.client.session;
    this.session.waitsLate = () => this.#listenOn();
    const drop = (detail: string) => this.#drop("answer-too-long", detail);
    this.#writer = new AnswerWriter({ socket, host, session: this.session, drop });
    this.#parser.trusted = this.session.user !== null;
    // Where nobody has to log in a first command may be as long as any.
    if (this.#parser.trusted) this.#held.prove();
    listenTo(socket, {
      data: (chunk) => this.#receive(chunk),
      end: () => this.#receiveEnd(),
      drain: () => {
        socket.setTimeout(0);
        this.#account();
      },
      finish: () => lingerThenCut(socket, host.environment),
      // The client takes nothing of what was written.
      timeout: () => this.#drop("output-stuck", `${socket.writableLength} bytes wait`),
      error: ({ message }) => host.log.debug({ remote: this.remote, reason: message }, "connection failed"),
      close: () => this.#gone(),
    });
  }

  get heldBytes(): number {
    return this.#held.total;
  }

  checkTime(now: number): void {
    const { respIdleTimeout } = this.#host.limits;
    if (this.#state !== "open" || respIdleTimeout === 0 || this.#answers.length > 0) return;
    if (now - this.activeAt < respIdleTimeout) return;
    this.#host.log.debug({ remote: this.remote }, "idle connection closed");
    this.#end("");
  }

  stop(): void {
    this.#isStopping = true;
    this.session.leave();
    if (this.#state === "ending") this.#socket.destroySoon();
    else if (this.#state === "open" && !this.#isBusy) this.#end("");
  }

  destroy(): void {
    this.#socket.destroy();
    this.#gone();
  }

  get #isBusy(): boolean {
    return this.#answers.length > 0 || this.#isWaitingForTurn || this.#isPaused;
  }

  #receive(chunk: Buffer): void {
    if (this.#state !== "open") return;
    this.activeAt = this.#host.environment.uptime();
    if (!this.#hasProved) this.#host.heard(this);
    this.#host.state.inputBytes += chunk.length;
    traceFrame(this.#host.log, "received", this.remote, chunk);
    this.#parser.push(chunk);
    if (this.#heldBack === null && !this.#isWaitingForTurn) this.#work();
    else if (this.session.waiting === null) this.#socket.pause();
    this.#parser.keep();
    this.#account();
    const { heldBytes } = this.#parser;
    if (this.session.waiting !== null && heldBytes > this.#host.limits.maxQueryBytes)
      this.#drop("too-much-behind", `${heldBytes} bytes`);
  }

  #receiveEnd(): void {
    this.#inputEnded = true;
    if (this.session.waiting !== null) this.#abandon();
    if (this.#state === "open" && !this.#isBusy) this.#rest("");
  }

  /** Who has gone waits for nothing, takes nothing that others could have, and what he sent behind it is not run. */
  #abandon(): void {
    this.#end("");
    this.session.leave();
  }

  /** A client that waits for data is read from, whatever it has sent behind that: else nobody would learn that it has gone. */
  #listenOn(): void {
    if (this.session.waiting === null) return;
    if (this.#inputEnded) this.#abandon();
    else if (this.#state !== "open" || this.#isStopping) this.session.leave();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Serves what has come whole, until one command has to wait or the turn is over. */
  #work(): void {
    const { session } = this;
    const { environment, observer, state } = this.#host;
    const startedAt = this.activeAt;
    state.mark = startedAt;
    session.now = environment.clock();
    let served = 0;
    let errors = 0;
    while (!session.isClosing) {
      const argv = this.#heldBack ?? this.#parser.next();
      this.#heldBack = null;
      if (argv === null) break;
      if (state.pause.mode !== null && session.isPaused(argv)) {
        this.#heldBack = argv;
        this.#isPaused = true;
        state.pause.hold(this.#resume);
        break;
      }
      if (
        this.#answers.length > 0 &&
        (this.#answers.length >= UNANSWERED_MOST || !session.mayRunBeside(argv))
      ) {
        this.#heldBack = argv;
        break;
      }
      const reply = session.serve(argv);
      served++;
      const isMuted = session.replies !== "on" && session.mute();
      if (reply instanceof Promise || reply?.kind === "later") this.#await(reply, argv, isMuted);
      else if (reply !== null && !isMuted) {
        if (reply.kind === "error") errors++;
        const isNext = this.#answers.length === 0;
        const bytes = isNext ? this.#writer.append(this.#written, reply) : this.#writer.bytesOf(reply);
        if (bytes === null) return;
        if (isNext) this.#written = bytes;
        else this.#answers.add(bytes);
      }
      if (!this.#parser.trusted) this.#parser.trusted = session.user !== null;
      if (served % COMMANDS_PER_LOOK !== 0 && this.#written.length < WRITE_CHARS) continue;
      if (this.#written.length >= WRITE_CHARS && !this.#writer.write(this.#take())) return;
      if (state.mark - startedAt > TURN_MS) {
        this.#nextTurn();
        break;
      }
    }
    if (served > 0) observer.served(RESP_LISTENER, served, errors);
    state.commands += served;
    this.#parser.trusted = session.user !== null;
    if (!this.#hasProved && served > 0 && session.user !== null) {
      this.#hasProved = true;
      this.#held.prove();
      this.#host.proved(this);
    }
    this.#rest(this.#take());
  }

  #take(): ByteString {
    const written = this.#written;
    this.#written = "";
    return written;
  }

  #await(reply: Promise<Reply> | LaterReply, argv: readonly ByteString[], isMuted: boolean): void {
    const slot = this.#answers.add(null);
    const bytes = argumentBytes(argv);
    const { last } = this.session;
    this.#held.unanswered += bytes;
    whenThere(reply, (settled) => {
      this.#held.unanswered -= bytes;
      if (settled.kind === "error") last?.counts.addFailure();
      if (this.#state !== "open") return;
      slot.bytes = isMuted ? "" : this.#writer.bytesOf(settled);
      if (this.#isSending || !this.#answers.isFirst(slot)) return;
      // Many are answered together: so do the answers leave.
      this.#isSending = true;
      process.nextTick(() => this.#send());
    });
  }

  /** Sends the answers that have come, up to the first that has not, and goes on. */
  #send(): void {
    this.#isSending = false;
    if (this.#state !== "open") return;
    this.activeAt = this.#host.environment.uptime();
    for (let bytes = this.#answers.take(WRITE_CHARS); bytes !== ""; bytes = this.#answers.take(WRITE_CHARS)) {
      if (!this.#writer.write(bytes)) return;
    }
    if (this.#heldBack !== null && this.#answers.length === 0) this.#work();
    else this.#rest("");
    this.#account();
  }

  readonly #resume = (): void => {
    this.#isPaused = false;
    this.#nextTurn();
  };

  #nextTurn(): void {
    this.#isWaitingForTurn = true;
    setImmediate(() => {
      this.#isWaitingForTurn = false;
      if (this.#state !== "open") return;
      this.activeAt = this.#host.environment.uptime();
      this.#work();
      this.#account();
    });
  }

  /** All that can be served for now is: what comes next? */
  #rest(written: ByteString): void {
    const { problem } = this.#parser;
    if (this.#isBusy) {
      if (this.#writer.write(written)) this.#listenOn();
      return;
    }
    if (this.session.isClosing || this.#isStopping) this.#end(written);
    else if (problem !== null) {
      this.#note("malformed", problem);
      this.#end(written + writeReply(error(`ERR ${problem}`)));
    } else if (this.#inputEnded) this.#end(written);
    else if (this.#writer.write(written) && this.#socket.isPaused()) this.#socket.resume();
  }

  #drop(code: RefusalCode, detail: string): void {
    this.#note(code, detail);
    this.destroy();
  }

  #note(code: RefusalCode, detail: string): void {
    this.#host.refusals.note(code, { remote: this.remote, detail });
    this.#host.observer.refused(RESP_LISTENER, code);
  }

  #end(written: ByteString): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    const { idleTimeout } = this.#host.limits;
    sayGoodBye(this.#socket, written, { idleTimeout, isExpected: this.#isStopping || this.#inputEnded });
    this.#account();
  }

  #gone(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#answers.clear();
    this.client.gone();
    this.#host.state.pause.forget(this.#resume);
    this.#held.release();
    this.#host.leave(this);
  }

  #account(): void {
    if (this.#state === "gone") return;
    this.#held.piece = this.#parser.heldBytes;
    this.#held.queued = this.session.queuedBytes;
    if (this.#held.tell(this.#socket.writableLength)) this.#host.overBudget();
  }
}
