/**
 * Recognizes clients of a protocol that the port does not serve, by the first bytes that they send. For each protocol
 * there is an answer to the client, and a text for the log. The texts are fixed and do not repeat received bytes.
 */

import { messageBytes, refusedAnswer } from "../../../faces/mongo/bytes/mongo-answers.js";
import { errorFrame } from "../../../faces/sql/bytes/sql-frames.js";
import { writeFrame } from "../../../protocol/frame.js";
import { writeRefused } from "../../../protocol/version-2/messages-v2.js";

/** A protocol that dbsyncd speaks on one of its ports, or that clients may try there. */
export type ForeignProtocol = Port | "tls" | "postgresql";

type Port = keyof typeof PORTS;

/** Descriptions of what a port serves, by the port's protocol. */
const PORTS = {
  dbsync: "dbsync's protocol (--port)",
  http: "HTTP (--admin)",
  json: "JSON documents (--json)",
  memcached: "memcached clients (--memcached)",
  mongo: "MongoDB's drivers (--mongo)",
  resp: "Redis clients (--resp)",
  sql: "SQL (--sql)",
  ws: "WebSocket (--ws)",
} as const;

export interface ForeignClient {
  readonly protocol: ForeignProtocol;
  /** The reason for the refusal, which the log and the answer contain. */
  readonly detail: string;
  /**
   * The answer in the client's protocol, one character for each byte, or null to close the connection without an
   * answer, because the protocol has no suitable one.
   */
  readonly answer: string | null;
  /** Whether the client must send another message before it can show an error, so that the connection stays open. */
  readonly isInterim: boolean;
}

/** The maximum number of bytes that are examined. */
const EXAMINED_MAX = 2048;
/**
 * The layout of a MongoDB message header: length, two ids, and the kind. Source: MongoDB's wire protocol, "Standard
 * Message Header".
 */
const MONGO_HEAD_BYTES = 16;
const MONGO_ID_AT = 4;
const MONGO_KIND_AT = 12;
/** The kind of the first message that drivers send to an unknown server. */
const MONGO_QUERY = 2004;
const MONGO_BYTES_MAX = 48_000_000;
/** MongoDB's error code for a protocol error. */
const PROTOCOL_ERROR = 17;
const MONGO_KINDS: readonly number[] = [MONGO_QUERY, 2012, 2013];
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

interface Protocol {
  readonly protocol: ForeignProtocol;
  /**
   * Whether the first bytes of a connection belong to the protocol.
   * @param head  the bytes, one character each
   * @param here  the protocol of the port
   */
  readonly begins: (head: string, chunk: Buffer, here: Port) => boolean;
  /** A description of the client, and the option that serves it. */
  readonly served: string;
  readonly answer: ((text: string, chunk: Buffer) => string) | null;
}

const HTTP = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) \S+ HTTP\/\d/;
/** Matches the arrays of Redis clients, and the lines that people type to test a Redis server. */
const RESP = /^(?:\*[1-9]\d{0,6}\r\n\$\d{1,9}\r\n|(?:ping|info|hello \d|auth \S+)(?: \S+)?\r?\n)/i;
/** Matches memcached commands. No SQL statement has this form. */
const MEMCACHED =
  /^(?:gets? \S[^\r\n]*|(?:set|add|replace|append|prepend|cas) \S+ \d+ -?\d+ \d+[^\r\n]*|(?:version|stats|mn)(?: [^\r\n]*)?)\r\n/;

/** Matches the memcached command that is also an inline command of Redis. On a Redis port, it is Redis's command. */
const MEMCACHED_AND_RESP = /^get /;

/**
 * Matches the beginning of an SQL client's input: a login, the page length, or a statement. No other protocol has such
 * lines. A line `select 1` is Redis's command that selects a database.
 */
const SQL =
  /^\s*(?:login \S+ \S|pages \d|(?:use|create|drop|show|describe)\s+\w|select\s(?!\s*\d+\r?\n)[\s\S]*?\sfrom\s|insert\s+into\s|update\s[\s\S]*?\sset\s|delete\s+from\s)/i;
const MALAGASY_SQL =
  /^\s*(?:manamboara|ravao ny|asehoy ny|ampiasao|famaritana|manampia ao|havaozy|fafao ao|alaivo)\s/i;

const PROTOCOLS: readonly Protocol[] = [
  {
    protocol: "tls",
    begins: (_, chunk) => chunk[0] === 0x16 && chunk[1] === 3,
    served: "a TLS client; dbsyncd speaks TLS with --tls-cert and --tls-key",
    answer: null,
  },
  {
    protocol: "http",
    begins: (head) => HTTP.test(head),
    served:
      "a browser or another HTTP client; --admin serves the dashboard, and --ws serves web pages that send commands",
    answer: httpAnswer,
  },
  {
    protocol: "resp",
    begins: (head) => RESP.test(head),
    served: "a Redis client; --resp serves Redis clients",
    answer: (text) => `-ERR ${text}\r\n`,
  },
  {
    protocol: "memcached",
    begins: (head, _, here) => MEMCACHED.test(head) && !(here === "resp" && MEMCACHED_AND_RESP.test(head)),
    served: "a memcached client; --memcached serves memcached clients",
    answer: (text) => `CLIENT_ERROR ${text}\r\n`,
  },
  {
    protocol: "json",
    begins: (head) => /^\s*[[{]\s*"/.test(head),
    served: "a client for JSON documents; --json serves them",
    answer: (text) => `{"status":"error","message":${JSON.stringify(text)}}\n\r`,
  },
  {
    protocol: "mongo",
    begins: (_, chunk) => isMongo(chunk),
    served: "a MongoDB driver; --mongo serves MongoDB's drivers",
    answer: mongoAnswer,
  },
  {
    protocol: "postgresql",
    begins: (_, chunk) => isPostgresql(chunk),
    served: "a PostgreSQL client, whose protocol dbsyncd does not speak; --sql serves SQL to dbsync sql",
    answer: postgresqlAnswer,
  },
  {
    protocol: "dbsync",
    begins: (head) => /^ds2:\d/.test(head),
    served: "a dbsync client; --port serves dbsync's protocol",
    answer: dbsyncAnswer,
  },
  {
    protocol: "dbsync",
    begins: (head) => /^ds:\d/.test(head),
    served: "a client for version 1 of dbsync's protocol; --port serves it",
    answer: null,
  },
  {
    protocol: "sql",
    begins: isSql,
    served: "an SQL client; --sql serves SQL",
    answer: errorFrame,
  },
];

/** Whether the bytes begin with an SQL statement, or with a line of one that has no `;` yet, as users type it. */
function isSql(head: string): boolean {
  const beginnings = [";", "\n"].map((end) => head.slice(0, head.indexOf(end) + 1));
  return beginnings.some((beginning) => SQL.test(beginning) || MALAGASY_SQL.test(beginning));
}

/** Returns a version 2 refusal that belongs to no envelope. */
function dbsyncAnswer(sentence: string): string {
  const refused = { id: "", code: "malformed", sentence, clock: 0, effect: "not-applied" } as const;
  return writeFrame(writeRefused(refused), 2);
}

/** Returns an error reply to the message at the beginning of `chunk`. */
function mongoAnswer(sentence: string, chunk: Buffer): string {
  const isQuery = chunk.readInt32LE(MONGO_KIND_AT) === MONGO_QUERY;
  const request = { id: chunk.readInt32LE(MONGO_ID_AT), kind: isQuery ? "query" : "message" } as const;
  const failure = { code: PROTOCOL_ERROR, codeName: "ProtocolError", sentence, details: "" };
  return messageBytes(request.id, request.kind, refusedAnswer(failure, request.kind));
}

function isMongo(chunk: Buffer): boolean {
  if (chunk.length < MONGO_HEAD_BYTES) return false;
  const length = chunk.readInt32LE(0);
  const isLong = length >= MONGO_HEAD_BYTES && length <= MONGO_BYTES_MAX;
  return isLong && MONGO_KINDS.includes(chunk.readInt32LE(MONGO_KIND_AT));
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

/** Returns the response to an HTTP request on a port that does not serve HTTP. The connection then closes. */
function httpAnswer(text: string): string {
  const body = `${text}\n`;
  return (
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" +
    `Connection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

/**
 * Recognizes the client that begins a connection with `chunk` if the port does not serve it. Returns null if the port
 * may serve it, or if it is unknown.
 * @param here  the protocol of the port
 * @param also  further protocols that are accepted there
 */
export function foreignClient(
  chunk: Buffer,
  here: Port,
  also: readonly ForeignProtocol[] = [],
): ForeignClient | null {
  const head = chunk.toString("latin1", 0, EXAMINED_MAX);
  const found = PROTOCOLS.find(({ begins }) => begins(head, chunk, here));
  if (found === undefined || found.protocol === here || also.includes(found.protocol)) return null;
  const { protocol, served, answer } = found;
  const detail = `this port serves ${PORTS[here]}, and this is ${served}`;
  const isInterim = protocol === "postgresql" && requestsEncryption(chunk);
  return { protocol, detail, answer: answer?.(detail, chunk) ?? null, isInterim };
}
