/**
 * Reads what daemons report to administrators: their figures (INFO dbsync), whether their databases answer, and their
 * timelines and members (TIMELINE STATUS).
 */
import type { Settings } from "../../../client/settings/client-settings.js";
import { loadSigningKey, type SigningKey } from "../../../client/settings/signing-key.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import type { Figures } from "../../../protocol/figures/figure.js";
import { INFO_FIGURES, type InfoFigures, pairsOf } from "../../../protocol/figures/info-figures.js";
import type { ORDER_FIGURES } from "../../../protocol/figures/order-figures.js";
import {
  type MemberReport,
  TIMELINE_FIGURES,
  UPTO_FIGURES,
} from "../../../protocol/figures/timeline-figures.js";
import {
  type DiagnosedTimeline,
  FOREIGN_KEY,
  withConclusions,
} from "../../../protocol/figures/timeline-problems.js";
import { queryEach } from "../keys/fetch-key-rings.js";
import { authorizationOf } from "../keys/key-advice.js";
import { fieldsOf, figureValue, readFigures } from "../shared/read-figures.js";

type SameFigures = "software" | "uptime" | "clients" | "commands" | "errors" | "refusals" | "keys";

/** A daemon's current figures, and its counts since the start. */
export interface DaemonFigures extends Pick<InfoFigures, SameFigures> {
  /** Memory in bytes. `limit` is 0 if there is no limit. */
  readonly memory: Pick<InfoFigures, "used" | "resident" | "limit">;
  readonly backends: readonly { readonly name: string; readonly up: boolean }[];
  /** Figures of the stream that orders the daemon's writes, or null if there is no stream. */
  readonly order: OrderFigures | null;
  /**
   * Number of answers by duration. `max` is the end of a range of durations in microseconds, or Infinity for the last
   * range; each range begins at the end of the previous one.
   */
  readonly times: readonly (readonly [max: number, count: number])[];
}

type ShownOfOrder = "applied" | "behind" | "waiting" | "trouble" | "lowDisk";
export type OrderFigures = Pick<Figures<typeof ORDER_FIGURES>, ShownOfOrder>;

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
export async function readDaemonFigures(
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

  const values = Object.entries(INFO_FIGURES).map(([name, row]) => [
    name,
    figureValue(row, fields.get(row.field)),
  ]);
  const figures = Object.fromEntries(values) as InfoFigures;
  const { software, uptime, clients, commands, errors, refusals, keys, used, resident, limit } = figures;
  if (software === "") return null;

  return {
    ...{ software, uptime, clients, commands, errors, refusals, keys },
    memory: { used, resident, limit },
    backends: [...fields].flatMap(([name, value]) => {
      const [, up, backend = ""] = /^up=([01]),name=(.*)$/.exec(value) ?? [];
      return up === undefined || !/^backend\d+$/.test(name) ? [] : [{ name: backend, up: up === "1" }];
    }),
    order: orderOf(figures),
    times: pairsOf(figures.times).flatMap(([end, count]): [number, number][] => {
      const max = end === "more" ? Number.POSITIVE_INFINITY : Number(end);
      return Number.isNaN(max) ? [] : [[max, count]];
    }),
  };
}

/** Returns the figures of a stream, or null if there is no stream. */
function orderOf({ order, orderTrouble: trouble, lowDisk: low }: InfoFigures): OrderFigures | null {
  if (order === null) return null;
  const counts = new Map(pairsOf(order));
  const count = (name: ShownOfOrder) => counts.get(name) ?? 0;
  const bytes = new Map(low === null ? [] : pairsOf(low));
  return {
    applied: count("applied"),
    behind: count("behind"),
    waiting: count("waiting"),
    trouble,
    lowDisk: low === null ? null : { free: bytes.get("free") ?? 0, size: bytes.get("size") ?? 0 },
  };
}

/** The report of a daemon on one of its members. */
export type MemberStatus = MemberReport;

/** The report on a daemon's timeline, with values that are derived from it. */
export interface TimelineStatus extends DiagnosedTimeline {
  /**
   * The command that authorizes the daemon's key to sign for clients without keys, or null if no command is needed.
   * FOREIGN_KEY if the command that the daemon reports would authorize another key.
   */
  readonly authorize: string | null;
  readonly entries: number;
  /** A checksum of the ids of all entries, equal on daemons with the same entries. */
  readonly fingerprint: string;
  /**
   * The date up to which `settledFingerprint` was computed, in milliseconds since 1970, or null if it was not computed.
   */
  readonly settledUpto: number | null;
}

interface TimelineAnswer {
  readonly timeline: TimelineStatus | null;
  /** The reason why the timeline is unknown, or null if it is known or the daemon has none. */
  readonly note: string | null;
}

const COMMAND = ["TIMELINE", "STATUS"];
const SECOND_MS = 1000;
/** Number of hexadecimal digits of an id that replaces an unknown address. */
const ID_DIGITS = 16;
const NO_TIMELINE: TimelineAnswer = { timeline: null, note: null };

/**
 * Queries the daemons that have a timeline.
 * @param ids  the id of each server's daemon, hexadecimal, or null for a server not to query
 * @returns an answer for each server
 */
export async function readTimelines(
  settings: Settings,
  ids: readonly (string | null)[],
): Promise<readonly TimelineAnswer[]> {
  const servers = settings.servers.filter((_, index) => (ids[index] ?? null) !== null);
  if (servers.length === 0) return ids.map(() => NO_TIMELINE);
  const key = keyOf(settings) ?? FOR_ADMINISTRATORS;
  if (typeof key === "string")
    return ids.map((id) => (id === null ? NO_TIMELINE : { timeline: null, note: key }));

  const query = (command: readonly string[]) => queryEach({ ...settings, servers }, key, command);
  const answers = await query(COMMAND);
  const settled = settledOf(answers.flatMap(({ error, reply }) => (error === null ? [fieldsOf(reply)] : [])));
  const last = settled === null ? answers : await query([...COMMAND, "UPTO", String(settled)]);

  let next = 0;
  return ids.map((id) => {
    if (id === null) return NO_TIMELINE;
    const answer = last[next++];
    if (answer === undefined) return NO_TIMELINE;
    return answer.error === null
      ? { timeline: timelineOf(answer.reply, id), note: null }
      : { timeline: null, note: noteOn(answer.error) };
  });
}

/** Returns the key, the reason why the key cannot be used, or null if no key is configured. */
function keyOf(settings: Settings): SigningKey | string | null {
  try {
    return settings.key === null ? null : loadSigningKey(settings);
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * Returns a date, in whole seconds, up to which no daemon accepts more entries, or null if there is only one daemon
 * or no such date yet.
 */
function settledOf(statuses: readonly Record<string, ReplyValue>[]): number | null {
  if (statuses.length < 2) return null;
  const second = Math.floor(Math.min(...statuses.map((each) => Number(each["published"]))) / SECOND_MS);
  return second > 0 ? second * SECOND_MS : null;
}

function noteOn(error: Error): string | null {
  const { message } = error;
  // The daemon has no timeline, or its version does not support one.
  if (/TIMELINE is answered by|unknown command .*TIMELINE/i.test(message)) return null;
  if (/NOPERM/.test(message)) return FOR_ADMINISTRATORS;
  const outcome = error instanceof DbsyncError ? error.outcomes[0] : undefined;
  return outcome?.status === "failed" ? `${outcome.stage} ${outcome.detail}`.trimEnd() : message;
}

const FOR_ADMINISTRATORS =
  "daemons report software, memory, timelines and members to administrators: sign with an administrator's key (-k root-private.pem)";

/** Checks that a reported command authorizes the daemon's own key. */
export const checkedAuthorization = (reported: string, id: string): string =>
  authorizationOf(id, reported.split(" ").slice(2, 3))?.join(" ") ?? FOREIGN_KEY;

/** Parses a reply to TIMELINE STATUS, with or without UPTO. @param id  the daemon's id, hexadecimal */
export function timelineOf(reply: ReplyValue, id: string): TimelineStatus {
  const report = readFigures(TIMELINE_FIGURES, reply);
  const { upto, ringUpto, dataUpto } = readFigures(UPTO_FIGURES, reply);
  const { ringEntries, dataEntries, ringSum, dataSum } = report;
  return {
    ...withConclusions(report),
    authorize: report.authorize === null ? null : checkedAuthorization(report.authorize, id),
    entries: ringEntries + dataEntries,
    fingerprint: `${dataSum}${ringSum}`,
    settledFingerprint: upto === 0 ? null : `${dataUpto} ${ringUpto}`,
    settledUpto: upto === 0 ? null : upto,
    members: report.members.map(withAddress),
  };
}

/** Returns the member with the beginning of its id in place of a missing address. */
const withAddress = (member: MemberStatus): MemberStatus =>
  member.address === "" ? { ...member, address: `${member.id?.slice(0, ID_DIGITS) ?? ""}…` } : member;
