/** Determines the order in which servers are tried for a statement, from the placement key of the write. */
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { PlacedObject, StatementKind } from "./statement-kind.js";

export interface OrderedServer {
  readonly id: string;
  readonly isWritable: boolean;
  readonly isReadable: boolean;
  /** Whether the server is expected to answer. */
  readonly isUp: boolean;
}

export interface OrderRules {
  /** Whether all reads of a database are sent to one server; otherwise they are sent to all in turn. */
  readonly readsByRendezvous: boolean;
  /** Whether all writes are sent to the first server. */
  readonly writesToFirst: boolean;
  readonly partition: Partition;
  readonly hash: RendezvousHash;
}

export class ServerOrder<Server extends OrderedServer> {
  readonly #readers: readonly Server[];
  readonly #writers: readonly Server[];
  readonly #rules: OrderRules;
  /** The number of statements that were sent to the readers in turn. */
  #turn = 0;

  constructor(servers: readonly Server[], rules: OrderRules) {
    this.#readers = servers.filter(({ isReadable }) => isReadable);
    this.#writers = servers.filter(({ isWritable }) => isWritable);
    this.#rules = rules;
  }

  /** Returns the servers for a statement, the first one to try first. @param database  the session's; empty: none */
  of(kind: StatementKind, statement: ByteString, database: ByteString): readonly Server[] {
    if (kind.kind === "write") return this.#ofWrite(kind.object, statement, database);
    const isPlaced = kind.kind === "read" && database !== "" && this.#rules.readsByRendezvous;
    return isPlaced ? rendezvous(this.#readers, keyOfDatabase(database), this.#rules.hash) : this.#inTurn();
  }

  #ofWrite(object: PlacedObject | null, statement: ByteString, database: ByteString): readonly Server[] {
    const { writesToFirst, partition, hash } = this.#rules;
    if (writesToFirst) return this.#writers;
    const key =
      hash === "original" ? originalKey(statement, database) : placementKey(object, database, partition);
    return key === null ? this.#writers : rendezvous(this.#writers, key, hash);
  }

  /** Returns the servers that are up, beginning with the next one in turn, followed by the remaining ones. */
  #inTurn(): readonly Server[] {
    const up = this.#readers.filter(({ isUp }) => isUp);
    if (up.length === 0) return this.#readers;
    const first = this.#turn++ % up.length;
    const others = this.#readers.filter(({ isUp }) => !isUp);
    return [...up.slice(first), ...up.slice(0, first), ...others];
  }
}

/** Whether the objects of a database are placed together or separately. */
export type Partition = "database" | "object";

/**
 * Returns the placement key of a write. Writes with equal keys are sent to the same server. Source:
 * test/vectors/sql/GRAMMAR.md, "Session and routing".
 * @param database  the connection's database; empty if there is none
 */
export function placementKey(
  object: PlacedObject | null,
  database: ByteString,
  partition: Partition,
): ByteString {
  if (object?.kind === "database") return keyOfDatabase(object.name);
  const databaseKey = keyOfDatabase(database);
  return object === null || partition === "database"
    ? databaseKey
    : `${databaseKey}|${object.kind.toUpperCase()}:${object.name}`;
}

/** Returns the placement key of a database. */
export const keyOfDatabase = (name: ByteString): ByteString => `DB:${name}`;

/**
 * Matches statements as the original does: with one space between words, and for DELETE only the form with `#`. Byte A0
 * may be a part of a letter. In this order, they are CREATE and DROP DATABASE; CREATE and DROP TABLE, VIEW and DOMAIN;
 * INSERT and DELETE; and UPDATE.
 */
const OF_DATABASE = /^(?:manamboara|ravao ny) tahiry[ \t\r\n]+([^ \t\r\n;(]+)/i;
const OF_OBJECT = /^(?:manamboara|ravao ny) (tabilao|jery|efitra)[ \t\r\n]+([^ \t\r\n;(@]+)/i;
const OF_ROWS = /^(?:manampia ao@|fafao #ao@)[ \t\r\n]*([^ \t\r\n;(#]+)/i;
const OF_UPDATE = /^havaozy\b/i;
const KINDS: Readonly<Record<string, string>> = { tabilao: "TABLE", jery: "VIEW", efitra: "DOMAIN" };

/**
 * Returns the placement key that the original computes for a write, even where the original parses a name wrongly.
 * Returns null if the original computes no key; such a write is sent to the first server.
 */
export function originalKey(statement: ByteString, database: ByteString): ByteString | null {
  const [, made] = OF_DATABASE.exec(statement) ?? [];
  if (made !== undefined) return keyOfDatabase(made);
  const object = objectOf(statement);
  return object === null ? null : `${keyOfDatabase(database)}|${object}`;
}

function objectOf(statement: ByteString): ByteString | null {
  const [, kind, name] = OF_OBJECT.exec(statement) ?? [];
  if (kind !== undefined) return `${KINDS[kind.toLowerCase()]}:${name}`;
  const [, table] = OF_ROWS.exec(statement) ?? [];
  if (table !== undefined) return `TABLE:${table}`;
  // The original uses the last two letters of the verb as the table's name.
  return OF_UPDATE.test(statement) ? "TABLE:zy" : null;
}

/** The hash for scores: `even`, or `original`, which gives similar scores to servers with similar names. */
export type RendezvousHash = "even" | "original";

/**
 * Returns the servers ordered by score, highest first; servers with equal scores keep their order. This is rendezvous
 * hashing: when a server is removed, only its keys move, each to the next server in the key's order.
 */
export function rendezvous<Server extends Pick<OrderedServer, "id">>(
  servers: readonly Server[],
  key: ByteString,
  hash: RendezvousHash,
): readonly Server[] {
  if (servers.length < 2) return servers;
  const text = textOfBytes(key);
  const scored = servers.map((server) => ({ server, score: scoreOf(`${text}|${server.id}`, hash) }));
  return scored
    .sort((one, other) => (one.score < other.score ? 1 : one.score > other.score ? -1 : 0))
    .map(({ server }) => server);
}

const scoreOf = (text: string, hash: RendezvousHash): bigint | number =>
  hash === "even" ? mixed(text) : signedFnv1a(text);

/** The offset basis and the prime of 64-bit FNV-1a. */
const OFFSET = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;

/** Computes 64-bit FNV-1a over UTF-16 units, as a signed number. Source: test/vectors/sql/GRAMMAR.md. */
function signedFnv1a(text: string): bigint {
  let sum = OFFSET;
  for (let i = 0; i < text.length; i++) sum = BigInt.asUintN(64, (sum ^ BigInt(text.charCodeAt(i))) * PRIME);
  return BigInt.asIntN(64, sum);
}

/** Computes 32-bit FNV-1a, followed by MurmurHash3's final step, which makes each bit depend on each character. */
function mixed(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return (sum ^ (sum >>> 16)) >>> 0;
}
