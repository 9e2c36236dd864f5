/** `dbsync export resp:FILE` and `json:FILE`: writes all keys of a database as commands that recreate them, or as lines of JSON. */
import { isUtf8 } from "node:buffer";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { writeNewFile } from "../shared/new-file.js";
import type { AskBuffers } from "../shared/one-daemon.js";
import { progressOf, showProgress } from "../shared/progress.js";
import { type AskedKey, dumpedKeys, Untold } from "./dumped-keys.js";

export type ExportForm = "resp" | "json";

/** Maximum number of omitted keys that are named. */
const NAMED_MAX = 10;

interface Form<Told> {
  readonly tell: (ask: AskBuffers, key: Buffer) => Promise<Told | null>;
  /** Writes a key, as one character for each byte. */
  readonly written: (asked: AskedKey<Told>, db: number) => string;
  /** Writes the beginning of a database. */
  readonly head: (db: number) => string;
}

/** @throws Error  keys were left out, once all remaining ones are in the file; a daemon does not answer; the file exists already */
export async function exportKeys(
  form: ExportForm,
  path: string,
  { ask, db }: { readonly ask: AskBuffers; readonly db: number },
): Promise<void> {
  if (form === "resp") await exportAs(RESP, path, ask, db);
  else await exportAs(JSON_LINES, path, ask, db);
}

async function exportAs<Told>(form: Form<Told>, path: string, ask: AskBuffers, db: number): Promise<void> {
  const all = Number(await ask(["DBSIZE"]));
  const started = performance.now();
  const left: string[] = [];
  let count = 0;
  await writeNewFile(path, async (write) => {
    using _ = showProgress(() => progressOf(count, all, "keys", started));
    await write(form.head(db));
    const leave = (key: Buffer, reason: string) => {
      left.push(`  ${JSON.stringify(key.toString())}: ${reason}`);
    };
    for await (const asked of dumpedKeys(ask, form.tell, leave)) {
      await write(form.written(asked, db));
      count++;
    }
  });
  process.stderr.write(`dbsync: ${count} ${count === 1 ? "key" : "keys"} written\n`);
  if (left.length === 0) return;
  const more = left.length > NAMED_MAX ? `\n  and ${left.length - NAMED_MAX} more` : "";
  throw new Error(`${left.length} could not be written:\n${left.slice(0, NAMED_MAX).join("\n")}${more}`);
}

const latin1 = (bytes: Buffer) => bytes.toString("latin1");

/** The form that `redis-cli --pipe` reads. */
const RESP: Form<Buffer> = {
  tell: async (ask, key) => (await ask(["DUMP", key])) as Buffer | null,
  head: (db) => writeCommand(["SELECT", String(db)]),
  written: ({ key, expires, told }) =>
    writeCommand(["RESTORE", latin1(key), String(expires ?? 0), latin1(told), "REPLACE", "ABSTTL"]),
};

interface TypedValue {
  readonly type: string;
  readonly value: unknown;
}

const JSON_LINES: Form<TypedValue> = {
  async tell(ask, key) {
    const type = String(await ask(["TYPE", key]));
    if (type === "none") return null;
    const read = READS[type];
    if (read === undefined) throw new Untold(`its type is ${type}`);
    const [command, shape] = read;
    const value = await ask([command[0] as string, key, ...command.slice(1)]);
    return value === null ? null : { type, value: shape(value) };
  },
  head: () => "",
  written: ({ key, expires, told: { type, value } }, db) => {
    const line = JSON.stringify({ db, key: plain(key), type, expires, value });
    return `${Buffer.from(line).toString("latin1")}\n`;
  },
};

/** The command that reads a value, and the conversion of its answer. */
type Read = readonly [command: readonly string[], shape: (value: ReplyValue) => unknown];

const READS: Readonly<Record<string, Read>> = {
  string: [["GET"], plain],
  list: [["LRANGE", "0", "-1"], plain],
  set: [["SMEMBERS"], plain],
  hash: [["HGETALL"], pairs],
  zset: [
    ["ZRANGE", "0", "-1", "WITHSCORES"],
    (value) => pairs(value).map(([member, score]) => [member, String(score)]),
  ],
  stream: [["XRANGE", "-", "+"], plain],
};

/** Converts a value to JSON; bytes that are not text become `{"base64": …}`. */
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
