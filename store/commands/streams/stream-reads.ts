/** XRANGE, XREVRANGE and XREAD. Behaviour and texts: Redis 7; see test/conformance. */
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  array,
  bulk,
  bulks,
  EMPTY_ARRAY,
  mapInPairs,
  NIL_ARRAY,
  type Reply,
} from "../../../protocol/reply.js";
import { custom, syntaxError } from "../../arguments/errors.js";
import { indexArgument, parseInteger } from "../../arguments/numbers.js";
import type { Data } from "../../engine/mutators.js";
import type { Touch } from "../../rows/key-spec.js";
import { Stream } from "../../values/streams/stream.js";
import type { StreamEntry } from "../../values/streams/stream-entry.js";
import { STREAM_ID_MAX, type StreamId, streamIdText } from "../../values/streams/stream-id.js";
import { endArgument, idArgument, startArgument } from "./stream-arguments.js";

/** An entry as all replies show it. */
export function entryReply({ id, fields }: StreamEntry): Reply {
  return array([bulk(streamIdText(id)), bulks(fields)]);
}

/** The first entries that there are. @param count  0: all */
export function entriesReply(entries: Iterable<StreamEntry>, count: number): Reply {
  const items: Reply[] = [];
  for (const entry of entries) {
    items.push(entryReply(entry));
    if (items.length === count) break;
  }
  return array(items);
}

/** @param reverse  XREVRANGE, which names the last id first */
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
  return entriesReply(reverse ? value.reverseRange(start, end) : value.range(start, end), count ?? 0);
}

/** Answers what is there. Whoever asks to wait for more (BLOCK) is not kept waiting here, as in MULTI. */
export function xread(data: Data, argv: readonly ByteString[]): Reply {
  const { count, keys, ids } = readOptions(argv);
  const found: Reply[] = [];
  const streams = keys.map((key, i): [Stream | undefined, StreamId] => {
    const value = data.getAs(Stream, key)?.value;
    return [value, afterArgument(ids[i]!, value)];
  });
  streams.forEach(([stream, after], i) => {
    if (stream?.topId === undefined || stream.topId <= after) return;
    found.push(bulk(keys[i]!), entriesReply(stream.range(after + 1n, STREAM_ID_MAX), count));
  });
  return found.length === 0 ? NIL_ARRAY : mapInPairs(found);
}

/** The id whose successors are asked for. */
function afterArgument(bytes: ByteString, stream: Stream | undefined): StreamId {
  if (bytes === "$") return stream?.marks.lastId ?? 0n;
  if (bytes === ">")
    throw custom(
      "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
    );
  return idArgument(bytes);
}

interface ReadOptions {
  /** 0: all. */
  readonly count: number;
  readonly keys: readonly ByteString[];
  readonly ids: readonly ByteString[];
}

function readOptions(argv: readonly ByteString[]): ReadOptions {
  let count = 0;
  for (let i = 1; i + 1 < argv.length; i += 2) {
    const word = argv[i]!.toUpperCase();
    const value = argv[i + 1]!;
    if (word === "BLOCK") checkTimeout(value);
    else if (word === "COUNT") count = Math.max(0, indexArgument(value));
    else if (word === "STREAMS") return { count, ...keysAndIds(argv.slice(i + 1)) };
    else if (word === "GROUP" && i + 2 < argv.length) throw onlyOfGroups("GROUP");
    else if (word === "NOACK") throw onlyOfGroups("NOACK");
    else throw syntaxError();
  }
  throw argv.at(-1)!.toUpperCase() === "NOACK" ? onlyOfGroups("NOACK") : syntaxError();
}

const onlyOfGroups = (option: string) =>
  custom(`ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`);

function checkTimeout(bytes: ByteString): void {
  const timeout = parseInteger(bytes);
  if (timeout === undefined) throw custom("ERR timeout is not an integer or out of range");
  if (timeout < 0) throw custom("ERR timeout is negative");
}

function keysAndIds(both: readonly ByteString[]): Pick<ReadOptions, "keys" | "ids"> {
  if (both.length % 2 === 1)
    throw custom("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.");
  return { keys: both.slice(0, both.length / 2), ids: both.slice(both.length / 2) };
}

/** XREAD's keys: the first half of what stands behind STREAMS. */
export function xreadKeys(argv: readonly ByteString[]): Touch[] {
  const place = argv.findIndex((word, i) => i > 0 && word.length === 7 && word.toUpperCase() === "STREAMS");
  if (place < 0) return [];
  const keys = argv.slice(place + 1, place + 1 + ((argv.length - place - 1) >> 1));
  return keys.map((key) => ({ db: null, key, access: "read", needs: "R" }));
}
