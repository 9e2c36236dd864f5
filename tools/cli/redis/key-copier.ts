/** Copies keys of a Redis to all daemons, in serialized form or, if that fails, by the commands of their types. */
import { createHash } from "node:crypto";
import { DbsyncError } from "../../../client/shared/errors.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { PlainReply } from "../../../protocol/reply.js";
import type { SendToAll } from "../shared/requests.js";
import { bulksOf, bytesIn, RedisError, type RedisSource } from "./redis-source.js";

/**
 * Maximum length of a serialized value; longer values are copied in pieces, because the size of an envelope is limited.
 */
const DUMP_BYTES_MAX = 16 * 1024 * 1024;
/** Maximum number and total length of pieces in flight; each entry of a stream is a piece. */
export const PIECES_IN_FLIGHT_MAX = 500;
export const PIECE_BYTES_IN_FLIGHT_MAX = 1024 * 1024;
/** The error of a daemon, or of the Redis behind it, for an unknown serialization format. */
const UNKNOWN_FORM = /payload version or checksum|Bad data format/;

/**
 * The outcome of copying a key. `dump`: copied in serialized form; `pieces`: copied by the commands of its type;
 * `absent`: the key has expired or was deleted; `same`: its mark is unchanged; otherwise the reason why it was not
 * copied.
 */
export type CopyOutcome = "dump" | "pieces" | "absent" | "same" | { readonly reason: string };

/** Marks (hashes of value and expiry) of the copied keys; a key with an unchanged mark is not copied again. */
export type Marks = Map<ByteString, string>;

/** The mark of a key that was copied in pieces; it differs from all other marks. */
const UNMARKED = "";

export class KeyCopier {
  readonly #source: RedisSource;
  readonly #send: SendToAll;
  /** The command that reads the expiry: as a date if the server supports that, otherwise as the remaining time. */
  readonly #expiry: "PEXPIRETIME" | "PTTL";
  /** The reason why serialized values are refused, or null if none has been refused so far. */
  #refused: string | null = null;
  readonly #marks: Marks | null;

  private constructor(
    source: RedisSource,
    send: SendToAll,
    expiry: "PEXPIRETIME" | "PTTL",
    marks: Marks | null,
  ) {
    this.#source = source;
    this.#marks = marks;
    this.#send = send;
    this.#expiry = expiry;
  }

  /** @param marks  the marks of the keys copied so far, or null if all keys are copied */
  static async of(source: RedisSource, send: SendToAll, marks: Marks | null = null): Promise<KeyCopier> {
    const knowsDates = await source.query(["PEXPIRETIME", ""]).then(
      () => true,
      () => false,
    );
    return new KeyCopier(source, send, knowsDates ? "PEXPIRETIME" : "PTTL", marks);
  }

  /** The reason why all values are copied in pieces, or null if they are copied in serialized form. */
  get refused(): string | null {
    return this.#refused;
  }

  /** Copies the key's value and expiry to the daemons. @throws DbsyncError; Error  a connection failed */
  async copy(key: ByteString): Promise<CopyOutcome> {
    const expiryReply = this.#source.query([this.#expiry, key]);
    const dumpReply = this.#refused === null ? this.#source.query(["DUMP", key]) : null;
    const [expiry, dump] = await Promise.allSettled([expiryReply, dumpReply]);
    if (expiry.status === "rejected") throw expiry.reason;

    const expires = this.#dateOf(Number(bytesIn(expiry.value)));
    if (dump.status === "rejected") {
      if (!(dump.reason instanceof RedisError)) throw dump.reason;
      this.#refused = `DUMP: ${dump.reason.message}`;
      return await this.#copyPieces(key, expires);
    }
    if (dump.value === null) return await this.#copyPieces(key, expires);
    if (dump.value.kind !== "bulk") return "absent";

    const { bytes } = dump.value;
    const mark = this.#marks === null ? UNMARKED : markOf(bytes, expires);
    if (mark !== UNMARKED && this.#marks?.get(key) === mark) return "same";

    if (bytes.length > DUMP_BYTES_MAX) return await this.#copyPieces(key, expires);
    try {
      await this.#write(["RESTORE", key, String(expires ?? 0), bytes, "REPLACE", "ABSTTL"]);
      this.#marks?.set(key, mark);
      return "dump";
    } catch (problem) {
      if (!(problem instanceof DbsyncError) || !UNKNOWN_FORM.test(problem.message)) throw problem;
      if (/payload version/.test(problem.message))
        this.#refused = "RESTORE: the daemons do not know this newer format";
      return await this.#copyPieces(key, expires);
    }
  }

  async #copyPieces(key: ByteString, expires: number | null): Promise<CopyOutcome> {
    const type = bytesIn(await this.#source.query(["TYPE", key]));
    if (type === "none") return "absent";
    const pieces = piecesOf(type);
    if (pieces === null) return { reason: `its type is ${textOfBytes(type)}` };
    // Until the copy is complete, no mark may say that the key was copied.
    this.#marks?.set(key, UNMARKED);
    await this.#write(["DEL", key]);
    await this.#writeAll(pieces(this.#source, key));
    if (expires !== null) await this.#write(["PEXPIREAT", key, String(expires)]);
    return "pieces";
  }

  /**
   * Sends commands. Commands that are in flight together keep their order, because the client assigns their dates in
   * the order of the calls.
   */
  async #writeAll(all: AsyncIterable<Argv>): Promise<void> {
    let together: Argv[] = [];
    let bytes = 0;
    const flush = async () => {
      const sent = together;
      [together, bytes] = [[], 0];
      await Promise.all(sent.map((argv) => this.#write(argv)));
    };

    for await (const argv of all) {
      const length = argv.reduce((sum, argument) => sum + argument.length, 0);
      if (bytes + length > PIECE_BYTES_IN_FLIGHT_MAX || together.length === PIECES_IN_FLIGHT_MAX)
        await flush();
      together.push(argv);
      bytes += length;
    }
    await flush();
  }

  async #write(argv: Argv): Promise<void> {
    await this.#send(argv.map((argument) => Buffer.from(argument, "latin1")));
  }

  /** Returns milliseconds since 1970, or null if the key does not expire or no longer exists. */
  #dateOf(answer: number): number | null {
    if (answer < 0) return null;
    return this.#expiry === "PEXPIRETIME" ? answer : Date.now() + answer;
  }
}

const markOf = (dump: ByteString, expires: number | null): string =>
  createHash("sha1").update(`${expires} `).update(dump, "latin1").digest("base64");

/** Maximum number of elements in a piece. */
const PIECE_ELEMENTS = 500;
const PIECE = String(PIECE_ELEMENTS);

type Argv = readonly ByteString[];

/**
 * Reads a value in pieces by the commands of its type, and yields the commands that recreate it. An import reads a
 * value in this way if its serialized form (DUMP) is not available, not accepted or too long. No client may write the
 * key at the same time.
 */
type Pieces = (source: RedisSource, key: ByteString) => AsyncGenerator<Argv>;

/** Returns the reader for a type as TYPE reports it, or null for a type of a Redis module, which cannot be read. */
function piecesOf(type: ByteString): Pieces | null {
  return Object.hasOwn(PIECES, type) ? (PIECES[type] as Pieces) : null;
}

const PIECES: Readonly<Record<string, Pieces>> = { string, list, hash, set, zset, stream };

async function* string(source: RedisSource, key: ByteString): AsyncGenerator<Argv> {
  const reply = await source.query(["GET", key]);
  // The key may have been deleted since its type was requested.
  if (reply.kind === "bulk") yield ["SET", key, reply.bytes];
}

async function* list(source: RedisSource, key: ByteString): AsyncGenerator<Argv> {
  for (let from = 0; ; from += PIECE_ELEMENTS) {
    const range = ["LRANGE", key, String(from), String(from + PIECE_ELEMENTS - 1)];
    const elements = bulksOf(await source.query(range));
    if (elements.length > 0) yield ["RPUSH", key, ...elements];
    if (elements.length < PIECE_ELEMENTS) return;
  }
}

async function* hash(source: RedisSource, key: ByteString): AsyncGenerator<Argv> {
  for await (const pairs of scanned(source, "HSCAN", key)) yield ["HSET", key, ...pairs];
}

async function* set(source: RedisSource, key: ByteString): AsyncGenerator<Argv> {
  for await (const members of scanned(source, "SSCAN", key)) yield ["SADD", key, ...members];
}

async function* zset(source: RedisSource, key: ByteString): AsyncGenerator<Argv> {
  for await (const pairs of scanned(source, "ZSCAN", key)) {
    const swapped: ByteString[] = [];
    for (let i = 0; i + 1 < pairs.length; i += 2) swapped.push(pairs[i + 1] as string, pairs[i] as string);
    yield ["ZADD", key, ...swapped];
  }
}

async function* scanned(source: RedisSource, name: string, key: ByteString): AsyncGenerator<ByteString[]> {
  let cursor = "0";
  do {
    const reply = await source.query([name, key, cursor, "COUNT", PIECE]);
    const [next, elements] = reply.kind === "array" ? reply.items : [];
    cursor = next === undefined ? "0" : bytesIn(next);
    const found = bulksOf(elements);
    // Redis returns a small collection completely, whatever COUNT is.
    for (let at = 0; at < found.length; at += 2 * PIECE_ELEMENTS)
      yield found.slice(at, at + 2 * PIECE_ELEMENTS);
  } while (cursor !== "0");
}

/**
 * Yields commands that recreate a stream's entries, ids and consumer groups. No command can recreate the pending
 * entries of consumers.
 */
async function* stream(source: RedisSource, key: ByteString): AsyncGenerator<Argv> {
  const facts = fieldsOf(await source.query(["XINFO", "STREAM", key]));
  // Entries after this id were added later; without this limit the loop might never end.
  const last = facts.get("last-generated-id") ?? "0-0";

  let count = 0;
  for (let from = "-"; ; ) {
    const reply = await source.query(["XRANGE", key, from, last, "COUNT", PIECE]);
    const entries = reply.kind === "array" ? reply.items : [];
    for (const entry of entries) {
      const [id, fields] = entry.kind === "array" ? entry.items : [];
      const at = id === undefined ? "" : bytesIn(id);
      yield ["XADD", key, at, ...bulksOf(fields)];
      from = `(${at}`;
    }
    count += entries.length;
    if (entries.length < PIECE_ELEMENTS) break;
  }

  // These commands create a stream without entries: they add an entry and remove it.
  if (count === 0)
    yield* [
      ["XADD", key, "0-1", "a", "b"],
      ["XTRIM", key, "MAXLEN", "0"],
    ];

  const added = facts.get("entries-added");
  const deleted = facts.get("max-deleted-entry-id");
  const more =
    added === undefined || deleted === undefined ? [] : ["ENTRIESADDED", added, "MAXDELETEDID", deleted];
  yield ["XSETID", key, last, ...more];

  const groups = await source.query(["XINFO", "GROUPS", key]);
  for (const group of groups.kind === "array" ? groups.items : []) {
    const fields = fieldsOf(group);
    const read = fields.get("entries-read");
    const entriesRead = read === undefined || read === "" ? [] : ["ENTRIESREAD", read];
    const [name = "", id = "0-0"] = [fields.get("name"), fields.get("last-delivered-id")];
    yield ["XGROUP", "CREATE", key, name, id, ...entriesRead];
  }
}

/** Converts a reply of alternating names and values to a map. */
function fieldsOf(reply: PlainReply): ReadonlyMap<ByteString, ByteString> {
  const items = reply.kind === "array" ? reply.items : [];
  const fields = new Map<ByteString, ByteString>();
  for (let i = 0; i + 1 < items.length; i += 2)
    fields.set(bytesIn(items[i] as PlainReply), bytesIn(items[i + 1] as PlainReply));
  return fields;
}
