/** TIMELINE STATUS: how the timeline and the members are. Source: docs/protocol-v2.md "TIMELINE". */
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { array, bulk, integer, map, NIL, type Reply } from "../../protocol/reply.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Digest } from "../../timeline/compare/digest-index.js";
import type { MemberStatus } from "../peers/shared/peering-parts.js";
import type { StateDifference } from "../peers/state/state-differences.js";
import { mirrorReply } from "./mirror-status.js";
import { readStatusUpTo } from "./query.js";
import { figuresOf, type ReplicaFace } from "./replica-figures.js";
import { namesAndValues } from "./unit-report.js";

/**
 * @param argv  `TIMELINE STATUS [UPTO ms]`
 * @param started  when the daemon was started, by its clock then; milliseconds since 1970
 * @throws CommandFailure
 */
export function status(argv: readonly ByteString[], replica: ReplicaFace, started: number): Reply {
  const upTo = readStatusUpTo(argv);
  const figures = figuresOf(replica);
  const fields: Record<string, Reply> = {
    state: bulk(figures.state),
    failure: textOrNil(figures.failure),
    semantics: integer(figures.semantics),
    standstill: textOrNil(figures.standstill),
    revoked: textOrNil(figures.revoked),
    unlisted: textOrNil(figures.unlisted),
    authorize: textOrNil(figures.authorize),
    list: figures.lists.length === 0 ? NIL : bulk(figures.lists.join(" ")),
    "list-hash": figures.listHash === "" ? NIL : bulk(hexOf(figures.listHash)),
    joining: flag(figures.isJoining),
    skewed: flag(figures.isSkewed),
    durable: flag(figures.isDurable),
    watermark: integer(figures.watermark),
    published: integer(figures.published),
    newest: integer(figures.newest),
    stable: integer(figures.stable),
    started: integer(started),
    "ring-entries": integer(figures.ring.count),
    "ring-sum": bulk(hexOf(figures.ring.sum)),
    "data-entries": integer(figures.data.count),
    "data-sum": bulk(hexOf(figures.data.sum)),
    "tail-units": integer(figures.tailUnits),
    "tail-bytes": integer(Math.round(figures.tailBytes)),
    redone: integer(figures.redone),
    waiting: integer(figures.waiting),
    bytes: integer(figures.bytes),
    quarantined: integer(figures.quarantined),
    dropped: integer(figures.dropped),
    "lost-groups": integer(figures.lostGroups),
    recalls: integer(figures.recalls),
    "snapshots-taken": integer(figures.snapshotsTaken),
    strays: integer(figures.strays),
    "possible-strays": integer(figures.possibleStrays),
    "dead-letters": integer(figures.deadLetters),
    "taking-from": textOrNil(figures.taking?.address ?? null),
    "taking-bytes": integer(figures.taking?.received ?? 0),
    "taking-total": integer(figures.taking?.total ?? 0),
    order: textOrNil(figures.order),
    compared: integer(figures.compared),
    differing: array(figures.differing.map(differenceReply)),
    mirror: figures.mirror === null ? NIL : mirrorReply(figures.mirror),
    members: array(figures.members.map((member) => memberReply(member, replica.lists.standing))),
  };
  return map(namesAndValues(upTo === null ? fields : { ...fields, ...upToFields(upTo, replica) }));
}

/** What is held up to a whole second, so that daemons can be compared that are being written to. */
function upToFields(upTo: number, { timeline: { index } }: ReplicaFace): Record<string, Reply> {
  const second = Math.floor(upTo / 1000) * 1000;
  const digestReply = ({ count, sum }: Digest) => bulk(`${count}:${hexOf(sum)}`);
  return {
    upto: integer(second),
    "ring-upto": digestReply(index.digestUpTo(second, "ring")),
    "data-upto": digestReply(index.digestUpTo(second, "data")),
  };
}

function differenceReply({ db, key, members, verdict }: StateDifference): Reply {
  return map(
    namesAndValues({
      db: integer(db),
      key: bulk(key),
      verdict: bulk(verdict),
      members: array(members.map((id) => bulk(hexOf(id)))),
    }),
  );
}

function memberReply(member: MemberStatus, { heads, members }: ReplicaFace["lists"]["standing"]): Reply {
  const isKnown = heads.length > 0 && member.id !== null;
  return map(
    namesAndValues({
      address: bulk(bytesOfText(member.address)),
      id: member.id === null ? NIL : bulk(hexOf(member.id)),
      listed: isKnown ? flag(members.has(member.id ?? "")) : NIL,
      connection: bulk(member.connection),
      trouble: textOrNil(member.trouble),
      state: textOrNil(member.state),
      skewed: flag(member.skewed),
      "connected-since": wholeOrNil(member.connectedSince),
      "round-trip": wholeOrNil(member.roundTrip),
      skew: wholeOrNil(member.skew),
      watermark: wholeOrNil(member.watermark),
      "pruned-to": wholeOrNil(member.prunedTo),
      lacking: flag(member.isLacking),
      entries: wholeOrNil(member.entries),
      equal: member.isEqual === null ? NIL : flag(member.isEqual),
      lag: integer(member.lag),
      behind: integer(member.behind),
      "last-heard": wholeOrNil(member.lastHeard),
      refusals: integer(member.refusals),
    }),
  );
}

const flag = (value: boolean): Reply => integer(value ? 1 : 0);

const textOrNil = (text: string | null): Reply => (text === null ? NIL : bulk(bytesOfText(text)));

const wholeOrNil = (value: number | null): Reply => (value === null ? NIL : integer(Math.round(value)));
