/**
 * One connection to a server of the SQL line protocol, for one statement at a time. It is opened for the first
 * statement, enters the session of each statement, and reports whether a statement has certainly not reached the
 * server. After anything unexpected it is closed, because its next answer could belong to another statement.
 */
import type { Socket } from "node:net";
import { FULL_FRAME, type SqlFrame, SqlFrameReader } from "../../../faces/sql/bytes/sql-frames.js";
import {
  isPlain,
  readSessionRequest,
  statementForOriginal,
  terminated,
  unfinishedPart,
} from "../../../faces/sql/bytes/sql-statement.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type ConnectionEnd, RequestClient } from "../../../protocol/request-client.js";
import { connectTo, type UpstreamAddress } from "./server-address.js";
import { type FailureKind, failed, type UpstreamFailure, type UpstreamOutcome } from "./statement-outcome.js";
import type { UpstreamLimits } from "./upstream-limits.js";
import {
  isSameClient,
  isSameSession,
  mayBeUse,
  NEW_SESSION,
  sessionAfter,
  type UpstreamSession,
  useStatement,
} from "./upstream-session.js";

/** A statement that only dbsyncd knows. It sets the default number of rows per page, so it has no effect. */
const DBSYNCD_PROBE = "pages 20";
/** The detail if a server, or a device in front of it, neither accepts nor refuses the connection. */
export const NO_CONNECTION = "the connection attempt was not answered";
const CLOSED = "closed by the server";

/** Facts about one server that its connections share. */
export interface ServerFacts {
  /** Whether the server answered with an error before the proxy had found out whether it is the original. */
  hasErred: boolean;
}

export interface ConnectionParts {
  readonly serverAddress: UpstreamAddress;
  readonly facts: ServerFacts;
  readonly limits: UpstreamLimits;
  /** Runs a step once, after the given number of milliseconds. @returns a function that cancels it */
  readonly setTimer: (milliseconds: number, step: () => void) => () => void;
  /** Called when the number of held bytes of an answer changes. */
  readonly held: (bytes: number) => void;
  /** Called when either side has closed the connection. */
  readonly disconnected: (connection: UpstreamConnection) => void;
}

export class UpstreamConnection {
  readonly #parts: ConnectionParts;
  readonly #reader: SqlFrameReader;
  /** The current session of the connection. */
  #session: UpstreamSession = NEW_SESSION;
  /** The socket, or null if the connection has not been used. */
  #socket: Socket | null = null;
  #client: RequestClient<SqlFrame> | null = null;
  /** The reason why the connection is closed, or null if it is open. */
  #failure: UpstreamFailure | null = null;
  #hasAnswered = false;
  #heldBytes = 0;
  /** Whether the server is a dbsyncd, which parses string literals correctly, or null if not known yet. */
  #isDbsyncd: boolean | null = null;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#reader = new SqlFrameReader(parts.limits.maxReplyBytes);
  }

  get isClosed(): boolean {
    return this.#failure !== null;
  }

  /** The number of bytes of the answer that is being received. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Returns the preparation that a statement of this session requires; "none": the connection belongs to another
   * client.
   */
  preparationFor(session: UpstreamSession): "ready" | "needs-use" | "prepare" | "none" {
    if (isSameSession(this.#session, session)) return "ready";
    if (this.#socket === null) return "prepare";
    // A chosen database can be changed, but not unset.
    return isSameClient(this.#session, session) && session.database !== "" ? "needs-use" : "none";
  }

  /** Executes a statement in a session that this connection supports. */
  async execute(session: UpstreamSession, statement: ByteString): Promise<UpstreamOutcome> {
    const fit = this.preparationFor(session);
    if (fit === "none") return failed("unsuited", "no", "the connection belongs to another client");
    const obstacle =
      (await this.#open()) ?? (await this.#enter(session, fit)) ?? (await this.#identifyServer(statement));
    if (obstacle !== null) return obstacle;
    const sent = this.#isDbsyncd === true || isPlain(statement) ? statement : statementForOriginal(statement);
    if (sent === null)
      return failed(
        "unsuited",
        "no",
        "the server treats every ; as the end of a statement, even within a string",
      );
    const outcome = await this.#send(sent);
    if (outcome.kind === "answered") this.#tryFollow(statement, outcome.frame);
    return outcome;
  }

  close(why: FailureKind = "closed", detail = "", reached: UpstreamFailure["reached"] = "unknown"): void {
    if (this.isClosed) return;
    this.#failure = failed(why, reached, detail);
    this.#client?.close();
    this.#hold(0);
    this.#parts.disconnected(this);
  }

  /** Connects. @returns the failure, or null if the connection succeeded */
  #open(): Promise<UpstreamFailure | null> | null {
    if (this.isClosed) return Promise.resolve(failed("closed", "no", ""));
    if (this.#socket !== null) return null;
    const { serverAddress, limits, setTimer } = this.#parts;
    return new Promise((resolve) => {
      const end = (failure: UpstreamFailure | null) => {
        cancel();
        resolve(failure);
        if (failure !== null) this.close(failure.why, failure.detail);
      };
      const fail = (detail: string) => end(failed("connect", "no", detail));
      const cancel = setTimer(limits.connectTimeout, () => fail(NO_CONNECTION));
      const socket = connectTo(serverAddress, { connected: () => end(null), failed: fail });
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
      handlesMessage: (frame) => this.#isFull(frame),
      ended: (end) => this.#ended(end),
    });
  }

  /** Whether the server refuses this connection because it has too many. It does so before it reads a statement. */
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
    else if (problem === "too-long") this.close("too-long", "the answer is too long");
    else this.close("garbage", problem === null ? message : "the received bytes are not an answer");
  }

  /** Enters a session. @returns the outcome that prevents a statement of this session, or null if there is none */
  async #enter(
    session: UpstreamSession,
    fit: "ready" | "needs-use" | "prepare",
  ): Promise<UpstreamOutcome | null> {
    if (fit === "ready") return null;
    const { login, pages, database } = session;
    const setup = fit === "prepare" ? [login, pages].filter((statement) => statement !== "") : [];
    for (const statement of database === "" ? setup : [...setup, useStatement(database)]) {
      const outcome = await this.#send(statement);
      if (outcome.kind === "failed") return { ...outcome, reached: "no" };
      if (outcome.frame.isError) {
        // No statement may use a partially prepared connection.
        this.#drop();
        return { ...outcome, isOfSession: true };
      }
    }
    this.#session = session;
    return null;
  }

  /**
   * Finds out whether the server is the original, if that matters: the original misinterprets some statements, and may
   * send several frames after an error.
   */
  async #identifyServer(statement: ByteString): Promise<UpstreamFailure | null> {
    const isSafe = isPlain(statement);
    if (!isSafe && unfinishedPart(statement) !== null)
      return failed("unsuited", "no", "it contains an unterminated string or comment");
    if (this.#isDbsyncd !== null || (isSafe && !this.#parts.facts.hasErred)) return null;
    const { pages } = this.#session;
    const outcome = await this.#send(pages === "" ? DBSYNCD_PROBE : pages);
    if (outcome.kind === "failed") return { ...outcome, reached: "no" };
    this.#isDbsyncd = !outcome.frame.isError;
    return null;
  }

  /** Updates the connection's session. If that throws, the session is unknown, and the connection is closed. */
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
    // After a refused USE the original refuses all statements; after a refused login the user is unknown.
    const mayChangeSession = mayBeUse(statement) || readSessionRequest(statement) !== null;
    if (mayChangeSession && this.#session === before) this.#drop();
    // The original repeats strings in its errors, including line breaks. Frames that are not answers may therefore
    // follow the error.
    if (!frame.isError || this.#isDbsyncd === true) return;
    this.#parts.facts.hasErred = true;
    this.#drop();
  }

  /**
   * Closes the connection with a reset. Otherwise clients that cause errors could fill the system's table of closed
   * connections.
   */
  #drop(): void {
    if (this.#parts.serverAddress.tls === null) this.#socket?.resetAndDestroy();
    this.close();
  }

  #send(statement: ByteString): Promise<UpstreamOutcome> {
    if (this.isClosed || this.#client === null) return Promise.resolve(failed("lost", "no", CLOSED));
    return this.#client.request(`${terminated(statement)}\n`).then(
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
