/**
 * `dbsync export resp:FILE` and `json:FILE`: writes all keys of a database as commands that recreate them, or as lines
 * of JSON.
 */
import { isUtf8 } from "node:buffer";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import type { BufferQuery } from "../shared/first-answering-daemon.js";
import { writeNewFile } from "../shared/new-file.js";
import { printNotice } from "../shared/output.js";
import { progressOf, showProgress } from "../shared/progress.js";
import { type DumpedKey, dumpedKeys, UnreadableKey } from "./dumped-keys.js";

export type ExportForm = "resp" | "json";

/** Maximum number of omitted keys that are named. */
const NAMED_MAX = 10;

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
  const more = skipped.length > NAMED_MAX ? `\n  and ${skipped.length - NAMED_MAX} more` : "";
  throw new Error(
    `${skipped.length} could not be written:\n${skipped.slice(0, NAMED_MAX).join("\n")}${more}`,
  );
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
