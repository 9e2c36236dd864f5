/**
 * One connection to a server of the SQL line protocol, for one statement at a time: it is opened for the first one, put into the session of
 * each, and reports what certainly was not written. After anything unexpected it is closed, as its next answer could be that of another
 * statement.
 */
import type { Socket } from "node:net";
import type { ByteString } from "../../protocol/byte-string.js";
import { type ConnectionEnd, RequestClient } from "../../protocol/request-client.js";
import { FULL_FRAME, type SqlFrame, SqlFrameReader } from "../../protocol/sql-frames.js";
import { ended, forTheOriginal, isOpen, isPlain, readAside } from "../../protocol/sql-statement.js";
import type { UpstreamLimits } from "./limits.js";
import { type FailureKind, failed, type UpstreamFailure, type UpstreamOutcome } from "./outcome.js";
import { connectTo, type UpstreamPlace } from "./place.js";
import {
  isSameClient,
  isSameSession,
  mayChoose,
  NEW_SESSION,
  sessionAfter,
  type UpstreamSession,
  useOf,
} from "./session.js";

/** Only dbsyncd knows this statement; it sets the number of rows that its pages have anyway. */
const ARE_YOU_OURS = "pages 20";
/** A server, or a device in front of it, that neither accepts nor refuses. */
export const NO_CONNECTION = "no answer to the attempt";
const CLOSED = "closed by the server";

/** Facts about one server that its connections have learnt. */
export interface ServerManners {
  /** Whether it has answered by an error before it was known whether it was the original. */
  hasErred: boolean;
}

export interface ConnectionParts {
  readonly place: UpstreamPlace;
  readonly manners: ServerManners;
  readonly limits: UpstreamLimits;
  /** Runs a step once, after the given number of milliseconds. @returns a function that cancels it */
  readonly setTimer: (milliseconds: number, step: () => void) => () => void;
  /** Is called when the held bytes of an answer grow or shrink. */
  readonly held: (bytes: number) => void;
  /** Is called when the connection has closed, on either side. */
  readonly gone: (connection: UpstreamConnection) => void;
}

export class UpstreamConnection {
  readonly #parts: ConnectionParts;
  readonly #reader: SqlFrameReader;
  /** The session that it is in. */
  #session: UpstreamSession = NEW_SESSION;
  /** null: it has not been used. */
  #socket: Socket | null = null;
  #client: RequestClient<SqlFrame> | null = null;
  /** Why it is gone; null: it is not. */
  #failure: UpstreamFailure | null = null;
  #hasAnswered = false;
  #heldBytes = 0;
  /** Whether it is a dbsyncd, which knows where texts end; null: it has not been asked. */
  #isOurs: boolean | null = null;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#reader = new SqlFrameReader(parts.limits.maxReplyBytes);
  }

  get isGone(): boolean {
    return this.#failure !== null;
  }

  /** Bytes of the answer that is being received. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Returns what is required before a statement of this session can be sent on it; "none": it is another client's. */
  fitOf(session: UpstreamSession): "ready" | "choose" | "prepare" | "none" {
    if (isSameSession(this.#session, session)) return "ready";
    if (this.#socket === null) return "prepare";
    // A database that was chosen can be changed, not given back.
    return isSameClient(this.#session, session) && session.database !== "" ? "choose" : "none";
  }

  /** Carries out a statement in a session that it fits. */
  async ask(session: UpstreamSession, statement: ByteString): Promise<UpstreamOutcome> {
    const fit = this.fitOf(session);
    if (fit === "none") return failed("unsuited", "no", "the connection is another client's");
    const obstacle =
      (await this.#open()) ?? (await this.#enter(session, fit)) ?? (await this.#suit(statement));
    if (obstacle !== null) return obstacle;
    const sent = this.#isOurs === true || isPlain(statement) ? statement : forTheOriginal(statement);
    if (sent === null)
      return failed("unsuited", "no", "the server ends a statement at every ;, in a text too");
    const outcome = await this.#send(sent);
    if (outcome.kind === "answered") this.#tryFollow(statement, outcome.frame);
    return outcome;
  }

  close(why: FailureKind = "closed", detail = "", reached: UpstreamFailure["reached"] = "unknown"): void {
    if (this.isGone) return;
    this.#failure = failed(why, reached, detail);
    this.#client?.close();
    this.#hold(0);
    this.#parts.gone(this);
  }

  /** @returns why it is not connected; null: it is */
  #open(): Promise<UpstreamFailure | null> | null {
    if (this.isGone) return Promise.resolve(failed("closed", "no", ""));
    if (this.#socket !== null) return null;
    const { place, limits, setTimer } = this.#parts;
    return new Promise((resolve) => {
      const end = (failure: UpstreamFailure | null) => {
        cancel();
        resolve(failure);
        if (failure !== null) this.close(failure.why, failure.detail);
      };
      const fail = (detail: string) => end(failed("connect", "no", detail));
      const cancel = setTimer(limits.connectTimeout, () => fail(NO_CONNECTION));
      const socket = connectTo(place, { connected: () => end(null), failed: fail });
      this.#socket = socket;
      this.#client = this.#clientOf(socket);
      socket.on("close", () => fail(CLOSED));
    });
  }

  #clientOf(socket: Socket): RequestClient<SqlFrame> {
    const reader = this.#reader;
    return new RequestClient({
      socket,
      reader: {
        get problem() {
          return reader.problem;
        },
        get isMidAnswer() {
          return reader.heldBytes > 0;
        },
        push: (chunk) => {
          reader.push(chunk);
          this.#hold(reader.heldBytes);
        },
        next: () => reader.next(),
      },
      setTimer: this.#parts.setTimer,
      answerMs: this.#parts.limits.replyTimeout,
      takesAside: (frame) => this.#isFull(frame),
      ended: (end) => this.#ended(end),
    });
  }

  /** Whether the server has no room for this connection, which it says before it reads anything. */
  #isFull({ bytes }: SqlFrame): boolean {
    const isFull = !this.#hasAnswered && bytes === FULL_FRAME;
    this.#hasAnswered = true;
    if (isFull) this.close("busy", "the server has too many connections", "no");
    return isFull;
  }

  #ended({ why, message }: ConnectionEnd): void {
    const { problem } = this.#reader;
    if (why === "closed") this.close("lost", CLOSED);
    else if (why === "broken") this.close("lost", message);
    else if (why === "late") this.close("timeout", message);
    else if (problem === "too-long") this.close("too-long", "the answer is longer than any may be");
    else this.close("garbage", problem === null ? message : "what came is no answer");
  }

  /** @returns the failure that prevents a statement of this session; null: none */
  async #enter(
    session: UpstreamSession,
    fit: "ready" | "choose" | "prepare",
  ): Promise<UpstreamOutcome | null> {
    if (fit === "ready") return null;
    const { login, pages, database } = session;
    const asides = fit === "prepare" ? [login, pages].filter((aside) => aside !== "") : [];
    for (const statement of database === "" ? asides : [...asides, useOf(database)]) {
      const outcome = await this.#send(statement);
      if (outcome.kind === "failed") return { ...outcome, reached: "no" };
      if (outcome.frame.isError) {
        // No statement may use it half prepared.
        this.#drop();
        return { ...outcome, isOfSession: true };
      }
    }
    this.#session = session;
    return null;
  }

  /** Finds out whether the server is the original, if it would take the statement for another, or may answer it by what looks like more. */
  async #suit(statement: ByteString): Promise<UpstreamFailure | null> {
    const looksTheSame = isPlain(statement);
    if (!looksTheSame && isOpen(statement)) return failed("unsuited", "no", "a text in it has no end");
    if (this.#isOurs !== null || (looksTheSame && !this.#parts.manners.hasErred)) return null;
    const { pages } = this.#session;
    const outcome = await this.#send(pages === "" ? ARE_YOU_OURS : pages);
    if (outcome.kind === "failed") return { ...outcome, reached: "no" };
    this.#isOurs = !outcome.frame.isError;
    return null;
  }

  /** Follows the session. After an exception it is not known, so no other statement is sent on this connection. */
  #tryFollow(statement: ByteString, frame: SqlFrame): void {
    try {
      this.#follow(statement, frame);
    } catch {
      this.#drop();
    }
  }

  /** Updates the connection's session after a statement. */
  #follow(statement: ByteString, frame: SqlFrame): void {
    const before = this.#session;
    this.#session = sessionAfter(before, statement, frame);
    // After a USE that it has refused the original refuses everything; after a refused login the user is unknown.
    const isDoubtful = mayChoose(statement) || readAside(statement) !== null;
    if (isDoubtful && this.#session === before) this.#drop();
    // The original repeats texts in its errors, line breaks and all: more frames may follow the first, which are no answers.
    if (!frame.isError || this.#isOurs === true) return;
    this.#parts.manners.hasErred = true;
    this.#drop();
  }

  /** Closes without a shutdown message: clients that cause errors could otherwise fill the system's table of closed connections. */
  #drop(): void {
    if (this.#parts.place.tls === null) this.#socket?.resetAndDestroy();
    this.close();
  }

  #send(statement: ByteString): Promise<UpstreamOutcome> {
    if (this.isGone || this.#client === null) return Promise.resolve(failed("lost", "no", CLOSED));
    return this.#client.ask(`${ended(statement)}\n`).then(
      (frame) => ({ kind: "answered", frame, isOfSession: false }),
      () => this.#failure as UpstreamFailure,
    );
  }

  #hold(bytes: number): void {
    const grown = bytes - this.#heldBytes;
    this.#heldBytes = bytes;
    if (grown !== 0) this.#parts.held(grown);
  }
}
