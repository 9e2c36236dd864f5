/** The face of clients that send SQL by lines (--sql). */
import type { UserFace } from "../users/user-face.js";
import { errorFrame } from "./bytes/sql-frames.js";
import { checkSqlOptions, SQL_OPTIONS } from "./options.js";
import { relations } from "./store/commands/sql-commands.js";
import { TABLE_KIND } from "./store/values/table.js";

/**
 * Matches the beginning of an SQL client's input: a login, the page length, or a statement. No other protocol has such
 * lines. A line `select 1` is Redis's command that selects a database.
 */
const SQL =
  /^\s*(?:login \S+ \S|pages \d|(?:use|create|drop|show|describe)\s+\w|select\s(?!\s*\d+\r?\n)[\s\S]*?\sfrom\s|insert\s+into\s|update\s[\s\S]*?\sset\s|delete\s+from\s)/i;
const MALAGASY_SQL =
  /^\s*(?:manamboara|ravao ny|asehoy ny|ampiasao|famaritana|manampia ao|havaozy|fafao ao|alaivo)\s/i;

/**
 * The codes of the first message of a PostgreSQL client, after its length: requests for TLS and for GSSAPI, and version
 * 3 of the protocol. Source: PostgreSQL's manual, "Message Formats".
 */
const POSTGRESQL_ENCRYPTION: readonly number[] = [80877103, 80877104];
const POSTGRESQL_VERSION = 3;
const POSTGRESQL_HEAD_BYTES = 8;
const POSTGRESQL_CODE_AT = 4;
const POSTGRESQL_BYTES_MAX = 10_000;
/** PostgreSQL's error code for a protocol violation. */
const POSTGRESQL_ERROR = "08P01";

export const sql: UserFace = {
  options: SQL_OPTIONS,
  checkOptions: checkSqlOptions,
  speaks: {
    ports: { sql: "SQL (--sql)" },
    protocols: [
      {
        protocol: "postgresql",
        begins: (_, chunk) => isPostgresql(chunk),
        served: "a PostgreSQL client, whose protocol dbsyncd does not speak; --sql serves SQL to dbsync sql",
        answer: postgresqlAnswer,
        isInterim: requestsEncryption,
      },
      {
        protocol: "sql",
        begins: isSql,
        served: "an SQL client; --sql serves SQL",
        answer: errorFrame,
      },
    ],
  },
  families: { "sql/relations": { rows: relations, kinds: [TABLE_KIND] } },
  listener: "sql",
  load: async () => (await import("./sql-listener.js")).SqlListener,
};

/** Whether the bytes begin with an SQL statement, or with a line of one that has no `;` yet, as users type it. */
function isSql(head: string): boolean {
  const beginnings = [";", "\n"].map((end) => head.slice(0, head.indexOf(end) + 1));
  return beginnings.some((beginning) => SQL.test(beginning) || MALAGASY_SQL.test(beginning));
}

/**
 * Refuses encryption if the client requests it; libpq then sends the user's name without it. Otherwise returns an
 * error.
 */
function postgresqlAnswer(sentence: string, chunk: Buffer): string {
  if (requestsEncryption(chunk)) return "N";
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${POSTGRESQL_ERROR}\0M${sentence}\0\0`);
  const length = Buffer.alloc(4);
  length.writeInt32BE(length.length + fields.length);
  return `E${Buffer.concat([length, fields]).toString("latin1")}`;
}

function isPostgresql(chunk: Buffer): boolean {
  if (chunk.length <= POSTGRESQL_HEAD_BYTES) return requestsEncryption(chunk);
  const length = chunk.readInt32BE(0);
  const isLong = length > POSTGRESQL_HEAD_BYTES && length <= POSTGRESQL_BYTES_MAX;
  return isLong && chunk.readInt16BE(POSTGRESQL_CODE_AT) === POSTGRESQL_VERSION;
}

/** Whether the message requests TLS or GSSAPI. */
function requestsEncryption(chunk: Buffer): boolean {
  if (chunk.length !== POSTGRESQL_HEAD_BYTES || chunk.readInt32BE(0) !== POSTGRESQL_HEAD_BYTES) return false;
  return POSTGRESQL_ENCRYPTION.includes(chunk.readInt32BE(POSTGRESQL_CODE_AT));
}
