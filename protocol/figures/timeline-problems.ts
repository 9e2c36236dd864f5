/** Problems of a timeline and its members, and what to do. */

import { dateText } from "../version-2/envelope.js";
import type { Problem, Severity } from "./problem.js";
import type { MemberReport, MirrorReport, TimelineReport } from "./timeline-figures.js";

/** The state of a member by its own report; null: it was not queried. */
export type Standing = "away" | "busy" | "ready" | null;

/** Members' clocks further off than this are counted as wrong by themselves as well. */
const SKEW_MAX_MS = 2000;
/** Final units trail by about the window, 30 s. */
const STABLE_BEHIND_MAX_MS = 120_000;
/** The date of an entry that is rejected as too old may be ahead of now by the window, and by the skew of the clock here. */
const AHEAD_MAX_MS = 120_000;
/** Envelopes; more are on the way only after an absence. */
const LAG_MAX = 10_000;
/** A daemon that has started connects to its members, which may be starting too. */
const STARTING_MS = 60_000;
/** Catching up for longer, without receiving or applying anything, means that the daemon waits in vain. */
const CATCHING_UP_MAX_MS = 300_000;

/** A daemon's report, with conclusions from it. */
export interface DiagnosedTimeline extends TimelineReport {
  /** Numbers of the newest member lists that it knows: several are parallel. */
  readonly lists: readonly number[];
  /** The fingerprint of the entries dated before the same second on all daemons; null: not compared. */
  readonly settledFingerprint: string | null;
  /** A member's snapshot that is on its way; null: none. Bytes; total 0: not known yet. */
  readonly taking: { readonly from: string; readonly received: number; readonly total: number } | null;
}

/** The value of `authorize` if the daemon's command does not authorize its own key. An administrator would sign it. */
export const NOT_ITS_OWN = "";

/** Returns the problems that follow from a report alone. */
export function diagnosed(report: TimelineReport): DiagnosedTimeline {
  const { list, takingFrom, takingBytes, takingTotal } = report;
  return {
    ...report,
    lists: list === null ? [] : list.split(" ").map(Number),
    settledFingerprint: null,
    taking: takingFrom === null ? null : { from: takingFrom, received: takingBytes, total: takingTotal },
  };
}

/** Problems, warnings, and states that end by themselves. */
export interface Diagnosis {
  readonly problems: readonly Problem[];
  readonly remarks: readonly Problem[];
  readonly progress: readonly Problem[];
}

export interface Surroundings {
  /** The other daemons' timelines, as far as they are known. */
  readonly others: readonly DiagnosedTimeline[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly standingOf?: (member: MemberReport) => Standing;
}

export function diagnose(
  timeline: DiagnosedTimeline,
  { others, now, standingOf = () => null }: Surroundings,
): Diagnosis {
  const found = { problems: [], remarks: [], progress: [] };
  const adders = addersTo(found, false);
  const { bad, warn, passing } = adders;
  const { skewed, members, quarantined, dropped, waiting, durable } = timeline;
  const { taking, order, lostGroups, revoked } = timeline;
  diagnoseDisk(timeline, adders);
  if (revoked !== null)
    bad(
      `its own key was revoked (${revoked} says so), so it takes no writes, and is no member any more`,
      "start it with a new data folder, or stop it and take it out of the lists",
    );
  diagnoseList(timeline, adders);
  if (lostGroups > 0)
    bad(
      `${lostGroups} ${lostGroups === 1 ? "group of writes that it had acknowledged was" : "groups of writes that it had acknowledged were"} not in its log when it was started`,
      "its members send them again; without members they are lost. Check the disk",
    );
  if (skewed) bad("its clock is off the other daemons', so it takes no writes", "set its clock by NTP");
  else if (timeline.watermark - now > AHEAD_MAX_MS)
    bad(
      `it takes nothing dated before ${dateText(timeline.watermark)}, which is still to come: a clock was ahead when it was started`,
      "set its clock if it is still ahead, and restart it",
    );
  const { settledFingerprint } = timeline;
  if (
    isComplete(timeline) &&
    others.some((other) => isComplete(other) && other.settledFingerprint !== settledFingerprint)
  )
    bad(
      "its data differ from the other members'",
      "connect it with them (dbsync members list); if it is connected, run dbsync log verify on its folder",
    );
  const connected = members.filter(({ connection }) => connection === "connected");
  if (members.some(isOther)) diagnoseFinal(timeline, now, bad);
  const isStarting = timeline.started !== null && now - timeline.started < STARTING_MS;
  for (const member of members.filter(isOther)) {
    if (timeline.unlisted !== null && isLetGo(member)) continue;
    diagnoseMember(member, { isStarting, standing: standingOf(member) }, addersTo(found, true));
  }
  diagnoseState(timeline, bad);
  if (timeline.mirror !== null) diagnoseMirror(timeline.mirror, adders);
  if (taking !== null)
    passing(
      `it takes a snapshot from ${taking.from}: ${taking.received} of ${taking.total} bytes`,
      LOG_TELLS,
    );
  if (order !== null)
    bad(
      "it misses envelopes that no member stores any more, and too few members have signed the same snapshot of them",
      `start the daemons that are away; or, to trust that member, start this one once with ${order}: its ` +
        "snapshot replaces what is here of that time, which is kept aside in its data folder",
    );
  diagnoseLosses(timeline, bad);
  if (dropped > 0)
    bad(`${dropped} envelopes of members were dropped, since their signer's key did not come`, KEYS_CURE);
  else if (quarantined > 0) passing(`${quarantined} envelopes wait for their signer's key`, KEYS_CURE);
  if (waiting > LAG_MAX) passing(`${waiting} envelopes wait to be applied`, LOG_TELLS);
  if (!durable && connected.length === 0)
    warn(
      "it keeps everything in memory, and no other daemon has it",
      "start it with --data, or start its peers",
    );
  return found;
}

function diagnoseDisk(
  { failure, diskLow, diskFree, diskSize }: DiagnosedTimeline,
  { bad, warn }: Adders,
): void {
  if (failure !== null)
    bad(`its disk has failed (${failure})`, "free or repair the disk, then start it again");
  else if (diskLow)
    warn(
      `its disk is nearly full: ${mebibytes(diskFree)} of ${mebibytes(diskSize)} MiB are free`,
      "free space there, or move its data folder to a larger disk; a full disk ends all writes",
    );
}

const mebibytes = (bytes: number | null): number => Math.floor((bytes ?? 0) / 1024 ** 2);

const LOG_TELLS = "its log says how far it is";
const KEYS_CURE = "do all daemons have the same keys? dbsync keys list";

type Add = (text: string, fix: string) => void;

/** One for each grade of a finding. */
interface Adders {
  readonly bad: Add;
  readonly warn: Add;
  readonly note: Add;
  readonly passing: Add;
}

function addersTo(found: Record<keyof Diagnosis, Problem[]>, isOfMember: boolean): Adders {
  const into =
    (list: Problem[], severity: Severity): Add =>
    (text, fix) =>
      void list.push({ text, fix, severity, isOfMember });
  return {
    bad: into(found.problems, "problem"),
    warn: into(found.remarks, "remark"),
    note: into(found.remarks, "note"),
    passing: into(found.progress, "progress"),
  };
}

/** A daemon that is catching up does not have all entries yet. */
const isComplete = ({ state }: DiagnosedTimeline): boolean => state !== "catching-up";

/** Returns since when a daemon is catching up without a sign of progress, as a problem; null: it is not, or not for long. */
export function standingStill({ started, taking, waiting }: DiagnosedTimeline, now: number): Problem | null {
  const minutes = started === null ? 0 : Math.floor((now - started) / 60_000);
  if (taking !== null || waiting > 0 || started === null || now - started < CATCHING_UP_MAX_MS) return null;
  const text = `it is still catching up ${minutes} minutes after its start`;
  const fix = "its log says what it waits for; start the members that are away (dbsync members list)";
  return { text, fix, severity: "problem", isOfMember: false };
}

/** Digits of an id, and bytes of a key, that users see. */
const ID_DIGITS = 12;
const KEY_CHARS = 64;

/** Reports keys that differ. The first one is named: the advice is the same for all. */
function diagnoseState({ differing, members }: DiagnosedTimeline, bad: Add): void {
  const [first] = differing;
  if (first === undefined) return;
  const { db, key, verdict, members: ids } = first;
  const name = `${key.slice(0, KEY_CHARS)}${key.length > KEY_CHARS ? "…" : ""}`;
  const more = differing.length === 1 ? "" : ` and ${differing.length - 1} more`;
  const where = ids.map((id) => members.find((one) => one.id === id)?.address ?? id.slice(0, ID_DIGITS));
  const differs = `though both hold the same commands: key ${name} in database ${db}${more}`;
  if (verdict === "own")
    bad(
      `its state is not that of most members, ${differs}`,
      "restart it: its state is rebuilt from its folder",
    );
  else if (verdict === "member")
    bad(
      `the state of its member ${where.join(", ")} is not its own, ${differs}`,
      "restart that member: its state is rebuilt",
    );
  else
    bad(
      `its state and that of its member ${where.join(", ")} differ, ${differs}`,
      "restart both, one after the other: their states are rebuilt from their folders",
    );
}

function diagnoseLosses(
  { strays, deadLetters, durable }: DiagnosedTimeline,
  bad: (text: string, fix: string) => void,
): void {
  if (deadLetters > 0)
    bad(
      `it keeps ${deadLetters} dead ${deadLetters === 1 ? "letter" : "letters"}: envelopes that are missing, or may be missing, in a snapshot that it took from a member`,
      "dbsync dead-letters list there; write them again, or remove them",
    );
  else if (strays > 0 && !durable)
    bad(
      `${strays} of its envelopes were not in a snapshot that it took from a member, and are gone there`,
      "its log names them, and their signers; write them again",
    );
}

const isOther = ({ connection }: MemberReport): boolean => connection !== "self";

/** Whether it is not connected because no list names this daemon, or the other one. */
const isLetGo = ({ trouble }: MemberReport): boolean =>
  /^(it says: (left-out|not-listed)\b|The list of members )/.test(trouble ?? "");

const keptFrom = ({ prunedTo }: MemberReport): string =>
  `it keeps those from ${dateText((prunedTo ?? 0) + 1)} on`;

/** The reason ends with what to do. */
function diagnoseStandstill(standstill: string, bad: Add): void {
  const [reason = "", ...cure] = standstill.split(": ");
  bad(
    `it applies nothing that comes, and answers neither reads nor writes: ${reason}`,
    `${cure.join(": ")} (what it has missed it has kept, and applies then)`,
  );
}

function diagnoseFinal({ stable, started }: DiagnosedTimeline, now: number, bad: Add): void {
  const since = stable > 0 ? stable : started;
  if (since === null || now - since <= STABLE_BEHIND_MAX_MS) return;
  const seconds = Math.round((now - since) / 1000);
  bad(
    stable > 0
      ? `what is older than ${seconds} s is final, and nothing newer`
      : `nothing has become final since it was started ${seconds} s ago`,
    "see which daemon is away or out of date (dbsync members list); one that does not come back: dbsync members evict",
  );
}

/** Returns why it accepts nothing although nothing has failed, and what to do about the member list. */
function diagnoseList(
  { unlisted, lists, joining, standstill, authorize }: DiagnosedTimeline,
  { bad, note, passing }: Adders,
): void {
  if (standstill !== null) diagnoseStandstill(standstill, bad);
  if (unlisted !== null)
    bad(
      `it takes no writes: ${unlisted}`,
      "if it is left out: dbsync dead-letters find there, then a new data folder, and dbsync members replace; else dbsync members add it",
    );
  if (authorize === NOT_ITS_OWN)
    bad(
      "the command that it reports to authorize its key is not CLUSTER ADD of its own key",
      "do not sign it; take the daemon's key from the machine itself, and see what runs there",
    );
  // Not a failure: clients that sign are served, and there may be no other clients.
  else if (authorize !== null)
    note(
      "it refuses writes of clients that do not sign (Redis, SQL, JSON, MongoDB, version 1): its key is not authorized",
      `as administrator: dbsync send -k root-private.pem ${authorize}`,
    );
  if (lists.length > 1)
    bad(
      `it knows parallel lists of members (numbers ${lists.join(" and ")}), so nothing becomes final`,
      "dbsync members merge",
    );
  if (joining)
    passing(
      "a list of members has added it, and it has received nothing from a live one of them yet",
      "start those of them that are away (dbsync members list)",
    );
}

/** Whether a daemon's report on a member without a connection may only mean that the member has just been started. */
const isUnanswered = (trouble: string | null): boolean =>
  trouble === null || !/^(it|its|no|the) /i.test(trouble);

function diagnoseMember(
  member: MemberReport,
  { isStarting, standing }: { readonly isStarting: boolean; readonly standing: Standing },
  { bad, warn, passing }: Adders,
): void {
  const { address, connection, trouble, skew, lag, behind, refusals, state, lacking, listed } = member;
  const isNew = isStarting && member.lastHeard === null;
  if (listed === false) {
    warn(`${address} is not on the list of members`, "take it out of peer; or dbsync members add it");
    return;
  }
  if (connection !== "connected") {
    // The daemon's own line already says this.
    if (standing === "away" && isUnanswered(trouble)) return;
    if ((isNew || standing === "busy") && isUnanswered(trouble)) {
      passing(`it connects to its member ${address}`, cureOf(trouble ?? "", member));
      return;
    }
    bad(
      `it does not reach its member ${address}${trouble === null ? "" : ` (${trouble})`}`,
      cureOf(trouble ?? "", member),
    );
    return;
  }
  if (lacking)
    bad(
      `it misses envelopes that its member ${address} no longer stores (${keptFrom(member)})`,
      "it takes a snapshot that most members have signed, once there is one; if it stays so, see its log",
    );
  if (state === "catching-up" && standing === null)
    passing(`its member ${address} is catching up`, "that daemon's log says how far it is");
  if (skew !== null && Math.abs(skew) > SKEW_MAX_MS)
    bad(`the clock of its member ${address} differs by ${skew} ms`, "set both clocks by NTP");
  if (refusals > 0)
    bad(
      `it has refused ${refusals} envelopes of its member ${address}`,
      "its log says why; run dbsync log verify there",
    );
  if (lag + behind > LAG_MAX)
    passing(
      `${lag + behind} envelopes are on their way between it and ${address}`,
      "see dbsync top, and the network between them",
    );
}

function diagnoseMirror(
  { redis, state, trouble, foreign, refused }: MirrorReport,
  { bad, warn, passing }: Adders,
): void {
  if (trouble !== null)
    bad(
      `its mirror ${redis} is not written to (${trouble})`,
      "repair that Redis: the daemon then updates it by itself, and answers meanwhile",
    );
  else if (state === "comparing") passing(`its mirror ${redis} is being compared`, LOG_TELLS);
  if (foreign > 0)
    warn(
      `other clients have changed ${foreign} keys in its mirror ${redis}, since it was started, which it has reverted`,
      "let nothing else write there (in Redis, a user of the daemon's own)",
    );
  if (refused > 0) bad(`its mirror ${redis} did not take ${refused} keys`, "its log says why");
}

/** Returns the advice for a member that is not connected. @param trouble  as daemon/peers reports it */
function cureOf(trouble: string, { address, id }: MemberReport): string {
  if (/^it says: other-secret\b/.test(trouble) || trouble.startsWith("It has another --cluster-secret"))
    return "start both with the same --cluster-secret";
  if (/^it says: no-peers\b/.test(trouble)) return "there, name this daemon in --peer too";
  if (/^it says: not-(a-member|pinned)\b/.test(trouble))
    return "start both with the same --cluster-secret; or there, pin this daemon with the --peer host:port#ed25519:… that it prints when it starts, or CLUSTER ADD it";
  if (/^it says: (left-out|not-listed)\b/.test(trouble))
    return "dbsync members add it, with a new data folder if it was left out; or stop it";
  if (/^The list of members (leaves it out|does not name it)\b/.test(trouble))
    return "take it out of --peer; or there, a new data folder if it was left out, and dbsync members add it";
  // If a pin is wrong, nothing else is known about the daemon's id.
  const known = trouble.startsWith("Its id is not the one") ? null : id;
  const pin = `pin it with the id that it prints when it starts (--peer ${address}#ed25519:${known ?? "…"}), or CLUSTER ADD it`;
  if (/^Its key (belongs to no|is none)/.test(trouble))
    return `start both with the same --cluster-secret; or ${pin}`;
  if (/^Its id is not the one/.test(trouble)) return pin;
  if (trouble.startsWith("No address of --peer leads to it"))
    return `start that daemon, and name it in --peer; or leave it out: dbsync members evict ${(id ?? "").slice(0, ID_DIGITS)}`;
  return `start the daemon at ${address}, or correct --peer (if that daemon was removed permanently, take it out of --peer)`;
}
