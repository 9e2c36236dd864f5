/** Describes members that cannot be reached, as one problem for each, with the daemons that see it. */
import { spanText } from "./amount-texts.js";
import type { Problem } from "./problem.js";
import type { MemberReport } from "./timeline-figures.js";

/** The sentence of the rule memberDown, about a member that most daemons cannot reach. It begins with its address. */
export const DOWN = "… is down for …, seen by … of …";
/** The sentence of the rule memberAway, about a member that this daemon cannot reach. */
export const AWAY = "it cannot reach its member …";

/** Time after which a member may be considered lost, in milliseconds. Until then, the remedy is to start it. */
export const LOST_AFTER_MS = 4 * 3_600_000;

/** The daemons that report a member as not reachable, of those that can be asked. */
export interface Sightings {
  readonly seen: number;
  readonly of: number;
  /**
   * Whether all of them report it, and they are most of the cluster, or this daemon is the only one that can:
   * in a cluster of two, once the member was connected. "seen by 1 of 1" says so.
   */
  readonly areMost: boolean;
}

/** Counts the reports of the connected members, and this daemon's own, about a member that it cannot reach. */
export function sightingsOf(
  { address, lastHeard }: MemberReport,
  members: readonly MemberReport[],
): Sightings {
  const others = members.filter(({ connection }) => connection !== "self");
  const connected = others.filter(({ connection }) => connection === "connected");
  const seen =
    1 +
    connected.filter(({ problems }) => problems.some((problem) => awayMember(problem) === address)).length;
  const of = 1 + connected.length;
  const isOnly = others.length === 1 && lastHeard !== null;
  const areMost = isOnly || 2 * of > others.length + 1;
  return { seen, of, areMost: seen === of && areMost };
}

/** What identifies a problem: its rule and its member, whatever its sentence says. */
type Identified = Pick<Problem, "code" | "member">;

/** Returns the address of the member that a problem reports as down, or null if there is none, or it is unknown. */
export const downMember = ({ code, member }: Identified): string | null =>
  code === "memberDown" && member !== "" ? member : null;

/** Returns the address of the member that a problem reports as not reachable, or null, as above. */
export const awayMember = ({ code, member }: Identified): string | null =>
  (code === "memberDown" || code === "memberAway") && member !== "" ? member : null;

/** Describes for how long a member has not been reachable, or "" if this is unknown. @param away  milliseconds */
export const awayText = (away: number | null): string => (away === null ? "" : ` for ${spanText(away)}`);

/**
 * Returns the advice, to be appended to another one, to remove members that have been away for hours, or "". Only a
 * member list permits it.
 * @param away  for how long they have been away or have made no progress, in milliseconds
 */
export function evictionAdvice(names: readonly string[], away: number, isListed: boolean): string {
  if (away < LOST_AFTER_MS || !isListed || names.length === 0) return "";
  return `; only if it will never return, remove it, which is permanent: ${evictionOf(names)}`;
}

/** Returns the complete command that evicts members. @param names  their addresses or ids */
export const evictionOf = (names: readonly string[]): string =>
  `dbsync members evict ${names.join(" ")} -k root-private.pem`;
