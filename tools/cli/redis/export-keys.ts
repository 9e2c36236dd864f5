/**
 * `dbsync export resp:FILE` and `json:FILE`: writes all keys of a database as commands that recreate them, or as lines
 * of JSON.
 */
import { isUtf8 } from "node:buffer";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { discard, publishNew, unwritable } from "../../../keys/atomic-file.js";
import { errnoOf } from "../../../keys/key-source.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { firstLines, printNotice } from "../shared/output.js";
import { progressOf, showProgress } from "../shared/progress.js";
import type { BufferQuery } from "../shared/requests.js";

export type ExportForm = "resp" | "json";

interface Form<Value> {
  readonly read: (query: BufferQuery, key: Buffer) => Promise<Value | null>;
  /** Formats a key; each character is a byte. */
  readonly format: (dumped: DumpedKey<Value>, db: number) => string;
  /** Formats the beginning of a database. */
  readonly head: (db: number) => string;
}

/**
 * Writes all keys.
 * @throws Error  a daemon does not answer; the file exists; some keys could not be written, but all other keys were
 */
export async function exportKeys(
  form: ExportForm,
  path: string,
  { query, db }: { readonly query: BufferQuery; readonly db: number },
): Promise<void> {
  if (form === "resp") await exportAs(RESP, path, query, db);
  else await exportAs(JSON_LINES, path, query, db);
}

async function exportAs<Value>(
  form: Form<Value>,
  path: string,
  query: BufferQuery,
  db: number,
): Promise<void> {
  const all = Number(await query(["DBSIZE"]));
  const started = performance.now();
  const skipped: string[] = [];
  let count = 0;

  await writeNewFile(path, async (write) => {
    using _ = showProgress(() => progressOf(count, all, "keys", started));
    await write(form.head(db));
    const skip = (key: Buffer, reason: string) => {
      skipped.push(`  ${JSON.stringify(key.toString())}: ${reason}`);
    };
    for await (const dumped of dumpedKeys(query, form.read, skip)) {
      await write(form.format(dumped, db));
      count++;
    }
  });

  printNotice(`${count} ${count === 1 ? "key" : "keys"} written`);
  if (skipped.length === 0) return;
  throw new Error(`${skipped.length} could not be written:\n${firstLines(skipped)}`);
}

const latin1 = (bytes: Buffer) => bytes.toString("latin1");

/** The form that `redis-cli --pipe` reads. */
const RESP: Form<Buffer> = {
  read: async (query, key) => (await query(["DUMP", key])) as Buffer | null,
  head: (db) => writeCommand(["SELECT", String(db)]),
  format: ({ key, expires, value }) =>
    writeCommand(["RESTORE", latin1(key), String(expires ?? 0), latin1(value), "REPLACE", "ABSTTL"]),
};

interface TypedValue {
  readonly type: string;
  readonly value: unknown;
}

const JSON_LINES: Form<TypedValue> = {
  async read(query, key) {
    const type = String(await query(["TYPE", key]));
    if (type === "none") return null;
    const reading = READS.get(type);
    if (reading === undefined) throw new UnreadableKey(`its type is ${type}`);
    const [command, shape] = reading;
    const value = await query([command[0] as string, key, ...command.slice(1)]);
    return value === null ? null : { type, value: shape(value) };
  },
  head: () => "",
  format: ({ key, expires, value: { type, value } }, db) => {
    const line = JSON.stringify({ db, key: plain(key), type, expires, value });
    return `${Buffer.from(line).toString("latin1")}\n`;
  },
};

/** The command that reads a value, and the conversion of its answer. */
type Read = readonly [command: readonly string[], shape: (value: ReplyValue) => unknown];

const READS: ReadonlyMap<string, Read> = new Map<string, Read>(
  Object.entries({
    string: [["GET"], plain],
    list: [["LRANGE", "0", "-1"], plain],
    set: [["SMEMBERS"], plain],
    hash: [["HGETALL"], pairs],
    zset: [
      ["ZRANGE", "0", "-1", "WITHSCORES"],
      (value) => pairs(value).map(([member, score]) => [member, String(score)]),
    ],
    stream: [["XRANGE", "-", "+"], plain],
  }),
);

/** Converts a value for JSON; bytes that are not text become `{"base64": …}`. */
function plain(value: ReplyValue): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!Buffer.isBuffer(value)) return value;
  return isUtf8(value) ? value.toString() : { base64: value.toString("base64") };
}

function pairs(value: ReplyValue): (readonly [unknown, unknown])[] {
  const items = Array.isArray(value) ? value : [];
  return items.flatMap((name, i) =>
    i % 2 === 0 ? [[plain(name), plain(items[i + 1] ?? null)] as const] : [],
  );
}

interface DumpedKey<Value> {
  readonly key: Buffer;
  /** The expiry time in milliseconds since 1970, or null if the key does not expire. */
  readonly expires: number | null;
  readonly value: Value;
}

/** Thrown for a key that cannot be read; the message is the reason, without a full stop. */
class UnreadableKey extends Error {
  override readonly name = "UnreadableKey";
}

const SCAN_COUNT = "512";
/** Number of keys that are read together; all their values are in memory. */
const CONCURRENT_READS = 64;

/**
 * Yields all keys with their values.
 * @param read  reads a key; returns null if it no longer exists; may throw `UnreadableKey`
 * @param skipped  receives each key that cannot be read, with the reason
 */
async function* dumpedKeys<Value>(
  query: BufferQuery,
  read: (query: BufferQuery, key: Buffer) => Promise<Value | null>,
  skipped: (key: Buffer, reason: string) => void,
): AsyncGenerator<DumpedKey<Value>> {
  const one = async (key: Buffer): Promise<DumpedKey<Value> | null> => {
    const [expires, value] = await Promise.all([
      query(["PEXPIRETIME", key]),
      read(query, key).catch((problem: unknown) => {
        const isOfKey =
          problem instanceof UnreadableKey || (problem instanceof DbsyncError && problem.code === "reply");
        if (!isOfKey) throw problem;
        skipped(key, problem.message);
        return null;
      }),
    ]);
    return value === null ? null : { key, expires: Number(expires) < 0 ? null : Number(expires), value };
  };

  let cursor: ReplyValue = "0";
  do {
    const [next, found] = (await query(["SCAN", String(cursor), "COUNT", SCAN_COUNT])) as [Buffer, Buffer[]];
    cursor = String(next);
    for (let from = 0; from < found.length; from += CONCURRENT_READS)
      for (const dumped of await Promise.all(found.slice(from, from + CONCURRENT_READS).map(one)))
        if (dumped !== null) yield dumped;
  } while (cursor !== "0");
}

/** The file's mode; only its owner may read it, because it contains data. */
const MODE = 0o600;
const NAME_BYTES = 6;
/** Number of characters that are buffered for one write. */
const BUFFER_CHARS = 256 * 1024;

/** Writes bytes; each character is a byte. */
type Write = (bytes: string) => Promise<void>;

/**
 * Creates a file in pieces. The file appears under its name only when it is complete, and never replaces an existing
 * file.
 * @param path  the file's path; "-" is standard output
 * @throws Error  the file already exists or cannot be written; also the errors of `fill`. No incomplete file remains
 * after an error.
 */
async function writeNewFile(path: string, fill: (write: Write) => Promise<void>): Promise<void> {
  if (path === "-") return await fill(writeOut);
  if (existsSync(path)) throw fileExists(path);
  const staged = join(dirname(path), `.${basename(path)}.${randomBytes(NAME_BYTES).toString("hex")}.tmp`);
  const file = await open(staged, "wx", MODE).catch((problem: Error) => {
    throw failed(path, problem);
  });

  try {
    await writeBuffered(file, fill);
    await file.sync();
    publishNew(staged, path);
  } catch (problem) {
    throw errnoOf(problem) === "EEXIST" ? fileExists(path) : failed(path, problem);
  } finally {
    await file.close();
    discard(staged);
  }
}

async function writeBuffered(file: FileHandle, fill: (write: Write) => Promise<void>): Promise<void> {
  let buffer: string[] = [];
  let length = 0;
  const flush = async () => {
    const bytes = Buffer.from(buffer.join(""), "latin1");
    buffer = [];
    length = 0;
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
  };

  await fill(async (bytes) => {
    buffer.push(bytes);
    length += bytes.length;
    if (length >= BUFFER_CHARS) await flush();
  });
  await flush();
}

async function writeOut(bytes: string): Promise<void> {
  if (process.stdout.write(bytes, "latin1")) return;
  await new Promise((resolve) => process.stdout.once("drain", resolve));
}

function failed(path: string, problem: unknown): unknown {
  const sentence = unwritable(path, problem);
  return sentence === null ? problem : new Error(sentence, { cause: problem });
}

const fileExists = (path: string) => new Error(`${path} already exists; choose another name`);
