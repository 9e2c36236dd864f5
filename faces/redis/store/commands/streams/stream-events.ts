/** The events of commands for streams: see daemon/store/events/event-rules.ts. */

import {
  type EventRule,
  event,
  firstArgument,
  ifAnswered,
  reportOf,
  secondArgument,
} from "../../../../../daemon/store/events/event-rules.js";
import type { Value } from "../../../../../daemon/store/values/value.js";
import {
  consumerAdded,
  consumerRemoved,
  entriesTrimmed,
  entryRemoved,
} from "../../keyspace/stream-mutators.js";
import type { ConsumerGroup } from "../../values/streams/consumer-group.js";
import { Stream } from "../../values/streams/stream.js";

export const xaddEvents: EventRule = (effects) => {
  const key = firstArgument(effects);
  if (!ifAnswered(effects, key)) return;
  reportOf(effects, "t", "xadd", key);
  if (effects.used(entriesTrimmed, entryRemoved)) effects.report("t", "xtrim", key);
};

/** Reports consumers that were added to groups of the streams that the command names. */
export const addedConsumerEvents: EventRule = (effects) => {
  for (const record of effects.records) {
    if (record.mutator !== "value" || !record.isOf(consumerAdded)) continue;
    const { changed } = record;
    const key = effects.argv.find((word, at) => at > 0 && hasGroup(effects.valueOf(word), changed));
    if (key !== undefined) effects.report("t", "xgroup-createconsumer", key);
  }
};

const hasGroup = (value: Value | undefined, group: ConsumerGroup) =>
  value instanceof Stream && value.group(group.name) === group;

export const removedConsumerEvents = event(
  "t",
  "xgroup-delconsumer",
  (effects) => effects.used(consumerRemoved),
  secondArgument,
);
