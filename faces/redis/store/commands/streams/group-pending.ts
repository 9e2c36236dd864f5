/** XPENDING. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import { syntaxError } from "../../../../../daemon/store/arguments/command-errors.js";
import { indexArgument } from "../../../../../daemon/store/arguments/number-arguments.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import {
  array,
  bulk,
  EMPTY_ARRAY,
  integer,
  NIL,
  NIL_ARRAY,
  type Reply,
  ZERO,
} from "../../../../../protocol/reply.js";
import type { ConsumerGroup } from "../../values/streams/consumer-group.js";
import { type StreamId, streamIdText } from "../../values/streams/stream-id.js";
import { groupArgument } from "./group-arguments.js";
import { endArgument, startArgument } from "./stream-arguments.js";

export function xpending(data: Data, argv: readonly ByteString[], { at }: Unit): Reply {
  const options = argv.length === 3 ? null : pendingOptions(argv);
  const { group } = groupArgument(data, argv[1]!, argv[2]!);
  return options === null ? summary(group) : listed(data, group, options, at);
}

interface PendingOptions {
  /** The minimum time since the last delivery, in milliseconds. */
  readonly minIdle: number;
  readonly start: StreamId;
  readonly end: StreamId;
  readonly count: number;
  /** The consumer whose entries are listed; undefined means all consumers. */
  readonly consumer: ByteString | undefined;
}

function pendingOptions(argv: readonly ByteString[]): PendingOptions {
  if (argv.length < 6 || argv.length > 9) throw syntaxError();
  const hasIdle = argv[3]!.toUpperCase() === "IDLE";
  const minIdle = hasIdle ? indexArgument(argv[4]!) : 0;
  if (hasIdle && argv.length < 8) throw syntaxError();
  const [start, end, count, consumer] = argv.slice(hasIdle ? 5 : 3) as [
    ByteString,
    ByteString,
    ByteString,
    ByteString?,
  ];
  const max = Math.max(0, indexArgument(count));
  return { minIdle, start: startArgument(start), end: endArgument(end), count: max, consumer };
}

function summary({ pending, consumers }: ConsumerGroup): Reply {
  const { size, firstId, lastId } = pending;
  if (firstId === undefined || lastId === undefined) return array([ZERO, NIL, NIL, NIL_ARRAY]);
  const busy = consumers.filter((consumer) => consumer.pending.size > 0);
  return array([
    integer(size),
    bulk(streamIdText(firstId)),
    bulk(streamIdText(lastId)),
    array(busy.map((consumer) => array([bulk(consumer.name), bulk(String(consumer.pending.size))]))),
  ]);
}

/** Cost in steps of each pending entry that is read. */
export const LISTED_STEPS = 20;

function listed(
  data: Data,
  group: ConsumerGroup,
  { minIdle, start, end, count, consumer: name }: PendingOptions,
  at: number,
): Reply {
  const of = name === undefined ? group : group.consumer(name);
  if (of === undefined || count === 0) return EMPTY_ARRAY;
  const items: Reply[] = [];
  for (const [id, { consumer, deliveredAt, deliveries }] of of.pending.range(start, end)) {
    data.effort.work(LISTED_STEPS);
    const idle = at - deliveredAt;
    if (minIdle !== 0 && idle < minIdle) continue;
    items.push(
      array([bulk(streamIdText(id)), bulk(consumer.name), integer(Math.max(0, idle)), integer(deliveries)]),
    );
    if (items.length === count) break;
  }
  return array(items);
}
