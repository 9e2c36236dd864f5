/** Reads the reports of daemons on their timelines and members (TIMELINE STATUS). */
import type { Settings } from "../../../client/settings/client-settings.js";
import { loadSigningKey, type SigningKey } from "../../../client/settings/signing-key.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import {
  type MemberReport,
  TIMELINE_FIGURES,
  UPTO_FIGURES,
} from "../../../protocol/figures/timeline-figures.js";
import {
  type DiagnosedTimeline,
  diagnosed,
  FOREIGN_KEY,
} from "../../../protocol/figures/timeline-problems.js";
import { authorizationOf } from "../keys/authorization.js";
import { queryEach } from "../keys/fetch-key-rings.js";
import { fieldsOf } from "../shared/output.js";
import { readFigures } from "../shared/read-figures.js";

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

export interface TimelineAnswer {
  readonly timeline: TimelineStatus | null;
  /** The reason why the timeline is unknown, or null if it is known or the daemon has none. */
  readonly note: string | null;
}

const COMMAND = ["TIMELINE", "STATUS"];
const SECOND_MS = 1000;
/** Number of hexadecimal digits of an id that replaces an unknown address. */
const ID_DIGITS = 16;
const NOTHING: TimelineAnswer = { timeline: null, note: null };

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
  if (servers.length === 0) return ids.map(() => NOTHING);
  const key = keyOf(settings) ?? FOR_ADMINISTRATORS;
  if (typeof key === "string")
    return ids.map((id) => (id === null ? NOTHING : { timeline: null, note: key }));
  const query = (command: readonly string[]) => queryEach({ ...settings, servers }, key, command);
  const answers = await query(COMMAND);
  const settled = settledOf(answers.flatMap(({ error, reply }) => (error === null ? [fieldsOf(reply)] : [])));
  const last = settled === null ? answers : await query([...COMMAND, "UPTO", String(settled)]);
  let next = 0;
  return ids.map((id) => {
    if (id === null) return NOTHING;
    const answer = last[next++];
    if (answer === undefined) return NOTHING;
    return answer.error === null
      ? { timeline: timelineOf(answer.reply, id), note: null }
      : { timeline: null, note: noteOn(answer.error) };
  });
}

/** Returns the key, the reason why the key cannot be used, or null if no key is configured. */
export function keyOf(settings: Settings): SigningKey | string | null {
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

export const FOR_ADMINISTRATORS =
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
    ...diagnosed(report),
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
