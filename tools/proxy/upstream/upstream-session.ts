/**
 * The session of a client: the state that a connection to a server needs before a statement is executed. It is replayed
 * on each new connection.
 */

import type { SqlFrame } from "../../../faces/sql/bytes/sql-frames.js";
import { readSessionRequest } from "../../../faces/sql/bytes/sql-statement.js";
import type { ByteString } from "../../../protocol/byte-string.js";

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
export const useStatement = (database: ByteString): ByteString => `ampiasao ${database}`;

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
export const mayBeUse = (statement: ByteString): boolean => USE.test(statement);

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
export const isSameClient = (one: UpstreamSession, other: UpstreamSession): boolean =>
  one.login === other.login && one.pages === other.pages;

export const isSameSession = (one: UpstreamSession, other: UpstreamSession): boolean =>
  isSameClient(one, other) && one.database === other.database;
