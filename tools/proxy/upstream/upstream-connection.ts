/**
 * One connection to a server of the SQL line protocol, for one statement at a time. It is opened for the first
 * statement, enters the session of each statement, and reports whether a statement has certainly not reached the server
 * (`UpstreamOutcome`). After anything unexpected it is closed, because its next answer could belong to another
 * statement.
 */
import type { Socket } from "node:net";
import {
  BALANCER_ERROR,
  errorFrame,
  FULL_FRAME,
  messageFrame,
  type SqlFrame,
  SqlFrameReader,
} from "../../../faces/sql/bytes/sql-frames.js";
import {
  isPlain,
  readSessionRequest,
  statementForOriginal,
  terminated,
  unfinishedPart,
} from "../../../faces/sql/bytes/sql-statement.js";
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { type ConnectionEnd, RequestClient } from "../../../protocol/request-client.js";
import { connectTo, type UpstreamAddress } from "./server-address.js";

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

/**
 * The session of a client: the state that a connection to a server needs before a statement is executed. It is replayed
 * on each new connection.
 */
export interface UpstreamSession {
  /** The complete statement `login name password`, or "" if the client has not logged in. */
  readonly login: ByteString;
  /** The complete statement `pages 100`, or "" for the server's default. */
  readonly pages: ByteString;
  /** The chosen database, or "" if there is none. */
  readonly database: ByteString;
}

export const NEW_SESSION: UpstreamSession = { login: "", pages: "", database: "" };

/** Returns the USE statement for a database. dbsyncd supports both keywords, and the original only `ampiasao`. */
const useStatement = (database: ByteString): ByteString => `ampiasao ${database}`;

/**
 * Matches a server's answers to a successful USE, in either language. They show that a database was chosen, regardless
 * of the form of the statement. Only ASCII spaces are allowed, because byte A0 may be a part of a letter.
 */
const CHOSEN =
  /^RESULT_MESSAGE\n(?:Ny tahiry : ([^ \t\r\n]+) dia miasa ankehitriny|database ([^ \t\r\n]+) is chosen)\nEND\n$/;
/** Longer answers are not matched, because no answer to a USE is longer. */
const CHOSEN_MAX = 1024;
/**
 * Matches a USE for servers with other answers. The original accepts the name even without a space after the keyword.
 */
const USE = /^#?(?:ampiasao|use)/i;
const USE_NAME = /^#?(?:ampiasao@?|use)[ \t\r\n]+([^ \t\r\n]+)$/i;

/** Whether a server may interpret a statement as a USE, which changes or unsets the database. */
const mayBeUse = (statement: ByteString): boolean => USE.test(statement);

/** Returns the session after an answered statement. */
export function sessionAfter(
  session: UpstreamSession,
  statement: ByteString,
  { bytes, isError }: SqlFrame,
): UpstreamSession {
  if (isError) return session;
  if (bytes.length <= CHOSEN_MAX) {
    const [, malagasy, english] = CHOSEN.exec(bytes) ?? [];
    const name = malagasy ?? english ?? USE_NAME.exec(statement)?.[1];
    if (name !== undefined) return { ...session, database: name };
  }
  const request = readSessionRequest(statement);
  if (request?.kind === "login") return { ...session, login: statement };
  return request?.kind === "pages" ? { ...session, pages: statement } : session;
}

/** Whether two sessions may share a connection, on which only the database must be chosen again. */
const isSameClient = (one: UpstreamSession, other: UpstreamSession): boolean =>
  one.login === other.login && one.pages === other.pages;

const isSameSession = (one: UpstreamSession, other: UpstreamSession): boolean =>
  isSameClient(one, other) && one.database === other.database;

/** The limits for a proxy's use of one server. Times are in milliseconds. */
export interface UpstreamLimits {
  /** The timeout for connecting, including TLS. */
  readonly connectTimeout: number;
  /** The timeout for an answer after the statement was written. */
  readonly replyTimeout: number;
  /** The maximum length of one answer. */
  readonly maxReplyBytes: number;
  /** The maximum number of bytes of all answers that are being received. Above it, the largest one is aborted. */
  readonly maxReplyBytesTogether: number;
  /** The maximum number of connections to one server. The original has a thread for each. */
  readonly maxConnections: number;
  /** The maximum number of statements that wait for a connection. */
  readonly maxWaiting: number;
  /** The time after which an idle connection is closed. It should be shorter than the server's own idle timeout. */
  readonly idleTimeout: number;
  /** The time of silence after which a server receives a heartbeat. */
  readonly heartbeatInterval: number;
  /** The timeout for the answer to a heartbeat. The server may be executing a slow statement. */
  readonly heartbeatTimeout: number;
}

const MIB = 1024 * 1024;

export const UPSTREAM_LIMITS: UpstreamLimits = {
  connectTimeout: 2_000,
  replyTimeout: 10_000,
  maxReplyBytes: 64 * MIB,
  maxReplyBytesTogether: 256 * MIB,
  maxConnections: 64,
  maxWaiting: 10_000,
  idleTimeout: 60_000,
  heartbeatInterval: 1_000,
  heartbeatTimeout: 2_000,
};

/**
 * The kind of a failure. connect: the connection failed. down: connections failed recently, so the server was not
 * tried. busy: too many statements wait for a connection. closed: the proxy stops. lost: the connection broke. timeout:
 * no answer in time. garbage: the bytes are not an answer. too-long: the answer is above the limit. unsuited: this
 * server would misinterpret the statement.
 */
type FailureKind =
  | "connect"
  | "down"
  | "busy"
  | "closed"
  | "lost"
  | "timeout"
  | "garbage"
  | "too-long"
  | "unsuited";

export interface UpstreamFailure {
  readonly kind: "failed";
  readonly why: FailureKind;
  /**
   * "no": the server has certainly not received the statement. "unknown": the server may have executed it, or may still
   * do so.
   */
  readonly reached: "no" | "unknown";
  /** The detail for the log, such as `ECONNREFUSED`. */
  readonly detail: string;
}

/** The answer of a server. */
export interface UpstreamAnswer {
  readonly kind: "answered";
  readonly frame: SqlFrame;
  /** Whether the answer is an error about the session, such as a dropped database. The statement was then not sent. */
  readonly isOfSession: boolean;
}

export type UpstreamOutcome = UpstreamAnswer | UpstreamFailure;

export function failed(
  why: FailureKind,
  reached: UpstreamFailure["reached"],
  detail: string,
): UpstreamFailure {
  return { kind: "failed", why, reached, detail };
}

/** Matches an error of this balancer or the earlier one. It may mean that the statement's outcome is unknown. */
const OF_BALANCER = /^RESULT_MESSAGE\n(?:Hadisoana : )?Erreur de connexion backend/;
const NOT_KNOWN = "it is not known whether the statement was executed";

/** Returns the error. @param server  its name for users @param isRepeatable  whether the statement changes nothing */
export function failureFrame(
  { why, reached, detail }: UpstreamFailure,
  server: string,
  isRepeatable: boolean,
): ByteString {
  if (why === "unsuited") return errorFrame(bytesOfText(`${server} : ${detail}`));
  if (why === "too-long") return errorFrame(bytesOfText(`${BALANCER_ERROR} : ${server} : ${detail}`));
  if (reached === "no" || isRepeatable) return messageFrame(BALANCER_ERROR);
  return errorFrame(bytesOfText(`${BALANCER_ERROR} : ${server} : ${NOT_KNOWN}`));
}

/**
 * Whether an answer is from a balancer that may not know the statement's outcome, so that the statement may still be
 * executed.
 */
export const mayHaveUnknownOutcome = (answer: ByteString): boolean => OF_BALANCER.test(answer);
