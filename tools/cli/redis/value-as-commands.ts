/**
 * Reads a value in pieces by the commands of its type, and yields the commands that recreate it. An import reads a
 * value in this way if its serialized form (DUMP) is not available, not accepted or too long. No client may write the
 * key at the same time.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { PlainReply } from "../../../protocol/reply.js";
import { bulksOf, bytesIn, type RedisSource } from "./redis-source.js";

/** Maximum number of elements in a piece. */
const PIECE_ELEMENTS = 500;
const PIECE = String(PIECE_ELEMENTS);

export type Argv = readonly ByteString[];

type Pieces = (source: RedisSource, key: ByteString) => AsyncGenerator<Argv>;

/** Returns the reader for a type as TYPE reports it, or null for a type of a Redis module, which cannot be read. */
export function piecesOf(type: ByteString): Pieces | null {
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

function fieldsOf(reply: PlainReply): ReadonlyMap<ByteString, ByteString> {
  const items = reply.kind === "array" ? reply.items : [];
  const fields = new Map<ByteString, ByteString>();
  for (let i = 0; i + 1 < items.length; i += 2)
    fields.set(bytesIn(items[i] as PlainReply), bytesIn(items[i + 1] as PlainReply));
  return fields;
}
