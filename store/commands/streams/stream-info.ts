/** XINFO. Behaviour and texts: Redis 7; see test/conformance. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, EMPTY_ARRAY, integer, map, NIL, type Reply, status } from "../../../protocol/reply.js";
import { custom, echoed, noSuchKey } from "../../arguments/errors.js";
import { indexArgument, narrow } from "../../arguments/numbers.js";
import type { Data } from "../../engine/mutators.js";
import { Stream } from "../../values/streams/stream.js";
import { STREAM_ID_MAX, streamIdText } from "../../values/streams/stream-id.js";
import { entriesReply, entryReply } from "./stream-reads.js";

/** Entries that FULL shows unless COUNT says otherwise. */
const FULL_COUNT = 10;
/** Entries of one node of Redis's tree; ours are not told, for they are no state. */
const NODE_ENTRIES = 100;

export function xinfoStream(data: Data, argv: readonly ByteString[]): Reply {
  const stream = streamAt(data, argv[2]!);
  const count = fullCount(argv);
  return map([...summary(stream), ...(count === null ? edges(stream) : contents(stream, count))]);
}

/** There are no groups. */
export function xinfoGroups(data: Data, argv: readonly ByteString[]): Reply {
  streamAt(data, argv[2]!);
  return EMPTY_ARRAY;
}

const HELP = [
  "XINFO <subcommand> [<arg> ...]. Subcommands are:",
  "GROUPS <key>",
  "    Shows an empty list: streams have no consumer groups here.",
  "STREAM <key> [FULL [COUNT <count>]]",
  "    Shows what is known of a stream, with FULL its entries too.",
  "HELP",
  "    Shows this.",
];

export const xinfoHelp = (): Reply => array(HELP.map(status));

function streamAt(data: Data, key: ByteString): Stream {
  const entry = data.getAs(Stream, key);
  if (entry === undefined) throw noSuchKey();
  return entry.value;
}

/** @returns null: without FULL; 0: all */
function fullCount([, subcommand, , ...options]: readonly ByteString[]): number | null {
  if (options.length === 0) return null;
  const [full, word, count] = options;
  const isFull = full!.toUpperCase() === "FULL";
  if (isFull && options.length === 1) return FULL_COUNT;
  if (!isFull || options.length !== 3 || word!.toUpperCase() !== "COUNT")
    throw custom(
      `ERR unknown subcommand or wrong number of arguments for '${echoed(subcommand!)}'. Try XINFO HELP.`,
    );
  const given = indexArgument(count!);
  return given < 0 ? FULL_COUNT : given;
}

function summary({ size, marks, firstId }: Stream): Reply[] {
  const nodes = Math.ceil(size / NODE_ENTRIES);
  return named({
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
  return named({
    groups: integer(0),
    "first-entry": first === undefined ? NIL : entryReply(first),
    "last-entry": last === undefined ? NIL : entryReply(last),
  });
}

function contents(stream: Stream, count: number): Reply[] {
  return named({ entries: entriesReply(stream.range(0n, STREAM_ID_MAX), count), groups: EMPTY_ARRAY });
}

function named(values: Readonly<Record<string, Reply>>): Reply[] {
  return Object.entries(values).flatMap(([name, value]) => [bulk(name), value]);
}
