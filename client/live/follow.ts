/**
 * The change feed of `client.follow` and of `dbsync log --follow`: requests pages from one daemon at a time, the next
 * page only once the caller has taken the units of the previous one. The first `follow` loads this file. Source:
 * docs/change-feed.md.
 */
import { isUtf8 } from "node:buffer";
import type { TypedCallOptions } from "../settings/call-options.js";
import { onAbort, removeAbortListener } from "../shared/abort-listeners.js";
import type { ClientEnvironment } from "../shared/client-environment.js";
import { abortedCall, badOption, DbsyncError } from "../shared/errors.js";
import type { ReplyValue } from "../shared/reply-value.js";

export interface FollowOptions {
  /**
   * `final` (default): units in the order that all daemons agree on, once nothing can change it, about 35 s after they
   * were recorded. `early`: units as they arrive at one daemon.
   */
  readonly form?: "final" | "early" | undefined;
  /**
   * The `position` of the last unit that was processed; for the final form also a date, such as
   * `2027-01-31T12:00:00Z`, from which the feed begins.
   * Default: the feed begins now.
   */
  readonly from?: string | Date | undefined;
  /** Shows only units that name this key in the client's database, or concern all its keys. */
  readonly key?: string | undefined;
  /** Shows only units of this signer: the digits, at least the first 4, of its key's id. */
  readonly signer?: string | undefined;
  /** Ends the iteration: `next` then rejects with `aborted`, whose `cause` is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A unit: a command, or several commands that took effect together. */
export interface FeedUnit {
  readonly type: "unit";
  /** The daemon that sent it, as in the list of servers. */
  readonly server: string;
  /** The position for `from`. The final form: the same at all daemons. The early form: valid only at `server`. */
  readonly position: string;
  /** The date that orders the unit, in milliseconds since 1970. */
  readonly at: number;
  readonly seq: number;
  /** The envelope's id, hexadecimal. */
  readonly id: string;
  /** The index of the unit's first command in its envelope. */
  readonly index: number;
  /** The id of the signer's key. */
  readonly signer: string;
  /** The label of that key; empty if it has none. */
  readonly label: string;
  /** The user of a listener, or null if the signer signed for itself. */
  readonly as: string | null;
  readonly db: number;
  /** The commands, complete. An argument that is not UTF-8 is a Buffer. */
  readonly commands: readonly (readonly (string | Buffer)[])[];
  /**
   * The outcome; only `applied` has changed data. Null in the early form if the daemon does not know it. In the early
   * form it may still change.
   */
  readonly outcome: "applied" | "error" | "denied" | "unmet" | "malformed" | null;
  /** The beginning of the reply, as text. */
  readonly reply: string | Buffer | null;
  /** In the early form: whether the daemon had applied a conflicting unit with a later order key, or does not know. */
  readonly late: boolean;
}

/** The final feed has stopped, because no further date can become final: usually because a member is down. */
export interface FeedWaiting {
  readonly type: "waiting";
  readonly server: string;
  /** What it waits for, such as `its member 10.0.0.3:1107 is not connected`. */
  readonly detail: string;
  /** Since when, in milliseconds since 1970. */
  readonly since: number;
  /** The date before which everything is final, in milliseconds since 1970. */
  readonly final: number;
}

/** No daemon has answered. The feed tries again, and continues at the same position. */
export interface FeedLost {
  readonly type: "lost";
  readonly server: string;
  readonly detail: string;
}

export type FeedEvent = FeedUnit | FeedWaiting | FeedLost;

/** A connection to one daemon. */
export interface FeedDaemon {
  call(command: readonly string[], options: TypedCallOptions): Promise<ReplyValue>;
  close(): Promise<void>;
}

/** What a feed needs from its client. */
export interface FeedParts {
  readonly servers: readonly string[];
  /** Opens a connection to one of the servers. */
  readonly open: (index: number) => FeedDaemon;
  readonly environment: ClientEnvironment;
  readonly signal: AbortSignal;
}

/** Milliseconds between two requests if there are no further units. */
const PAUSE_MS = { final: 1000, early: 200 };
/** Milliseconds between two rounds through the servers if none answers. */
const RETRY_MS = 1000;
const TIMEOUT_MS = 20_000;
const UNITS_MAX = 1000;

/** Checks the options. @throws DbsyncError `bad-option` */
export function checkFollowOptions({ form = "final", from, key, signer }: FollowOptions): void {
  if (form !== "final" && form !== "early") throw badOption("form", form, "final or early");
  if (from !== undefined && startOf(from, form) === null)
    throw badOption("from", from, `a position of the ${form} form${form === "final" ? ", or a date" : ""}`);
  if (key !== undefined && typeof key !== "string") throw badOption("key", key, "a key of the database");
  if (signer !== undefined && !/^[\da-f]{4,64}$/i.test(String(signer)))
    throw badOption("signer", signer, "the first digits of a key's id");
}

const POSITIONS = { final: /^[\da-f]{92}$/i, early: /^[\da-f]{16}-[\da-f]{32}$/ };

/** Returns the position or the date, in milliseconds since 1970, at which a feed begins; null if there is none. */
function startOf(from: unknown, form: "final" | "early"): string | null {
  if (typeof from === "string" && POSITIONS[form].test(from)) return from;
  if (form === "early" || !(from instanceof Date || typeof from === "string")) return null;
  const at = new Date(from).getTime();
  return at >= 0 ? String(at) : null;
}

/** Iterates over the feed. */
export async function* follow(
  options: FollowOptions,
  { servers, open, environment, signal }: FeedParts,
): AsyncGenerator<FeedEvent, void, void> {
  const { form = "final", from, key, signer } = options;
  const isEarly = form === "early";
  const filters = [
    ...(key === undefined ? [] : ["KEY", key]),
    ...(signer === undefined ? [] : ["SIGNER", signer]),
    ...["LIMIT", String(UNITS_MAX)],
  ];
  let position = (from === undefined ? null : startOf(from, form)) ?? "NOW";
  let daemon: FeedDaemon | null = null;
  let current = 0;
  let failures = 0;
  let hasAnswered = false;
  let isLost = false;
  let waitsFor = "";
  try {
    for (;;) {
      const server = servers[current] as string;
      let page: Page;
      try {
        daemon ??= open(current);
        const command = ["TIMELINE", "LOG", isEarly ? "ARRIVED" : "AFTER", position, ...filters];
        page = readPage(await daemon.call(command, { buffers: true, timeout: TIMEOUT_MS, signal }), server);
      } catch (error) {
        await daemon?.close();
        daemon = null;
        if (signal.aborted) throw endOf(signal);

        failures++;
        const haveAllFailed = failures >= servers.length;
        // An early position is valid only at the daemon that sent it.
        const isBound = isEarly && hasAnswered;
        if (isBound ? isPermanent(error) : haveAllFailed && (isPermanent(error) || !hasAnswered)) throw error;

        if (!isBound) current = (current + 1) % servers.length;
        if (!haveAllFailed) continue;
        failures = 0;
        if (!isLost) yield { type: "lost", server, detail: (error as Error).message };
        isLost = true;
        await pause(RETRY_MS, environment, signal);
        continue;
      }

      failures = 0;
      hasAnswered = true;
      isLost = false;
      yield* page.units;
      position = page.position;
      const { waiting } = page;
      if (waiting !== null && waiting.detail !== waitsFor) yield waiting;
      waitsFor = waiting?.detail ?? "";
      if (!page.hasMore) await pause(PAUSE_MS[form], environment, signal);
    }
  } finally {
    await daemon?.close();
  }
}

/** Whether an error will not pass: the daemon has answered it, and not with TRYAGAIN. */
const isPermanent = (error: unknown): boolean =>
  error instanceof DbsyncError && error.code === "reply" && !error.message.includes("TRYAGAIN");

/** Returns the error that ends the iteration: the signal's reason if the client was closed. */
const endOf = (signal: AbortSignal): Error =>
  signal.reason instanceof DbsyncError ? signal.reason : abortedCall(signal, "TIMELINE LOG");

function pause(ms: number, environment: ClientEnvironment, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(endOf(signal));
      return;
    }

    const aborted = () => {
      timer.cancel();
      reject(endOf(signal));
    };
    const timer = environment.setTimer(ms, () => {
      removeAbortListener(signal, aborted);
      resolve();
    });

    onAbort(signal, aborted);
  });
}

interface Page {
  readonly units: readonly FeedUnit[];
  readonly position: string;
  readonly hasMore: boolean;
  readonly waiting: FeedWaiting | null;
}

function readPage(reply: ReplyValue, server: string): Page {
  const fields = fieldsOf(reply);
  const { units, final, "waits-for": detail, "waits-since": since } = fields;
  return {
    units: Array.isArray(units) ? units.map((unit) => readUnit(unit, server)) : [],
    position: String(fields["position"]),
    hasMore: Number(fields["more"]) === 1,
    waiting:
      detail == null
        ? null
        : { type: "waiting", server, detail: String(detail), since: Number(since), final: Number(final) },
  };
}

function readUnit(reply: ReplyValue, server: string): FeedUnit {
  const fields = fieldsOf(reply);
  const text = (name: string) => String(fields[name] ?? "");
  const { commands, as, outcome, reply: answer } = fields;

  return {
    type: "unit",
    server,
    position: text("position"),
    at: Number(fields["at"]),
    seq: Number(fields["seq"]),
    id: text("id"),
    index: Number(fields["index"]),
    signer: text("signer"),
    label: text("label"),
    as: as == null ? null : String(as),
    db: Number(fields["db"]),
    commands: Array.isArray(commands)
      ? commands.map((argv) => (Array.isArray(argv) ? argv.map(textOrBytes) : []))
      : [],
    outcome: outcome == null ? null : (String(outcome) as FeedUnit["outcome"]),
    reply: answer == null ? null : textOrBytes(answer),
    late: Number(fields["late"] ?? 0) === 1,
  };
}

const textOrBytes = (value: ReplyValue): string | Buffer =>
  Buffer.isBuffer(value) && !isUtf8(value) ? value : String(value);

/** Converts a reply of alternating names and values to an object. */
function fieldsOf(reply: ReplyValue): Record<string, ReplyValue> {
  const fields: Record<string, ReplyValue> = {};
  if (!Array.isArray(reply)) return fields;
  for (let i = 0; i + 1 < reply.length; i += 2) fields[String(reply[i])] = reply[i + 1] as ReplyValue;
  return fields;
}
