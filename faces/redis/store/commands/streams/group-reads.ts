/** XREADGROUP. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import { custom } from "../../../../../daemon/store/arguments/command-errors.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../../daemon/store/keyspace/unit.js";
import { type Command, family } from "../../../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { array, bulk, mapInPairs, NIL_ARRAY, ONE, type Reply } from "../../../../../protocol/reply.js";
import { markGroup, seenConsumer, setPending } from "../../keyspace/stream-mutators.js";
import {
  type Consumer,
  nextDeliveryCount,
  type Pending,
  sharedPending,
} from "../../values/streams/consumer-group.js";
import { readSkipped, readUpTo } from "../../values/streams/read-counter.js";
import { STREAM_ID_MAX, type StreamId, streamIdText } from "../../values/streams/stream-id.js";
import { countHandedOut } from "./group-claims.js";
import {
  addSkipped,
  chosenIds,
  findAll,
  findChosen,
  hasSkippedEntries,
  isEmpty,
  type NewEntries,
  nextIfChosen,
  noteTaken,
  takeSkipped,
} from "./new-entries.js";
import { type GroupReadOptions, groupReadOptions, xreadgroupKeys } from "./read-options.js";
import { type GroupOfStream, groupArgument, idArgument } from "./stream-arguments.js";
import { entryReply } from "./stream-reads.js";

/** The id used for `>`, as in Redis. */
const NEW = STREAM_ID_MAX;

/** A group to read from, and the id to read after; `NEW` means entries that no consumer has received. */
interface Source extends GroupOfStream {
  readonly key: ByteString;
  readonly after: StreamId;
}

/** Delivers the existing entries. BLOCK does not wait here, as in MULTI. */
export function xreadgroup(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const options = groupReadOptions(argv);
  const find = finderOf(data, options, unit);
  const replies: Reply[] = [];
  for (const [index, source] of sourcesOf(data, options).entries()) {
    const found = source.after === NEW ? find(source, index) : null;
    if (found !== null && isEmpty(found)) continue;
    if (found !== null && unit.taken !== undefined) noteTaken(unit.taken, index, found);
    // A call may name a stream twice, and the second time delivers what the first time has left.
    if (unit.omitsChanges && options.keys.length === 1) continue;
    // A consumer that receives nothing is neither created nor recorded as seen.
    const consumer = seenConsumer(data, source.group, options.consumer);
    const to: Receiver = { data, consumer, at: unit.at, options };
    replies.push(bulk(source.key), found === null ? handOutAgain(source, to) : handOut(source, found, to));
  }

  return replies.length === 0 ? NIL_ARRAY : mapInPairs(replies);
}

/** Returns a function that finds the new entries of a stream, whose index among the streams is the second argument. */
function finderOf(
  data: Data,
  { count, keys }: GroupReadOptions,
  { choice }: Unit,
): (source: Source, index: number) => NewEntries {
  if (choice === undefined) return (source) => findAll(data, source, count);
  let ids: ReadonlyMap<number, readonly StreamId[]> | undefined;
  return (source, index) => {
    const next = keys.length === 1 ? nextIfChosen(data, source, choice) : null;
    return next ?? findChosen(data, source, (ids ??= chosenIds(choice)).get(index) ?? []);
  };
}

/**
 * A command that reports whether a call of XREADGROUP with the same arguments would deliver anything: the reply is 1,
 * or nil like that of XREADGROUP itself. Callers use it because a call that delivers nothing need not be recorded. The
 * row is not in the command table.
 */
export const XREADGROUP_PREVIEW = family("stream", {
  XREADGROUP: {
    arity: -7,
    flags: ["readonly"],
    keys: xreadgroupKeys,
    since: "5.0.0",
    complexity: "O(K), K: streams",
    summary: "Returns whether XREADGROUP would deliver anything.",
    run: (data, argv) => (sourcesOf(data, groupReadOptions(argv)).some(hasSomething) ? ONE : NIL_ARRAY),
  },
})[0] as Command;

/** @throws CommandFailure before anything has been changed */
function sourcesOf(data: Data, { keys, ids, group: name }: GroupReadOptions): readonly Source[] {
  return keys.map((key, i) => {
    const { stream, group } = groupArgument(data, key, name, " in XREADGROUP with GROUP option");
    return { stream, group, key, after: afterArgument(ids[i] as ByteString) };
  });
}

function afterArgument(bytes: ByteString): StreamId {
  if (bytes === ">") return NEW;
  if (bytes === "$")
    throw custom(
      "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
    );
  return idArgument(bytes);
}

/**
 * Whether a read has a result. A read of entries that the consumer has already received always has a result, possibly
 * an empty list.
 */
const hasSomething = ({ stream, group, after }: Source): boolean =>
  after !== NEW ||
  (stream.topId !== undefined && stream.topId > group.marks.lastId) ||
  hasSkippedEntries(stream, group);

/** The consumer, the number of entries and the options of a delivery. */
interface Receiver {
  readonly data: Data;
  readonly consumer: Consumer;
  /** Date of the unit. */
  readonly at: number;
  readonly options: GroupReadOptions;
}

function handOut(
  { stream, group }: Source,
  { skipped, next, apart }: NewEntries,
  { data, consumer, at, options }: Receiver,
): Reply {
  const pending: Pending = { consumer, deliveredAt: at, deliveries: 1 };
  let { lastId, entriesRead } = group.marks;
  for (const { id } of skipped) {
    takeSkipped(data, { stream, group }, id);
    entriesRead = readSkipped(stream, entriesRead);
  }

  for (const { id } of next) {
    lastId = id;
    entriesRead = readUpTo(stream, lastId, entriesRead);
  }

  for (const { id } of apart) {
    addSkipped(data, { stream, group }, lastId + 1n, id - 1n);
    lastId = id;
    entriesRead = readUpTo(stream, lastId, entriesRead);
  }

  const entries = skipped.length + apart.length === 0 ? next : [...skipped, ...next, ...apart];
  markGroup(data, group, { lastId, entriesRead });
  if (!options.noAck)
    setPending(
      data,
      group,
      entries.map(({ id }) => [id, pending]),
    );

  return array(entries.map(entryReply));
}

/** Returns entries that the consumer has received but not acknowledged; for deleted entries only the ids. */
function handOutAgain({ stream, group, after }: Source, { data, consumer, at, options }: Receiver): Reply {
  const items: Reply[] = [];
  const changes: [StreamId, Pending][] = [];
  for (const [id, pending] of consumer.pending.range(after + 1n, STREAM_ID_MAX)) {
    const entry = stream.find(id);
    countHandedOut(data, entry);
    if (entry === undefined) items.push(array([bulk(streamIdText(id)), NIL_ARRAY]));
    else {
      items.push(entryReply(entry));
      const again = { consumer, deliveredAt: at, deliveries: nextDeliveryCount(pending.deliveries) };
      changes.push([id, sharedPending(again, changes.at(-1)?.[1])]);
    }
    if (items.length === options.count) break;
  }
  setPending(data, group, changes);
  return array(items);
}
