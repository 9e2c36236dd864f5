/**
 * The state that a connection to a server needs before a statement is executed on it: it is the client's, and replayed on each new
 * connection.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { SqlFrame } from "../../protocol/sql-frames.js";
import { readAside } from "../../protocol/sql-statement.js";

export interface UpstreamSession {
  /** The complete statement `login name password`; "": not logged in. */
  readonly login: ByteString;
  /** The whole statement `pages 100`; "": as the server has them. */
  readonly pages: ByteString;
  /** "": none is chosen. */
  readonly database: ByteString;
}

export const NEW_SESSION: UpstreamSession = { login: "", pages: "", database: "" };

/** Both words of USE are known to dbsyncd, this one to the original as well. */
export const useOf = (database: ByteString): ByteString => `ampiasao ${database}`;

/**
 * A server's answers to a USE that it took, in either language: so it is known that a database was chosen, however the statement was
 * written. Spaces are those of ASCII: byte A0 may be a part of a letter.
 */
const CHOSEN =
  /^RESULT_MESSAGE\n(?:Ny tahiry : ([^ \t\r\n]+) dia miasa ankehitriny|database ([^ \t\r\n]+) is chosen)\nEND\n$/;
/** No such answer is longer. */
const CHOSEN_MAX = 1024;
/** A USE of servers with other answers. The original takes what follows the word even without a space. */
const USE = /^#?(?:ampiasao|use)/i;
const USE_NAME = /^#?(?:ampiasao@?|use)[ \t\r\n]+([^ \t\r\n]+)$/i;

/** Whether a server may take it for a USE, after which the database is another one, or none. */
export const mayChoose = (statement: ByteString): boolean => USE.test(statement);

/** Returns the session after a statement that was answered. */
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
  const aside = readAside(statement);
  if (aside?.kind === "login") return { ...session, login: statement };
  return aside?.kind === "pages" ? { ...session, pages: statement } : session;
}

/** Whether sessions may share connections, if databases are chosen again. */
export const isSameClient = (one: UpstreamSession, other: UpstreamSession): boolean =>
  one.login === other.login && one.pages === other.pages;

export const isSameSession = (one: UpstreamSession, other: UpstreamSession): boolean =>
  isSameClient(one, other) && one.database === other.database;
