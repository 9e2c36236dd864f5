/** XRANGE, XREVRANGE and XREAD. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import { custom, syntaxError } from "../../../../../daemon/store/arguments/command-errors.js";
import { indexArgument } from "../../../../../daemon/store/arguments/number-arguments.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import {
  array,
  bulk,
  bulks,
  EMPTY_ARRAY,
  mapInPairs,
  NIL_ARRAY,
  type Reply,
} from "../../../../../protocol/reply.js";
import { Stream } from "../../values/streams/stream.js";
import {
  STREAM_ID_MAX,
  type StreamEntry,
  type StreamId,
  streamIdText,
} from "../../values/streams/stream-id.js";
import { readOptions } from "./read-options.js";
import { endArgument, idArgument, startArgument } from "./stream-arguments.js";

/** Returns an entry in the form that all replies use. */
export function entryReply({ id, fields }: StreamEntry): Reply {
  return array([bulk(streamIdText(id)), bulks(fields)]);
}

/** Cost in steps of each entry that is returned, in addition to one step for each of its fields. */
const ENTRY_STEPS = 20;

/** Returns the first entries and counts them. @param count 0 means all entries @throws BudgetExceeded */
export function entriesReply({ effort }: Data, entries: Iterable<StreamEntry>, count: number): Reply {
  const items: Reply[] = [];
  for (const entry of entries) {
    effort.work(ENTRY_STEPS + entry.fields.length);
    items.push(entryReply(entry));
    if (items.length === count) break;
  }
  return array(items);
}

/** @param reverse whether the command is XREVRANGE, which names the last id first */
export function xrange(data: Data, argv: readonly ByteString[], reverse: boolean): Reply {
  const start = startArgument(argv[reverse ? 3 : 2]!);
  const end = endArgument(argv[reverse ? 2 : 3]!);
  let count: number | undefined;
  for (let i = 4; i < argv.length; i += 2) {
    if (argv[i]!.toUpperCase() !== "COUNT" || argv[i + 1] === undefined) throw syntaxError();
    count = Math.max(0, indexArgument(argv[i + 1]!));
  }

  const value = data.getAs(Stream, argv[1]!)?.value;
  if (value === undefined) return EMPTY_ARRAY;
  if (count === 0) return NIL_ARRAY;

  return entriesReply(data, reverse ? value.reverseRange(start, end) : value.range(start, end), count ?? 0);
}

/** Returns the existing entries. BLOCK does not wait here, as in MULTI. */
export function xread(data: Data, argv: readonly ByteString[]): Reply {
  const { count, keys, ids } = readOptions(argv);
  const replies: Reply[] = [];
  const streams = keys.map((key, i): [Stream | undefined, StreamId] => {
    const value = data.getAs(Stream, key)?.value;
    return [value, afterArgument(ids[i]!, value)];
  });
  streams.forEach(([stream, after], i) => {
    if (stream?.topId === undefined || stream.topId <= after) return;
    replies.push(bulk(keys[i]!), entriesReply(data, stream.range(after + 1n, STREAM_ID_MAX), count));
  });
  return replies.length === 0 ? NIL_ARRAY : mapInPairs(replies);
}

/** Parses the id after which to read. */
function afterArgument(bytes: ByteString, stream: Stream | undefined): StreamId {
  if (bytes === "$") return stream?.marks.lastId ?? 0n;
  if (bytes === ">")
    throw custom(
      "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
    );
  return idArgument(bytes);
}
