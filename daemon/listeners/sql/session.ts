/**
 * What a connection of the SQL line protocol asks for: statements, carried out by SQL in the database that the connection has chosen.
 * Statements in, frames out; knows nothing of sockets. Who has to log in sends `login name password` first.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Environment } from "../../../serving/process/environment.js";
import { CommandFailure } from "../../../store/arguments/errors.js";
import { resolveCommand } from "../../../store/command-table.js";
import { SqlMistake } from "../../../store/sql/mistake.js";
import { parse } from "../../../store/sql/parse.js";
import type { CommandPath } from "../../users/command-path.js";
import { Guest, type GuestParts } from "../../users/guest.js";
import { GuestSender } from "../../users/guest-sender.js";
import { errorFrame, messageFrame, PAGE_ROWS, type RelationReply, relationFrame } from "./frames.js";
import { doneText, MESSAGES, type SqlLanguage } from "./words.js";

export interface SqlSessionHost extends GuestParts {
  readonly path: CommandPath;
  readonly environment: Pick<Environment, "clock">;
  readonly limits: { readonly maxOutputBytes: number };
  readonly language: SqlLanguage;
}

/** How many rows the pages of this connection are to have. */
const PAGES = /^(?:pages|pejy)\s+([1-9]\d{0,8})$/i;
/** Blanks of ASCII: byte A0 may be a part of a letter. */
const LOGIN = /^login[ \t\r\n]+([^ \t\r\n]+)[ \t\r\n]+([^ \t\r\n]+)$/i;
/** A browser that was led here by a page, whose data must not be taken for statements. */
const HTTP = /^[A-Z]+ \S+ HTTP\//;

export class SqlSession {
  readonly #host: SqlSessionHost;
  readonly #guest: Guest;
  readonly #sender: GuestSender;
  /** Empty: none is chosen. */
  #database: ByteString = "";
  #pageRows = PAGE_ROWS;

  constructor(host: SqlSessionHost) {
    this.#host = host;
    this.#guest = new Guest(host);
    this.#sender = new GuestSender(this.#guest, host.environment);
  }

  /** Whether nobody has logged in who has to. */
  get isStranger(): boolean {
    return this.#guest.user === null;
  }

  /** @returns the answer; null: the connection is to be closed */
  serve(statement: ByteString): ByteString | Promise<ByteString> | null {
    if (HTTP.test(statement)) return null;
    this.#guest.renew();
    const [login, name = "", password = ""] = LOGIN.exec(statement) ?? [];
    if (login !== undefined) {
      const isIn = this.#guest.logIn(name, password);
      return isIn ? messageFrame(this.#says("loggedIn")) : this.#refuses("wrongLogin");
    }
    const [, rows] = PAGES.exec(statement) ?? [];
    if (rows !== undefined) {
      this.#pageRows = Number(rows);
      return messageFrame(this.#says("pages"));
    }
    const argv = ["SQL", this.#database, statement];
    const command = resolveCommand(argv);
    if (command instanceof CommandFailure) return errorOf(command.reply.text);
    const denial = this.#guest.denial(command, argv, command.flags.includes("denyoom"));
    if (denial !== null)
      return this.#refuses(
        denial === "no-login" ? "noLogin" : denial === "no-memory" ? "noMemory" : "noPermission",
      );
    const reply = this.#host.path.execute(command, argv, this.#sender);
    return reply instanceof Promise
      ? reply.then((settled) => this.#told(statement, settled))
      : this.#told(statement, reply);
  }

  #told(text: ByteString, reply: Reply): ByteString {
    if (reply.kind === "error") return errorOf(reply.text);
    if (reply.kind === "map") return this.#frameOf(reply) ?? this.#refuses("tooMuch");
    const { statement } = parse(text);
    if (statement instanceof SqlMistake) return messageFrame("");
    if (statement.kind === "use") this.#database = statement.name;
    return messageFrame(doneText(statement, reply, this.#host.language));
  }

  /** @returns null: it is longer than any may be */
  #frameOf(reply: RelationReply): ByteString | null {
    try {
      return relationFrame(reply, { pageRows: this.#pageRows, most: this.#host.limits.maxOutputBytes });
    } catch (problem) {
      // One row alone may be longer than any string.
      if (problem instanceof RangeError) return null;
      throw problem;
    }
  }

  #says(what: keyof typeof MESSAGES): ByteString {
    return MESSAGES[what][this.#host.language];
  }

  #refuses(what: keyof typeof MESSAGES): ByteString {
    return errorFrame(this.#says(what));
  }
}

/** The word before an error is Redis's, which these clients do not expect. */
const errorOf = (text: ByteString) => errorFrame(text.replace(/^ERR /, ""));
