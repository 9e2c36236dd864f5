/**
 * A connection to a RESP server that many clients share: what they send in one turn goes out together, and answers come back in the order
 * of the commands. It is put into the state of its clients before anything of theirs goes out.
 */
import type { Socket } from "node:net";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { RespReplyCutter } from "../../../protocol/resp/reply-cutter.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import type { Environment } from "../../../serving/process/environment.js";
import { Queue } from "../../../serving/process/queue.js";
import type { UpstreamLimits } from "../../upstream/limits.js";
import { codeOf, connectTo, type UpstreamPlace } from "../../upstream/place.js";
import { CommandBuffer } from "./command-buffer.js";
import type { Argv, ConnectionState } from "./connection-state.js";

/** Why there is no answer. */
export interface LinkFailure {
  /** Whether the server has certainly not seen the command. */
  readonly isUnseen: boolean;
  readonly detail: string;
}

/** Who waits for an answer. Told once, and never while it sends. */
export interface AwaitedReply {
  answered(reply: ByteString): void;
  failed(failure: LinkFailure): void;
}

export interface RespLinkParts {
  readonly place: UpstreamPlace;
  readonly limits: UpstreamLimits;
  readonly environment: Pick<Environment, "setTimer">;
  readonly state: ConnectionState;
  /** The answers to the commands of the state, up to the first error, behind which nothing follows. */
  readonly prepared?: (replies: readonly ByteString[]) => void;
  /** What answers no command. */
  readonly pushed?: (push: ByteString) => void;
  /** It is no more. */
  readonly gone: (link: RespLink, failure: LinkFailure) => void;
}

const isError = (reply: ByteString): boolean => reply.startsWith("-");

export class RespLink {
  readonly #parts: RespLinkParts;
  readonly #socket: Socket;
  readonly #cutter: RespReplyCutter;
  /** The answers to what puts it into its state come first. */
  #preparing: AwaitedReply[] = [];
  readonly #awaited = new Queue<AwaitedReply>();
  /** Commands that have not been written. */
  readonly #out = new CommandBuffer();
  #unwritten = 0;
  #isWriting = false;
  #isReady = false;
  /** Whether the server does not put a connection into this state. */
  isRefused = false;
  #isGone = false;
  #answers = 0;
  #cancelWatch: (() => void) | null = null;

  constructor(parts: RespLinkParts) {
    const { place, limits, environment } = parts;
    this.#parts = parts;
    this.#cutter = new RespReplyCutter(limits.maxReplyBytes, (reply, isPush) => this.#take(reply, isPush));
    const cancel = environment.setTimer(limits.connectTimeout, () => this.close("no answer to the attempt"));
    this.#socket = connectTo(place, {
      connected: () => {
        cancel();
        this.#prepare();
      },
      failed: (detail) => {
        cancel();
        this.close(detail);
      },
    });
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("error", (problem) => this.close(codeOf(problem)));
    this.#socket.on("close", () => {
      cancel();
      this.close("closed by the server");
    });
  }

  /** Whether the server has let us in, and what is sent goes to it. */
  get isReady(): boolean {
    return this.#isReady && !this.#isGone;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Commands that are not answered. */
  get waiting(): number {
    return this.#awaited.size;
  }

  send(argv: Argv, awaited: AwaitedReply): void {
    if (this.#isGone) {
      queueMicrotask(() => awaited.failed({ isUnseen: true, detail: "closed" }));
      return;
    }
    this.#out.add(argv);
    this.#unwritten++;
    this.#awaited.push(awaited);
    if (this.#isWriting || !this.#isReady) return;
    this.#isWriting = true;
    // Behind what other clients have sent by now.
    setImmediate(this.#write);
  }

  close(detail: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#socket.destroy();
    this.#cancelWatch?.();
    const seen = this.#awaited.size - this.#unwritten;
    this.#parts.gone(this, { isUnseen: true, detail });
    for (let place = 0; ; place++) {
      const awaited = this.#awaited.shift();
      if (awaited === undefined) break;
      const failure = { isUnseen: place >= seen, detail };
      queueMicrotask(() => awaited.failed(failure));
    }
  }

  #prepare(): void {
    const { state, prepared } = this.#parts;
    if (state.length === 0) {
      this.#begin();
      return;
    }
    const replies: ByteString[] = [];
    const answered = (reply: ByteString) => {
      replies.push(reply);
      const isLast = replies.length === state.length;
      this.isRefused = isError(reply);
      if (isLast || this.isRefused) prepared?.(replies);
      if (this.isRefused) this.close("the server refuses a connection of this kind");
      else if (isLast) this.#begin();
    };
    this.#preparing = state.map(() => ({ answered, failed() {} }));
    this.#socket.write(state.map(writeCommand).join(""), "latin1");
  }

  #begin(): void {
    this.#isReady = true;
    this.#write();
  }

  readonly #write = (): void => {
    this.#isWriting = false;
    if (this.#isGone || this.#unwritten === 0) return;
    this.#unwritten = 0;
    this.#out.writeTo(this.#socket);
    this.#watch();
  };

  /** A server that answers nothing for too long is given up. */
  #watch(): void {
    if (this.#cancelWatch !== null) return;
    const { limits, environment } = this.#parts;
    const { replyTimeout } = limits;
    const answers = this.#answers;
    this.#cancelWatch = environment.setTimer(replyTimeout, () => {
      this.#cancelWatch = null;
      if (this.#awaited.size === 0) return;
      if (this.#answers === answers) this.close(`no answer in ${replyTimeout} ms`);
      else this.#watch();
    });
  }

  #receive(chunk: Buffer): void {
    if (this.#isGone) return;
    this.#cutter.push(bytesOf(chunk));
    const { problem } = this.#cutter;
    if (problem !== null)
      this.close(problem === "too-long" ? "an answer is longer than any may be" : "what came is no answer");
  }

  #take(reply: ByteString, isPush: boolean): void {
    if (this.#isGone) return;
    if (isPush) {
      this.#parts.pushed?.(reply);
      return;
    }
    this.#answers++;
    const awaited = this.#preparing.shift() ?? (this.#isReady ? this.#awaited.shift() : undefined);
    if (awaited === undefined) this.#parts.pushed?.(reply);
    else awaited.answered(reply);
  }
}
