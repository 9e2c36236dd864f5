/** Derives the problems of a timeline and its members, with remedies. */

import { DAEMON_STATES, rowOfState } from "../daemon-states.js";
import { dateText } from "../version-2/envelope.js";
import { lowDiskText } from "./daemon-problems.js";
import type { Problem, Severity } from "./problem.js";
import type { MemberReport, MirrorReport, TimelineReport } from "./timeline-figures.js";

/** The state of a member according to a query, or null if it was not queried. */
export type MemberAvailability = "away" | "busy" | "ready" | null;

/** The maximum tolerated difference between two clocks, in milliseconds. Members use the same limit. */
const SKEW_MAX_MS = 2000;
/** The maximum normal age of the newest final unit. The usual age is the length of the window, about 30 s. */
const STABLE_BEHIND_MAX_MS = 120_000;
/**
 * The maximum normal distance of the watermark ahead of the clock, which covers the window and the skew of this clock.
 */
const AHEAD_MAX_MS = 120_000;
/** The maximum normal number of envelopes in flight. There are more only after an interruption. */
const LAG_MAX = 10_000;
/** The time after a start in which a missing connection is normal, because the members may also be starting. */
const STARTING_MS = 60_000;
/** The time without progress after which a daemon that is catching up is considered stuck. */
const CATCHING_UP_MAX_MS = 300_000;

/** A daemon's report, with conclusions from it. */
export interface DiagnosedTimeline extends TimelineReport {
  /** The numbers of the newest member lists that the daemon knows. Several numbers mean parallel lists. */
  readonly lists: readonly number[];
  /** The fingerprint of the entries dated before the same second on all daemons, or null if they were not compared. */
  readonly settledFingerprint: string | null;
  /** The snapshot that the daemon is receiving from a member, or null. Sizes are in bytes; total 0: not known yet. */
  readonly taking: { readonly from: string; readonly received: number; readonly total: number } | null;
}

/** The value of `authorize` if the command that a daemon reports would not authorize the daemon's own key. */
export const FOREIGN_KEY = "";

/** Returns a report with the conclusions that follow from it alone. */
export function diagnosed(report: TimelineReport): DiagnosedTimeline {
  const { list, takingFrom, takingBytes, takingTotal } = report;
  return {
    ...report,
    lists: list === null ? [] : list.split(" ").map(Number),
    settledFingerprint: null,
    taking: takingFrom === null ? null : { from: takingFrom, received: takingBytes, total: takingTotal },
  };
}

/** Problems, warnings, and states that resolve themselves. */
export interface Diagnosis {
  readonly problems: readonly Problem[];
  readonly remarks: readonly Problem[];
  readonly progress: readonly Problem[];
}

export interface DiagnosisContext {
  /** The other daemons' timelines, as far as they are known. */
  readonly others: readonly DiagnosedTimeline[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly availabilityOf?: (member: MemberReport) => MemberAvailability;
}

export function diagnose(
  timeline: DiagnosedTimeline,
  { others, now, availabilityOf = () => null }: DiagnosisContext,
): Diagnosis {
  const found = { problems: [], remarks: [], progress: [] };
  const adders = addersTo(found, false);
  const { bad, warn, passing } = adders;
  const { skewed, members, quarantined, dropped, waiting, durable } = timeline;
  const { taking, order, lostGroups, revoked } = timeline;
  diagnoseDisk(timeline, adders);
  if (revoked !== null)
    bad(
      `its own key was revoked (according to ${revoked}), so it accepts no writes and is no longer a member`,
      "start it with a new data folder, or stop it and remove it from the lists",
    );
  diagnoseList(timeline, adders);
  if (lostGroups > 0)
    bad(
      `${lostGroups} ${lostGroups === 1 ? "group of writes that it had acknowledged was" : "groups of writes that it had acknowledged were"} missing from its log when it was started`,
      "its members send them again; without members they are lost. Check the disk",
    );
  const { "clock-off": clockOff } = DAEMON_STATES;
  if (skewed) bad(clockOff.problem.text, clockOff.problem.fix);
  else if (timeline.state === "clock-off" || timeline.watermark - now > AHEAD_MAX_MS)
    bad(
      `it accepts no writes dated before ${dateText(timeline.watermark)}, which is in the future: a clock was ahead when it was started`,
      "set its clock if it is still ahead, and restart it",
    );
  const { settledFingerprint } = timeline;
  if (
    isComplete(timeline) &&
    others.some((other) => isComplete(other) && other.settledFingerprint !== settledFingerprint)
  )
    bad(
      "its data differ from the other members'",
      "connect it to them (dbsync members list); if it is connected, run dbsync log verify on its folder",
    );
  const connected = members.filter(({ connection }) => connection === "connected");
  if (members.some(isOther)) diagnoseFinal(timeline, now, bad);
  const isStarting = timeline.started !== null && now - timeline.started < STARTING_MS;
  diagnoseDecisions(timeline, isStarting, adders);
  for (const member of members.filter(isOther)) {
    if (timeline.unlisted !== null && isExcluded(member)) continue;
    diagnoseMember(member, { isStarting, availability: availabilityOf(member) }, addersTo(found, true));
  }
  diagnoseState(timeline, bad);
  if (timeline.mirror !== null) diagnoseMirror(timeline.mirror, adders);
  if (taking !== null)
    passing(
      `it is receiving a snapshot from ${taking.from}: ${taking.received} of ${taking.total} bytes`,
      SEE_LOG,
    );
  if (order !== null)
    bad(
      "it is missing envelopes that no member stores any longer, and too few members have signed the same snapshot with them",
      `start the daemons that are down; or, to trust that member, start this one once with ${order}: the member's ` +
        "snapshot then replaces this daemon's data of that time, of which its data folder stores a copy",
    );
  diagnoseLosses(timeline, bad);
  if (dropped > 0)
    bad(`${dropped} envelopes of members were dropped because their signer's key did not arrive`, KEYS_CURE);
  else if (quarantined > 0) passing(`${quarantined} envelopes are waiting for their signer's key`, KEYS_CURE);
  if (waiting > LAG_MAX) passing(`${waiting} envelopes are waiting to be applied`, SEE_LOG);
  if (!durable && connected.length === 0)
    warn(
      "it stores everything only in memory, and no other daemon is connected",
      "start it with --data, or start its peers",
    );
  return found;
}

function diagnoseDisk(
  { failure, diskLow, diskFree, diskSize }: DiagnosedTimeline,
  { bad, warn }: Adders,
): void {
  if (failure !== null)
    bad(
      `its disk has failed (${failure})`,
      "free space on the disk or repair it, then start the daemon again",
    );
  else if (diskLow)
    warn(
      lowDiskText(diskFree ?? 0, diskSize ?? 0),
      "free space there, or move its data folder to a larger disk; a full disk stops all writes",
    );
}

const SEE_LOG = "its log shows its progress";
const KEYS_CURE = "check that all daemons have the same keys: dbsync keys list";

type Add = (text: string, fix: string) => void;

/** Functions that add a problem, one for each severity. */
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

/** Whether a daemon has all entries: it is not catching up. */
const isComplete = ({ state }: DiagnosedTimeline): boolean => rowOfState(state)?.isComplete !== false;

/** Returns the problem of a daemon that has been catching up for too long without progress, or null. */
export function stuckCatchingUp(
  { started, taking, waiting }: DiagnosedTimeline,
  now: number,
): Problem | null {
  const minutes = started === null ? 0 : Math.floor((now - started) / 60_000);
  if (taking !== null || waiting > 0 || started === null || now - started < CATCHING_UP_MAX_MS) return null;
  const text = `it is still catching up ${minutes} minutes after its start`;
  const fix = "its log says what it is waiting for; start the members that are down (dbsync members list)";
  return { text, fix, severity: "problem", isOfMember: false };
}

/** The number of digits of an id, and of characters of a key, that messages show. */
const ID_DIGITS = 12;
const KEY_CHARS = 64;

/** Reports keys that differ. It names only the first one, because the remedy is the same for all. */
function diagnoseState({ differing, members }: DiagnosedTimeline, bad: Add): void {
  const [first] = differing;
  if (first === undefined) return;
  const { db, key, verdict, members: ids } = first;
  const name = `${key.slice(0, KEY_CHARS)}${key.length > KEY_CHARS ? "…" : ""}`;
  const more = differing.length === 1 ? "" : ` and ${differing.length - 1} more`;
  const where = ids.map((id) => addressOf(id, members));
  const differs = `although both have the same commands: key ${name} in database ${db}${more}`;
  if (verdict === "own")
    bad(
      `its state differs from that of most members, ${differs}`,
      "restart it: its state is rebuilt from its folder",
    );
  else if (verdict === "member")
    bad(
      `the state of its member ${where.join(", ")} differs from its own, ${differs}`,
      "restart that member: its state is rebuilt",
    );
  else
    bad(
      `its state and that of its member ${where.join(", ")} differ, ${differs}`,
      "restart both, one after the other: their states are rebuilt from their folders",
    );
}

const addressOf = (id: string, members: readonly MemberReport[]): string =>
  members.find((one) => one.id === id)?.address || id.slice(0, ID_DIGITS);

/** Reports why the daemon does not vote in decisions, and members whose votes contradict each other. */
function diagnoseDecisions(
  { missingPromises, contradicting, members }: DiagnosedTimeline,
  isStarting: boolean,
  { bad, passing }: Adders,
): void {
  for (const id of contradicting)
    bad(
      `the member ${addressOf(id, members)} has voted for two decisions in one ballot: it is broken or lies`,
      `check whether two daemons run with copies of its folder; if not, its machine may be compromised: dbsync members evict ${id.slice(0, ID_DIGITS)}`,
    );
  if (missingPromises.length === 0) return;
  const where = missingPromises.map((id) => addressOf(id, members)).join(", ");
  const text = `it may have lost promises for decisions, and does not vote until ${where} ${missingPromises.length === 1 ? "has" : "have"} answered`;
  if (isStarting) passing(text, SEE_LOG);
  else
    bad(
      text,
      "start these members; if one of them reports the same, stop it, and replace it by an empty one: dbsync members replace",
    );
}

function diagnoseLosses(
  { strays, deadLetters, durable }: DiagnosedTimeline,
  bad: (text: string, fix: string) => void,
): void {
  if (deadLetters > 0)
    bad(
      `it stores ${deadLetters} dead ${deadLetters === 1 ? "letter" : "letters"}: envelopes that are, or may be, missing from a snapshot that it received from a member`,
      "run dbsync dead-letters list there, then write them again or remove them",
    );
  else if (strays > 0 && !durable)
    bad(
      `${strays} of its envelopes were missing from a snapshot that it received from a member, and are lost there`,
      "its log names them and their signers; write them again",
    );
}

const isOther = ({ connection }: MemberReport): boolean => connection !== "self";

/** Whether a member is not connected because a list excludes this daemon or the member. */
const isExcluded = ({ trouble }: MemberReport): boolean =>
  /^(it says: (left-out|not-listed)\b|The list of members )/.test(trouble ?? "");

const storedFrom = ({ prunedTo }: MemberReport): string =>
  `it stores those since ${dateText((prunedTo ?? 0) + 1)}`;

/** Reports why the daemon applies nothing. @param standstill  the reason, which ends with the remedy */
function diagnoseStandstill(standstill: string, bad: Add): void {
  const [reason = "", ...cure] = standstill.split(": ");
  bad(
    `it applies no further entries, and answers neither reads nor writes: ${reason}`,
    `${cure.join(": ")} (it stores the missed entries, and applies them afterwards)`,
  );
}

function diagnoseFinal({ stable, started }: DiagnosedTimeline, now: number, bad: Add): void {
  const since = stable > 0 ? stable : started;
  if (since === null || now - since <= STABLE_BEHIND_MAX_MS) return;
  const seconds = Math.round((now - since) / 1000);
  bad(
    stable > 0
      ? `only units older than ${seconds} s are final`
      : `no unit has become final since it was started ${seconds} s ago`,
    "check which daemon is down or out of date (dbsync members list); remove one that will not return: dbsync members evict",
  );
}

/** Reports why the daemon accepts no writes although nothing has failed, and the problems of the member list. */
function diagnoseList(
  { unlisted, lists, joining, standstill, authorize }: DiagnosedTimeline,
  { bad, note, passing }: Adders,
): void {
  if (standstill !== null) diagnoseStandstill(standstill, bad);
  if (unlisted !== null)
    bad(
      `it accepts no writes: ${unlisted}`,
      "if it was removed: run dbsync dead-letters find there, start it with a new data folder, and run dbsync members replace; otherwise add it with dbsync members add",
    );
  if (authorize === FOREIGN_KEY)
    bad(
      "the command that it reports for authorizing its key is not CLUSTER ADD with its own key",
      "do not sign it; read the daemon's key on its machine, and check which program runs there",
    );
  // This is not a failure: clients that sign are served, and there may be no other clients.
  else if (authorize !== null)
    note(
      "it refuses writes from clients that do not sign (Redis, SQL, JSON, MongoDB, version 1): its key is not authorized",
      `as administrator: dbsync send -k root-private.pem ${authorize}`,
    );
  if (lists.length > 1)
    bad(
      `it knows parallel member lists (numbers ${lists.join(" and ")}), so no unit becomes final`,
      "merge them as an administrator: dbsync members merge",
    );
  if (joining)
    passing(
      "a member list has added it, but it has not received anything from a live member yet",
      "start the members that are down (dbsync members list)",
    );
}

/** Whether a connection may be missing only because the member has just been started. */
const isUnanswered = (trouble: string | null): boolean =>
  trouble === null || !/^(it|its|no|the) /i.test(trouble);

function diagnoseMember(
  member: MemberReport,
  { isStarting, availability }: { readonly isStarting: boolean; readonly availability: MemberAvailability },
  { bad, warn, passing }: Adders,
): void {
  const { address, connection, trouble, skew, lag, behind, refusals, state, lacking, listed } = member;
  const isNew = isStarting && member.lastHeard === null;
  if (listed === false) {
    warn(`${address} is not on the member list`, "remove it from --peer, or add it with dbsync members add");
    return;
  }
  if (connection !== "connected") {
    // The line about the member already reports this.
    if (availability === "away" && isUnanswered(trouble)) return;
    if ((isNew || availability === "busy") && isUnanswered(trouble)) {
      passing(`it is connecting to its member ${address}`, remedyFor(trouble ?? "", member));
      return;
    }
    bad(
      `it cannot reach its member ${address}${trouble === null ? "" : ` (${trouble.replace(/\.$/, "")})`}`,
      remedyFor(trouble ?? "", member),
    );
    return;
  }
  if (lacking)
    bad(
      `it is missing envelopes that its member ${address} no longer stores (${storedFrom(member)})`,
      "it loads a snapshot that most members have signed, once there is one; if this does not change, see its log",
    );
  if (state === "catching-up" && availability === null)
    passing(`its member ${address} is catching up`, "that daemon's log shows its progress");
  if (skew !== null && Math.abs(skew) > SKEW_MAX_MS)
    bad(`the clock of its member ${address} differs by ${skew} ms`, "set both clocks by NTP");
  if (refusals > 0)
    bad(
      `it has refused ${refusals} envelopes from its member ${address}`,
      "its log says why; run dbsync log verify there",
    );
  if (lag + behind > LAG_MAX)
    passing(
      `${lag + behind} envelopes are in flight between it and ${address}`,
      "check dbsync top, and the network between them",
    );
}

function diagnoseMirror(
  { redis, state, trouble, foreign, refused }: MirrorReport,
  { bad, warn, passing }: Adders,
): void {
  if (trouble !== null)
    bad(
      `it cannot write to its mirror ${redis} (${trouble})`,
      "repair that Redis: the daemon then updates it automatically, and continues to serve",
    );
  else if (state === "comparing") passing(`its mirror ${redis} is being compared`, SEE_LOG);
  if (foreign > 0)
    warn(
      `since its start, other clients have changed ${foreign} keys in its mirror ${redis}, and it has reverted them`,
      "prevent other clients from writing there (in Redis, with a separate user for the daemon)",
    );
  if (refused > 0) bad(`its mirror ${redis} refused ${refused} keys`, "its log says why");
}

/** Returns the remedy for a member that is not connected. @param trouble  the reason that the daemon reports */
function remedyFor(trouble: string, { address, id }: MemberReport): string {
  if (/^it says: other-secret\b/.test(trouble) || trouble.startsWith("It has another --cluster-secret"))
    return "start both with the same --cluster-secret";
  if (/^it says: no-peers\b/.test(trouble)) return "also name this daemon in --peer of that member";
  if (/^it says: not-(a-member|pinned)\b/.test(trouble))
    return "start both with the same --cluster-secret; or, on that member, pin this daemon with the --peer host:port#ed25519:… that it prints when it starts, or authorize it with CLUSTER ADD";
  if (/^it says: (left-out|not-listed)\b/.test(trouble))
    return "add it with dbsync members add (if it was removed, with a new data folder); or stop it";
  if (/^The list of members (leaves it out|does not name it)\b/.test(trouble))
    return "remove it from --peer; or start it with a new data folder if it was removed, and add it with dbsync members add";
  // If a pin is wrong, the daemon's real id is not known.
  const known = trouble.startsWith("Its id is not the one") ? null : id;
  const pin = `pin it with the id that it prints when it starts (--peer ${address}#ed25519:${known ?? "…"}), or authorize it with CLUSTER ADD`;
  if (/^Its key (belongs to no|is none)/.test(trouble))
    return `start both with the same --cluster-secret; or ${pin}`;
  if (/^Its id is not the one/.test(trouble)) return pin;
  if (trouble.startsWith("No address of --peer leads to it"))
    return `start that daemon, and specify it in --peer; or remove it: dbsync members evict ${(id ?? "").slice(0, ID_DIGITS)}`;
  return `start the daemon at ${address}, or correct --peer (if that daemon was removed permanently, remove it from --peer)`;
}
