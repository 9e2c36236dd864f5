/**
 * TIMELINE FATE: returns the outcome of envelopes that a daemon had accepted before the member list removed it. The
 * client stores the envelopes that no member has as dead letters. Source: docs/protocol-v2.md "TIMELINE".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, type Reply } from "../../../protocol/reply.js";
import { bytesOfHex, HASH_BYTES } from "../../../protocol/version-2/envelope.js";
import { custom, echoed } from "../../store/arguments/command-errors.js";
import { ORDER_KEY_BYTES, readOrderKey } from "../../timeline/entries/entry.js";
import { type EntryOutcome, entryOutcomeOf } from "../../timeline/members/dead-letter-rule.js";
import type { Recorder } from "../replica/recorder.js";
import type { NodeState } from "../replica/replica-context.js";

/** The maximum number of order keys in one command, which take about 84 kB. */
export const ORDER_KEYS_MAX = 1000;

/** @param argv  `TIMELINE FATE daemon order-key …`, hexadecimal. @throws CommandFailure */
export function envelopeOutcomes(argv: readonly ByteString[], node: NodeState, recorder: Recorder): Reply {
  const [, , daemon = "", ...orderKeys] = argv;
  if (orderKeys.length > ORDER_KEYS_MAX)
    throw custom(`ERR ${orderKeys.length} order keys are named, but at most ${ORDER_KEYS_MAX} are allowed`);
  const id = bytesOfHex(daemon, HASH_BYTES);
  if (id === undefined) throw custom(`ERR '${echoed(daemon)}' is not a daemon's id of 64 hexadecimal digits`);
  const { state } = recorder;
  if (state !== "live") throw custom(`ERR this daemon is ${state}: send the command to a live one`);
  // Refuse the command if the daemon may still return, because it would then send its entries itself. If an operator
  // wrote them again too, they would exist twice.
  if (node.lists?.membership.removed.has(id) !== true) throw custom(NOT_LEFT);
  return array(orderKeys.map((text) => bulk(outcomeAt(text, node))));
}

function outcomeAt(text: ByteString, { timeline, peering }: NodeState): EntryOutcome {
  const bytes = bytesOfHex(text, ORDER_KEY_BYTES);
  if (bytes === undefined)
    throw custom(`ERR '${echoed(text)}' is not an order key of ${2 * ORDER_KEY_BYTES} hexadecimal digits`);
  const orderKey = readOrderKey(Buffer.from(bytes, "latin1"));
  const idsFrom = timeline.prunedTo + 1;
  const isStored = orderKey.at >= idsFrom && timeline.holds(orderKey);
  return entryOutcomeOf(orderKey.at, isStored, { stablePoint: peering.stablePoint, idsFrom });
}

const NOT_LEFT =
  "ERR the list of members does not leave that daemon out: it brings its entries when it returns. If it never will, evict it with dbsync members evict";
