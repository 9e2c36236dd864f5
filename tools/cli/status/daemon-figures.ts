/** Reads the figures that daemons report to administrators (INFO dbsync), and whether their databases answer. */
import type { Settings } from "../../../client/settings/client-settings.js";
import { loadSigningKey, type SigningKey } from "../../../client/settings/signing-key.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { queryEach } from "../keys/fetch-key-rings.js";
import { FOR_ADMINISTRATORS } from "./read-timeline-status.js";

/** A daemon's current figures, and its counts since the start. Times are in seconds, sizes in bytes. */
export interface DaemonFigures {
  /** The version of the daemon's program. */
  readonly software: string;
  readonly uptime: number;
  /** Number of connections. */
  readonly clients: number;
  /** Number of answered commands, and how many of the answers were errors. */
  readonly commands: number;
  readonly errors: number;
  /** Number of requests that were not answered. */
  readonly refusals: number;
  /** Number of keys in all databases, or null if they are in a Redis or on other daemons. */
  readonly keys: number | null;
  /** Memory in bytes. `limit` is 0 if there is no limit. */
  readonly memory: { readonly used: number; readonly resident: number; readonly limit: number };
  readonly backends: readonly { readonly name: string; readonly up: boolean }[];
  /** Figures of the stream that orders the daemon's writes, or null if there is no stream. */
  readonly order: OrderFigures | null;
  /**
   * Number of answers by duration. `max` is the end of a range of durations in microseconds, or Infinity for the last
   * range; each range begins at the end of the previous one.
   */
  readonly times: readonly (readonly [max: number, count: number])[];
}

export interface OrderFigures {
  /**
   * The number of the last applied message, the count of messages that are still to be applied, and the count of
   * envelopes whose messages have not come back from the stream yet.
   */
  readonly applied: number;
  readonly behind: number;
  readonly waiting: number;
  /** The reason why the daemon cannot read or write the stream, or null if it can. */
  readonly trouble: string | null;
  /** The free and the total bytes of the disk with the data folder if that disk is nearly full; otherwise null. */
  readonly lowDisk: { readonly free: number; readonly size: number } | null;
}

export interface FiguresAnswer {
  readonly figures: DaemonFigures | null;
  /** The database that does not answer ("" if its name is unknown), or null if all known databases answer. */
  readonly missing: string | null;
  /** The reason why the daemon does not report figures, or null if it reports them or has none. */
  readonly note: string | null;
}

const QUESTION = ["INFO", "dbsync"];
const NOTHING: FiguresAnswer = { figures: null, missing: null, note: null };

/**
 * Reads the figures of daemons. A daemon that does not report to this key receives a PING instead, which it can answer
 * only if its database answers.
 * @param isQueried  for each server, whether to query it
 * @returns an answer for each server
 */
export async function readFigures(
  settings: Settings,
  isQueried: readonly boolean[],
): Promise<readonly FiguresAnswer[]> {
  const servers = settings.servers.filter((_, index) => isQueried[index]);
  const key = keyOf(settings);
  if (servers.length === 0 || key === null) return isQueried.map(() => NOTHING);
  if (typeof key === "string")
    return isQueried.map((isThisQueried) => (isThisQueried ? { ...NOTHING, note: key } : NOTHING));
  const answers = await queryEach({ ...settings, servers }, key, QUESTION);
  const figures = await Promise.all(
    answers.map(async ({ reply, error }, index): Promise<FiguresAnswer> => {
      const figures = reply === null ? null : figuresOf(reply);
      if (figures !== null) {
        return { ...NOTHING, figures, missing: figures.backends.find(({ up }) => !up)?.name ?? null };
      }
      const note = /NOPERM/.test(error?.message ?? "") ? FOR_ADMINISTRATORS : null;
      const server = servers[index] as Settings["servers"][number];
      const [ping] = await queryEach({ ...settings, servers: [server] }, key, ["PING"]);
      return { figures, note, missing: isDatabaseDown(ping?.error ?? null) ? "" : null };
    }),
  );
  let next = 0;
  return isQueried.map((isThisQueried) => (isThisQueried ? (figures[next++] ?? NOTHING) : NOTHING));
}

/** Returns the key, the reason why the key cannot be used, or null if no key is configured. */
function keyOf(settings: Settings): SigningKey | string | null {
  try {
    return settings.key === null ? null : loadSigningKey(settings);
  } catch (error) {
    return (error as Error).message;
  }
}

function isDatabaseDown(error: Error | null): boolean {
  const outcome = error instanceof DbsyncError ? error.outcomes[0] : undefined;
  return outcome?.status === "failed" && outcome.stage === "refused" && /^database-/.test(outcome.detail);
}

/** Parses figures. Returns null if the daemon's version reports no figures. */
export function figuresOf(reply: ReplyValue): DaemonFigures | null {
  const fields = new Map(
    String(reply)
      .split("\r\n")
      .map((line): [string, string] => {
        const at = line.indexOf(":");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
  const software = fields.get("dbsync_version");
  if (software === undefined) return null;
  const count = (name: string) => Number(fields.get(name) ?? 0);
  const keys = fields.get("dbsync_keys");
  return {
    software,
    uptime: count("uptime_in_seconds"),
    clients: count("connected_clients"),
    commands: count("total_commands_processed"),
    errors: count("total_error_replies"),
    refusals: count("dbsync_refusals"),
    keys: keys === undefined ? null : Number(keys),
    memory: {
      used: count("used_memory"),
      resident: count("used_memory_rss"),
      limit: count("maxmemory"),
    },
    backends: [...fields].flatMap(([name, value]) => {
      const [, up, backend = ""] = /^up=([01]),name=(.*)$/.exec(value) ?? [];
      return up === undefined || !/^backend\d+$/.test(name) ? [] : [{ name: backend, up: up === "1" }];
    }),
    order: orderOf(fields),
    times: timesOf(fields.get("dbsync_answered_usec_buckets") ?? ""),
  };
}

/** Parses the figures of a stream, such as `applied=12,behind=0,…`; returns null if there is no stream. */
function orderOf(fields: ReadonlyMap<string, string>): OrderFigures | null {
  const text = fields.get("dbsync_order");
  if (text === undefined) return null;
  const count = countsOf(text);
  const low = fields.get("dbsync_disk_low");
  const bytes = low === undefined ? null : countsOf(low);
  return {
    applied: count("applied"),
    behind: count("behind"),
    waiting: count("waiting"),
    trouble: fields.get("dbsync_order_trouble") ?? null,
    lowDisk: bytes === null ? null : { free: bytes("free"), size: bytes("size") },
  };
}

/**
 * Parses counts such as `applied=12,behind=0`.
 * @returns a function that returns the count of a name, or 0 if the name is absent
 */
function countsOf(text: string): (name: string) => number {
  const counts = new Map(text.split(",").map((pair) => pair.split("=") as [string, string]));
  return (name) => Number(counts.get(name) ?? 0);
}

/** Parses counts by duration, such as `50=12,100=3,more=0`. */
function timesOf(text: string): DaemonFigures["times"] {
  return text.split(",").flatMap((part): [number, number][] => {
    const [, end = "", count = ""] = /^(\d+|more)=(\d+)$/.exec(part) ?? [];
    return count === "" ? [] : [[end === "more" ? Number.POSITIVE_INFINITY : Number(end), Number(count)]];
  });
}
