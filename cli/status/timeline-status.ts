/** What daemons with a timeline say of it and of their members (TIMELINE STATUS), and what of that is bad. */

import type { Settings } from "../../client/settings/options.js";
import { loadSigningKey, type SigningKey } from "../../client/settings/signing-key.js";
import { DbsyncError } from "../../client/shared/errors.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { askEach } from "../keys/key-ring.js";
import { fieldsOf } from "../shared/output.js";

/** A member as one daemon sees it. Times are milliseconds; null: not known. */
export interface MemberStatus {
  readonly address: string;
  readonly id: string | null;
  /** Whether the list of members names it; null: there is no list, or its id is not known. */
  readonly listed: boolean | null;
  readonly connection: "connected" | "connecting" | "waiting" | "self";
  /** Why there is no connection. */
  readonly trouble: string | null;
  readonly state: string | null;
  /** Whether it finds its own clock off. */
  readonly skewed: boolean;
  /** Its clock less the daemon's. */
  readonly skew: number | null;
  readonly roundTrip: number | null;
  readonly watermark: number | null;
  /** No envelope dated at or before it is kept there any more; 0: all are. */
  readonly prunedTo: number | null;
  /** Whether the daemon lacks envelopes that it has pruned. */
  readonly lacking: boolean;
  readonly entries: number | null;
  /** Whether it held the same as the daemon when it was heard last. */
  readonly equal: boolean | null;
  /** Envelopes asked of it that have not come. */
  readonly lag: number;
  /** Envelopes on their way to it, roughly. */
  readonly behind: number;
  readonly lastHeard: number | null;
  /** Envelopes of it that were refused. */
  readonly refusals: number;
}

/** A key that members hold otherwise than the daemon, though they hold the same envelopes. */
export interface DifferingKey {
  readonly db: number;
  readonly key: string;
  /** Whose state is the other one. */
  readonly verdict: "own" | "member" | "unclear";
  /** Ids, hexadecimal. */
  readonly members: readonly string[];
}

/** Dates in milliseconds since 1970. */
export interface TimelineStatus {
  /** Why nothing is taken any more; null: all is well. */
  readonly failure: string | null;
  /** Why nothing is applied any more from a date on; null: everything is. */
  readonly standstill: string | null;
  /** Who tells that its own key was revoked; null: it was not. */
  readonly revoked: string | null;
  /** Why no list of members names it; null: one does, or there is none. */
  readonly unlisted: string | null;
  /** The command that authorizes its key, by which it signs for clients without keys; null: there are none, or it is authorized. */
  readonly authorize: string | null;
  /** Numbers of the lists of members that it knows: more than one stand beside each other. */
  readonly lists: readonly number[];
  /** Whether a list has added it, and it has yet to hear from a live one of them. */
  readonly joining: boolean;
  readonly skewed: boolean;
  /** Whether it outlives the process. */
  readonly durable: boolean;
  /** Nothing dated at or before it is taken from clients. */
  readonly watermark: number;
  readonly published: number;
  readonly newest: number;
  /** Everything dated before it is final; 0: not known. */
  readonly stable: number;
  /** When it was started, by its clock; null: it is of a version that does not say. */
  readonly started: number | null;
  readonly entries: number;
  /** Of all of them: equal where the same is held. */
  readonly fingerprint: string;
  /** Of those dated before the same second on all daemons; null: not compared. */
  readonly settledFingerprint: string | null;
  readonly tailUnits: number;
  readonly tailBytes: number;
  readonly redone: number;
  readonly waiting: number;
  readonly bytes: number;
  readonly quarantined: number;
  readonly dropped: number;
  /** Groups of writes that were safe and were not in its log when it was started. */
  readonly lostGroups: number;
  /** Own envelopes that snapshots taken from members are not made of; they are gone there. */
  readonly strays: number;
  /** Envelopes that it keeps as dead letters, and that were not written again. */
  readonly deadLetters: number;
  /** A member's snapshot that is on its way; null: none. Bytes; total 0: not known yet. */
  readonly taking: { readonly from: string; readonly received: number; readonly total: number } | null;
  /** The option that an operator could start it with, as members cannot settle what it lacks; null: none. */
  readonly order: string | null;
  /** The Redis that follows it; null: none does. */
  readonly mirror: MirrorStatus | null;
  readonly members: readonly MemberStatus[];
  /** Keys that members hold otherwise, though they hold the same envelopes. */
  readonly differing: readonly DifferingKey[];
  /** The last date whose state was compared with a member's; 0: none. */
  readonly compared: number;
}

export interface MirrorStatus {
  readonly redis: string;
  readonly state: "connecting" | "refused" | "comparing" | "behind" | "level";
  /** Why it is not written to; null: it is. */
  readonly trouble: string | null;
  /** Keys that wait to be written. */
  readonly dirty: number;
  /** Keys that others have changed there, and that it does not take. */
  readonly foreign: number;
  readonly refused: number;
}

export interface TimelineAnswer {
  readonly timeline: TimelineStatus | null;
  /** Why more is not known; null: there is no more, or it is known. */
  readonly note: string | null;
}

const COMMAND = ["TIMELINE", "STATUS"];
const SECOND_MS = 1000;
/** Of an id, where no address is known. */
const ID_DIGITS = 16;
const NOTHING: TimelineAnswer = { timeline: null, note: null };

/**
 * Asks those of the daemons that can know.
 * @param asked  for each server whether it is to be asked
 * @returns one for each server
 */
export async function readTimelines(
  settings: Settings,
  asked: readonly boolean[],
): Promise<readonly TimelineAnswer[]> {
  const servers = settings.servers.filter((_, index) => asked[index]);
  if (servers.length === 0) return asked.map(() => NOTHING);
  const key = keyOf(settings);
  if (typeof key === "string")
    return asked.map((isAsked) => (isAsked ? { timeline: null, note: key } : NOTHING));
  const ask = (command: readonly string[]) => askEach({ ...settings, servers }, key, command);
  const answers = await ask(COMMAND);
  const settled = settledOf(answers.flatMap(({ error, reply }) => (error === null ? [fieldsOf(reply)] : [])));
  const last = settled === null ? answers : await ask([...COMMAND, "UPTO", String(settled)]);
  let next = 0;
  return asked.map((isAsked) => {
    if (!isAsked) return NOTHING;
    const answer = last[next++];
    if (answer === undefined) return NOTHING;
    return answer.error === null
      ? { timeline: timelineOf(answer.reply), note: null }
      : { timeline: null, note: noteOn(answer.error) };
  });
}

/** A sentence: why it cannot be used. */
function keyOf(settings: Settings): SigningKey | string {
  if (settings.key === null) return FOR_ADMINISTRATORS;
  try {
    return loadSigningKey(settings);
  } catch (error) {
    return (error as Error).message;
  }
}

/** A second up to which all of several daemons have promised to take nothing more; null: no need, or too early. */
function settledOf(statuses: readonly Record<string, ReplyValue>[]): number | null {
  if (statuses.length < 2) return null;
  const second = Math.floor(Math.min(...statuses.map((each) => Number(each["published"]))) / SECOND_MS);
  return second > 0 ? second * SECOND_MS : null;
}

function noteOn(error: Error): string | null {
  const { message } = error;
  // It has none, or is of a version that knows none.
  if (/TIMELINE is answered by|unknown command .*TIMELINE/i.test(message)) return null;
  if (/NOPERM/.test(message)) return FOR_ADMINISTRATORS;
  const outcome = error instanceof DbsyncError ? error.outcomes[0] : undefined;
  return outcome?.status === "failed" ? `${outcome.stage} ${outcome.detail}`.trimEnd() : message;
}

export const FOR_ADMINISTRATORS =
  "of software, memory, timelines and members, daemons tell administrators: sign with an administrator's key (-k root-private.pem)";

function timelineOf(reply: ReplyValue): TimelineStatus {
  const fields = fieldsOf(reply);
  const count = (name: string) => Number(fields[name] ?? 0);
  const text = (name: string) => String(fields[name] ?? "");
  const { members, failure } = fields;
  const hasSettled = fields["upto"] !== undefined;
  return {
    failure: failure == null ? null : String(failure),
    standstill: fields["standstill"] == null ? null : text("standstill"),
    revoked: fields["revoked"] == null ? null : text("revoked"),
    unlisted: fields["unlisted"] == null ? null : text("unlisted"),
    authorize: fields["authorize"] == null ? null : text("authorize"),
    lists: fields["list"] == null ? [] : text("list").split(" ").map(Number),
    joining: count("joining") === 1,
    skewed: count("skewed") === 1,
    durable: count("durable") === 1,
    watermark: count("watermark"),
    published: count("published"),
    newest: count("newest"),
    stable: count("stable"),
    started: fields["started"] == null ? null : count("started"),
    entries: count("ring-entries") + count("data-entries"),
    fingerprint: `${text("data-sum")}${text("ring-sum")}`,
    settledFingerprint: hasSettled ? `${text("data-upto")} ${text("ring-upto")}` : null,
    tailUnits: count("tail-units"),
    tailBytes: count("tail-bytes"),
    redone: count("redone"),
    waiting: count("waiting"),
    bytes: count("bytes"),
    quarantined: count("quarantined"),
    dropped: count("dropped"),
    lostGroups: count("lost-groups"),
    strays: count("strays"),
    deadLetters: count("dead-letters"),
    taking:
      fields["taking-from"] == null
        ? null
        : { from: text("taking-from"), received: count("taking-bytes"), total: count("taking-total") },
    order: fields["order"] == null ? null : text("order"),
    mirror: fields["mirror"] == null ? null : mirrorOf(fields["mirror"]),
    members: Array.isArray(members) ? members.map(memberOf) : [],
    differing: Array.isArray(fields["differing"]) ? fields["differing"].map(differingOf) : [],
    compared: count("compared"),
  };
}

function differingOf(reply: ReplyValue): DifferingKey {
  const { db, key, verdict, members } = fieldsOf(reply);
  return {
    db: Number(db ?? 0),
    key: String(key ?? ""),
    verdict: verdict === "own" || verdict === "member" ? verdict : "unclear",
    members: Array.isArray(members) ? members.map(String) : [],
  };
}

function mirrorOf(reply: ReplyValue): MirrorStatus {
  const fields = fieldsOf(reply);
  return {
    redis: String(fields["redis"] ?? ""),
    state: String(fields["state"]) as MirrorStatus["state"],
    trouble: fields["trouble"] == null ? null : String(fields["trouble"]),
    dirty: Number(fields["dirty"] ?? 0),
    foreign: Number(fields["foreign"] ?? 0),
    refused: Number(fields["refused"] ?? 0),
  };
}

function memberOf(reply: ReplyValue): MemberStatus {
  const fields = fieldsOf(reply);
  const numberOrNull = (name: string) => (fields[name] == null ? null : Number(fields[name]));
  const textOrNull = (name: string) => (fields[name] == null ? null : String(fields[name]));
  const text = (name: string) => textOrNull(name) ?? "";
  const equal = numberOrNull("equal");
  return {
    address: text("address") || `${text("id").slice(0, ID_DIGITS)}…`,
    id: textOrNull("id"),
    listed: fields["listed"] == null ? null : numberOrNull("listed") === 1,
    connection: String(fields["connection"]) as MemberStatus["connection"],
    trouble: textOrNull("trouble"),
    state: textOrNull("state"),
    skewed: numberOrNull("skewed") === 1,
    skew: numberOrNull("skew"),
    roundTrip: numberOrNull("round-trip"),
    watermark: numberOrNull("watermark"),
    prunedTo: numberOrNull("pruned-to"),
    lacking: numberOrNull("lacking") === 1,
    entries: numberOrNull("entries"),
    equal: equal === null ? null : equal === 1,
    lag: Number(fields["lag"] ?? 0),
    behind: Number(fields["behind"] ?? 0),
    lastHeard: numberOrNull("last-heard"),
    refusals: Number(fields["refusals"] ?? 0),
  };
}
