/** The session of a connection of the SQL line protocol, which executes the statements of one client. */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { inTurns } from "../../protocol/steps.js";
import { SessionCommandSender, UserCommands } from "../users/user-commands.js";
import type { UserSocketHost } from "../users/user-listener.js";
import type { Denial } from "../users/user-session.js";
import { type RelationReply, relationFrame } from "./bytes/relation-frame.js";
import { errorFrame, messageFrame } from "./bytes/sql-frames.js";
import { readSessionRequest, type SessionRequest } from "./bytes/sql-statement.js";
import { doneText, languageOfRequest, MESSAGES, type SqlLanguage } from "./sql-messages.js";
import { parse } from "./store/grammar/parse.js";
import { SqlMistake } from "./store/grammar/syntax-error.js";

/** The number of rows of a page in the original. */
const PAGE_ROWS = 20;

/**
 * The session of a connection of the SQL line protocol: statements in, frames out. SQL runs in the database that the
 * client has selected. The session does not handle sockets. A client logs in with `login name password`.
 */
export class SqlSession {
  readonly commands: UserCommands;
  readonly #host: UserSocketHost;
  /** The configured language of messages, or null if each message has the language of its statement. */
  readonly #setting: SqlLanguage | null;
  /** The language of the messages about the current statement. */
  #language: SqlLanguage = "mg";
  readonly #sender: SteppedSender;
  /** The selected database, or an empty name if there is none. */
  #database: ByteString = "";
  #pageRows = PAGE_ROWS;

  constructor(host: UserSocketHost, setting: SqlLanguage | null) {
    this.#host = host;
    this.#setting = setting;
    this.commands = new UserCommands(host, (denial) => this.#denied(denial));
    this.#sender = new SteppedSender(this.commands.userSession, host.environment);
  }

  /** Serves a statement. @returns the answer, or null if the connection must be closed */
  serve(statement: ByteString): ByteString | Promise<ByteString> | null {
    this.commands.userSession.renew();
    this.#language = this.languageFor(statement);
    const request = readSessionRequest(statement);
    if (request !== null) return this.#setUp(request);
    const reply = this.commands.run(["SQL", this.#database, statement], this.#sender);
    return reply instanceof Promise
      ? reply.then((settled) => this.#answerOf(statement, settled))
      : this.#answerOf(statement, reply);
  }

  /** Returns the language of the messages about a statement, of which only the beginning may be known. */
  languageFor(statement: ByteString): SqlLanguage {
    return this.#setting ?? languageOfRequest(statement);
  }

  #setUp(request: SessionRequest): ByteString | null {
    switch (request.kind) {
      case "http":
        return null;
      case "login": {
        const isAccepted = this.commands.userSession.logIn(request.name, request.password);
        return isAccepted ? messageFrame(this.#message("loggedIn")) : this.#refusal("wrongLogin");
      }
      case "pages":
        this.#pageRows = request.rows;
        return messageFrame(this.#message("pages"));
    }
  }

  #answerOf(text: ByteString, reply: Reply): ByteString | Promise<ByteString> {
    if (reply.kind === "error") return errorOf(reply.text);
    if (reply.kind === "map") {
      const clock = { uptime: this.#host.environment.uptime, soon: setImmediate };
      return inTurns(this.#frameOf(reply), clock);
    }
    this.#sender.releaseMemory();
    const { statement } = parse(text);
    if (statement instanceof SqlMistake) return messageFrame("");
    if (statement.kind === "use") this.#database = statement.name;
    return messageFrame(doneText(statement, reply, this.#language));
  }

  /** Writes the frame in steps, between which other connections are served. */
  *#frameOf(reply: RelationReply): Generator<void, ByteString> {
    const form = { pageRows: this.#pageRows, maxChars: this.#host.limits.maxOutputBytes };
    try {
      return (yield* relationFrame(reply, form)) ?? this.#refusal("budgetExceeded");
    } catch (problem) {
      // A single row may exceed the maximum string length.
      if (problem instanceof RangeError) return this.#refusal("budgetExceeded");
      throw problem;
    } finally {
      this.#sender.releaseMemory();
    }
  }

  #denied(denial: Denial): ErrorReply {
    const name = denial === "no-login" ? "noLogin" : denial === "no-memory" ? "noMemory" : "noPermission";
    return error(this.#message(name));
  }

  /** Ends the query of a client that has disconnected. */
  disconnected(): void {
    this.#sender.isGone = true;
  }

  #message(name: keyof typeof MESSAGES): ByteString {
    return MESSAGES[name][this.#language];
  }

  #refusal(name: keyof typeof MESSAGES): ByteString {
    return errorFrame(this.#message(name));
  }
}

class SteppedSender extends SessionCommandSender {
  readonly takesSteps = true;
  isGone = false;
  /** Releases the memory of the latest query. */
  releaseMemory = () => {};

  /** A query needs its rows until the frame is written. */
  readonly keepMemory = (release: () => void): void => {
    this.releaseMemory = release;
  };
}

/** Returns an error without Redis's first word, which these clients do not expect. */
const errorOf = (text: ByteString) => errorFrame(text.replace(/^ERR /, ""));
