/** XINFO and XPENDING. Behaviour and error texts are those of Redis 7; test/conformance checks them. */
import {
  custom,
  echoed,
  noSuchKey,
  syntaxError,
} from "../../../../../daemon/store/arguments/command-errors.js";
import { indexArgument, narrow } from "../../../../../daemon/store/arguments/number-arguments.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import {
  array,
  bulk,
  EMPTY_ARRAY,
  integer,
  map,
  NIL,
  NIL_ARRAY,
  namesAndValues,
  type Reply,
  status,
  ZERO,
} from "../../../../../protocol/reply.js";
import type { Consumer, ConsumerGroup, Pending } from "../../values/streams/consumer-group.js";
import { lagOf } from "../../values/streams/read-counter.js";
import { Stream } from "../../values/streams/stream.js";
import { STREAM_ID_MAX, type StreamId, streamIdText } from "../../values/streams/stream-id.js";
import { endArgument, groupArgument, noGroup, startArgument } from "./stream-arguments.js";
import { entriesReply, entryReply } from "./stream-reads.js";

/** Default number of entries that FULL returns. */
const FULL_COUNT = 10;
/**
 * Number of entries of one node in Redis's tree, from which the reported number of nodes is calculated. The blocks in
 * which a daemon stores a stream are not reported, since they are not part of the state.
 */
const NODE_ENTRIES = 100;

export function xinfoStream(data: Data, argv: readonly ByteString[]): Reply {
  const stream = streamAt(data, argv[2]!);
  const count = fullCount(argv);
  return map([...summary(stream), ...(count === null ? edges(stream) : contents(data, stream, count))]);
}

export function xinfoGroups(data: Data, argv: readonly ByteString[]): Reply {
  const stream = streamAt(data, argv[2]!);
  return array(
    stream.groups.map((group) =>
      map(
        namesAndValues({
          name: bulk(group.name),
          consumers: integer(group.size),
          pending: integer(group.pending.size),
          ...progress(stream, group),
        }),
      ),
    ),
  );
}

export function xinfoConsumers(data: Data, argv: readonly ByteString[], { at }: Unit): Reply {
  const group = streamAt(data, argv[2]!).group(argv[3]!);
  if (group === undefined) throw noGroup(argv[2]!, argv[3]!);

  return array(
    group.consumers.map(({ name, pending, seenAt }) =>
      map(
        namesAndValues({
          name: bulk(name),
          pending: integer(pending.size),
          idle: integer(Math.max(0, at - seenAt)),
        }),
      ),
    ),
  );
}

const HELP = [
  "XINFO <subcommand> [<arg> ...]. Subcommands are:",
  "CONSUMERS <key> <group>",
  "    Returns the consumers of a group.",
  "GROUPS <key>",
  "    Returns the consumer groups of a stream.",
  "STREAM <key> [FULL [COUNT <count>]]",
  "    Describes a stream, with FULL its entries and groups too.",
  "HELP",
  "    Prints this help.",
];

export const xinfoHelp = (): Reply => array(HELP.map(status));

function streamAt(data: Data, key: ByteString): Stream {
  const entry = data.getAs(Stream, key);
  if (entry === undefined) throw noSuchKey();
  return entry.value;
}

/** @returns the maximum number of entries, or null without FULL; 0 means all entries */
function fullCount([, subcommand, , ...options]: readonly ByteString[]): number | null {
  if (options.length === 0) return null;
  const [full, word, count] = options;
  const isFull = full!.toUpperCase() === "FULL";
  if (isFull && options.length === 1) return FULL_COUNT;
  if (!isFull || options.length !== 3 || word!.toUpperCase() !== "COUNT")
    throw custom(
      `ERR unknown subcommand or wrong number of arguments for '${echoed(subcommand!)}'. Try XINFO HELP.`,
    );
  const requested = indexArgument(count!);
  return requested < 0 ? FULL_COUNT : requested;
}

function summary({ size, marks, firstId }: Stream): Reply[] {
  const nodes = Math.ceil(size / NODE_ENTRIES);
  return namesAndValues({
    length: integer(size),
    "radix-tree-keys": integer(nodes),
    "radix-tree-nodes": integer(nodes + 1),
    "last-generated-id": bulk(streamIdText(marks.lastId)),
    "max-deleted-entry-id": bulk(streamIdText(marks.maxDeletedId)),
    "entries-added": integer(narrow(BigInt.asIntN(64, marks.entriesAdded))),
    "recorded-first-entry-id": bulk(streamIdText(firstId ?? 0n)),
  });
}

function edges(stream: Stream): Reply[] {
  const [first] = stream.range(0n, STREAM_ID_MAX);
  const [last] = stream.reverseRange(0n, STREAM_ID_MAX);
  return namesAndValues({
    groups: integer(stream.groupCount),
    "first-entry": first === undefined ? NIL : entryReply(first),
    "last-entry": last === undefined ? NIL : entryReply(last),
  });
}

function contents(data: Data, stream: Stream, count: number): Reply[] {
  return namesAndValues({
    entries: entriesReply(data, stream.range(0n, STREAM_ID_MAX), count),
    groups: array(stream.groups.map((group) => groupReply(data, stream, group, count))),
  });
}

/** Returns how far a group has read. */
function progress(stream: Stream, { marks }: ConsumerGroup): Readonly<Record<string, Reply>> {
  return {
    "last-delivered-id": bulk(streamIdText(marks.lastId)),
    "entries-read": counterReply(marks.entriesRead),
    lag: counterReply(lagOf(stream, marks)),
  };
}

const counterReply = (count: bigint | null): Reply => (count === null ? NIL : integer(narrow(count)));

/** @param count maximum number of entries to return; 0 means all entries */
function groupReply(data: Data, stream: Stream, group: ConsumerGroup, count: number): Reply {
  return map(
    namesAndValues({
      name: bulk(group.name),
      ...progress(stream, group),
      "pel-count": integer(group.pending.size),
      pending: pendingReply(data, group, count, ({ consumer }) => [bulk(consumer.name)]),
      consumers: array(
        group.consumers.map((consumer) =>
          map(
            namesAndValues({
              name: bulk(consumer.name),
              "seen-time": integer(consumer.seenAt),
              "pel-count": integer(consumer.pending.size),
              pending: pendingReply(data, consumer, count, () => []),
            }),
          ),
        ),
      ),
    }),
  );
}

function pendingReply(
  data: Data,
  { pending }: Consumer | ConsumerGroup,
  count: number,
  holder: (one: Pending) => readonly Reply[],
): Reply {
  const items: Reply[] = [];
  for (const [id, one] of pending) {
    data.effort.work(LISTED_STEPS);
    items.push(
      array([bulk(streamIdText(id)), ...holder(one), integer(one.deliveredAt), integer(one.deliveries)]),
    );
    if (items.length === count) break;
  }

  return array(items);
}

/** XPENDING. Behaviour and error texts are those of Redis 7; test/conformance checks them. */
export function xpending(data: Data, argv: readonly ByteString[], { at }: Unit): Reply {
  const options = argv.length === 3 ? null : pendingOptions(argv);
  const { group } = groupArgument(data, argv[1]!, argv[2]!);
  return options === null ? pendingSummary(group) : listed(data, group, options, at);
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

function pendingSummary({ pending, consumers }: ConsumerGroup): Reply {
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
const LISTED_STEPS = 20;

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
