/**
 * The texts and rules about members that cannot be reached: whether such a member counts as down, how it is reported,
 * and the advice to remove it.
 */
import { spanText } from "./amount-texts.js";
import type { Problem } from "./problem.js";
import type { MemberReport } from "./timeline-figures.js";

/**
 * The sentence of the rule memberDown, about a member that most daemons cannot reach. Each … is replaced: by the
 * member's address, a time span, and the figures `reporting` and `reachable` of Sightings.
 */
export const DOWN = "… is down for …, seen by … of …";
/** The sentence of the rule memberAway, about a member that the reporting daemon cannot reach; … is its address. */
export const AWAY = "it cannot reach its member …";

/** Time after which a member may be considered lost, in milliseconds. Until then, the remedy is to start it. */
export const LOST_AFTER_MS = 4 * 3_600_000;

/** The reports about a member that this daemon cannot reach. */
export interface Sightings {
  /** The number of daemons that report the member as not reachable, including this one. */
  readonly reporting: number;
  /** The number of daemons whose reports are known: this one, and the members that are connected to it. */
  readonly reachable: number;
  /**
   * Whether the member counts as down: all reachable daemons report it, and they are a majority of the cluster. In a
   * cluster of two, this daemon suffices, if the member has been connected before.
   */
  readonly isConclusive: boolean;
}

/** Counts the reports of the connected members, and this daemon's own, about a member that it cannot reach. */
export function sightingsOf(
  { address, lastHeard }: MemberReport,
  members: readonly MemberReport[],
): Sightings {
  const others = members.filter(({ connection }) => connection !== "self");
  const connected = others.filter(({ connection }) => connection === "connected");
  const reporting =
    1 +
    connected.filter(({ problems }) => problems.some((problem) => unreachableMember(problem) === address))
      .length;
  const reachable = 1 + connected.length;
  const isOnly = others.length === 1 && lastHeard !== null;
  const isMajority = isOnly || 2 * reachable > others.length + 1;
  return { reporting, reachable, isConclusive: reporting === reachable && isMajority };
}

/** The fields that identify a problem; its sentence may differ. */
type Identified = Pick<Problem, "code" | "member">;

/** Returns the address of the member that a problem reports as down; null for other problems, or without an address. */
export const downMember = ({ code, member }: Identified): string | null =>
  code === "memberDown" && member !== "" ? member : null;

/** Returns the address of the member that a problem reports as down or away; null as in `downMember`. */
export const unreachableMember = ({ code, member }: Identified): string | null =>
  (code === "memberDown" || code === "memberAway") && member !== "" ? member : null;

/** Describes for how long a member has not been reachable, or "" if this is unknown. @param away  milliseconds */
export const awayText = (away: number | null): string => (away === null ? "" : ` for ${spanText(away)}`);

/**
 * Returns a clause that advises to remove the members, to be appended to another advice. Returns "" if they have been
 * away for less than LOST_AFTER_MS, or the cluster has no member list, without which members cannot be removed.
 * @param away  for how long they have been away or have made no progress, in milliseconds
 */
export function evictionAdvice(names: readonly string[], away: number, isListed: boolean): string {
  if (away < LOST_AFTER_MS || !isListed || names.length === 0) return "";
  return `; only if it will never return, remove it, which is permanent: ${evictCommand(names)}`;
}

/** Returns the complete command that evicts members. @param names  their addresses or ids */
export const evictCommand = (names: readonly string[]): string =>
  `dbsync members evict ${names.join(" ")} -k root-private.pem`;
