/**
 * Streams. Behaviour and error texts are those of Redis 7; test/conformance checks them. Ranges are in
 * stream-reads.ts, and consumer groups in consumer-groups.ts.
 */

import {
  custom,
  noSuchKey,
  syntaxError,
  wrongArity,
} from "../../../../../daemon/store/arguments/command-errors.js";
import { integerArgument } from "../../../../../daemon/store/arguments/number-arguments.js";
import { event, ifCounted } from "../../../../../daemon/store/events/event-rules.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../../daemon/store/keyspace/unit.js";
import { family } from "../../../../../daemon/store/rows/command-row.js";
import { streamsSearch } from "../../../../../daemon/store/rows/key-searches.js";
import { inspect, none, read, write } from "../../../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { bulk, integer, NIL, OK, type Reply, ZERO } from "../../../../../protocol/reply.js";
import { addEntry, markStream, removeEntry, trimEntries } from "../../keyspace/stream-mutators.js";
import { Stream } from "../../values/streams/stream.js";
import {
  msOf,
  STREAM_ID_MAX,
  type StreamId,
  seqOf,
  streamId,
  streamIdText,
} from "../../values/streams/stream-id.js";
import { waitsForEntries, xreadKeys } from "./read-options.js";
import { idArgument, type RequestedId } from "./stream-arguments.js";
import { xaddEvents } from "./stream-events.js";
import { xinfoHelp, xinfoStream } from "./stream-info.js";
import { xrange, xread } from "./stream-reads.js";
import { trimOptions } from "./stream-trimming.js";

export const streams = family("stream", {
  XADD: {
    arity: -5,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "5.0.0",
    complexity: "O(1), and O(N) to trim, N: entries removed",
    summary: "Appends an entry to a stream, which is created if absent; may remove its oldest entries.",
    events: xaddEvents,
    keyFlags: ["RW update"],
    tips: ["nondeterministic_output"],
    method: "key ...rest: @text?",
    recordedAs: addWithId,
    keepsExpiryOf: 1,
    run: xadd,
  },
  XDEL: {
    arity: -3,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "5.0.0",
    complexity: "O(M*log(N)), M: ids named, N: entries",
    summary: "Removes entries from a stream, which stays even if it is empty.",
    events: event("t", "xdel", ifCounted),
    keyFlags: ["RW delete"],
    method: "key id ...ids: number",
    serves: "none",
    run: xdel,
  },
  "XINFO|HELP": {
    arity: 2,
    flags: ["loading", "stale"],
    keys: none,
    since: "5.0.0",
    complexity: "O(1)",
    summary: "Lists the subcommands.",
    run: xinfoHelp,
  },
  "XINFO|STREAM": {
    arity: -3,
    flags: ["readonly"],
    keys: [read(2)],
    since: "5.0.0",
    complexity: "O(1), with FULL O(N), N: entries shown",
    summary: "Describes a stream; with FULL, also its entries and its consumer groups.",
    reply: "stream",
    run: xinfoStream,
  },
  XLEN: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [inspect(1)],
    since: "5.0.0",
    complexity: "O(1)",
    summary: "Counts the entries of a stream.",
    method: "key: number",
    run: (data, argv) => integer(data.getAs(Stream, argv[1]!)?.value.size ?? 0),
  },
  XRANGE: {
    arity: -4,
    flags: ["readonly"],
    keys: [read(1)],
    since: "5.0.0",
    complexity: "O(log(N)+M), N: entries, M: entries returned",
    summary: "Returns the entries between two ids, the oldest first.",
    method: "key start end ...options: @reply",
    run: (data, argv) => xrange(data, argv, false),
  },
  XREAD: {
    arity: -4,
    flags: ["readonly", "blocking", "movablekeys"],
    keys: xreadKeys,
    since: "5.0.0",
    complexity: "O(K*log(N)+M), K: streams, N: entries, M: entries returned",
    categories: ["blocking"],
    summary: "Returns the entries of several streams after given ids.",
    keyFlags: ["RO access"],
    keySearches: streamsSearch(1),
    reply: "streams",
    waitsFor: waitsForEntries("stream"),
    run: xread,
  },
  XREVRANGE: {
    arity: -4,
    flags: ["readonly"],
    keys: [read(1)],
    since: "5.0.0",
    complexity: "O(log(N)+M), N: entries, M: entries returned",
    summary: "Returns the entries between two ids, the newest first.",
    method: "key end start ...options: @reply",
    run: (data, argv) => xrange(data, argv, true),
  },
  XSETID: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "5.0.0",
    complexity: "O(1)",
    summary: "Sets the last id of a stream, and its counters of deleted entries.",
    cost: "arguments",
    events: event("t", "xsetid"),
    keyFlags: ["RW update"],
    serves: "none",
    setsAgain: true,
    run: xsetid,
  },
  XTRIM: {
    arity: -4,
    flags: ["write"],
    keys: [write(1)],
    since: "5.0.0",
    complexity: "O(N), N: entries removed",
    summary: "Removes a stream's oldest entries; with ~, only whole nodes of 100.",
    events: event("t", "xtrim", ifCounted),
    keyFlags: ["RW delete"],
    tips: ["nondeterministic_output"],
    method: "key ...rest: number",
    serves: "none",
    run: xtrim,
  },
}).concat(
  family("server", {
    XINFO: {
      arity: -2,
      flags: [],
      keys: none,
      since: "5.0.0",
      complexity: "Depends on the subcommand",
      summary: "Commands that inspect streams.",
      run: () => {
        throw wrongArity("xinfo");
      },
    },
  }),
);

function xdel(data: Data, argv: readonly ByteString[]): Reply {
  const entry = data.getAs(Stream, argv[1]!);
  if (entry === undefined) return ZERO;

  const { marks } = entry.value;
  let { maxDeletedId } = marks;
  let removed = 0;
  for (const id of argv.slice(2).map(idArgument)) {
    if (!removeEntry(data, entry, id)) continue;
    if (id > maxDeletedId) maxDeletedId = id;
    removed++;
  }

  markStream(data, entry, { maxDeletedId });
  return integer(removed);
}

function xtrim(data: Data, argv: readonly ByteString[]): Reply {
  const { trimming } = trimOptions(argv, false);
  const entry = data.getAs(Stream, argv[1]!);
  if (entry === undefined || trimming === null) return ZERO;
  const count = trimming(entry.value);
  trimEntries(data, entry, count);
  return integer(count);
}

function xsetid(data: Data, argv: readonly ByteString[]): Reply {
  const lastId = idArgument(argv[2]!);
  const { entriesAdded, maxDeletedId } = setidOptions(argv, lastId);
  const entry = data.getAs(Stream, argv[1]!);
  if (entry === undefined) throw noSuchKey();
  const { topId, size } = entry.value;
  if (topId !== undefined) {
    if (lastId < topId)
      throw custom("ERR The ID specified in XSETID is smaller than the target stream top item");
    if (entriesAdded !== undefined && entriesAdded < size)
      throw custom("ERR The entries_added specified in XSETID is smaller than the target stream length");
  }

  markStream(data, entry, {
    lastId,
    ...(entriesAdded === undefined ? {} : { entriesAdded }),
    ...(maxDeletedId === 0n ? {} : { maxDeletedId }),
  });
  return OK;
}

function setidOptions(
  argv: readonly ByteString[],
  lastId: StreamId,
): { entriesAdded?: bigint; maxDeletedId: StreamId } {
  const options: { entriesAdded?: bigint; maxDeletedId: StreamId } = { maxDeletedId: 0n };
  for (let i = 3; i < argv.length; i += 2) {
    const [word, value] = [argv[i]!.toUpperCase(), argv[i + 1]];
    if (value === undefined) throw syntaxError();
    if (word === "ENTRIESADDED") {
      options.entriesAdded = BigInt(integerArgument(value));
      if (options.entriesAdded < 0n) throw custom("ERR entries_added must be positive");
    } else if (word === "MAXDELETEDID") {
      options.maxDeletedId = idArgument(value);
      if (lastId < options.maxDeletedId)
        throw custom("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
    } else throw syntaxError();
  }

  return options;
}

const UINT64_MAX = 2n ** 64n - 1n;
/** Number of bytes of the envelope's id that distinguish units with the same date and number. */
const ID_BYTES = 4;

/**
 * XADD. On a daemon with a timeline, a late entry may change the position of the unit. The ids that the store chooses
 * are therefore derived from the unit itself, so a client can rely on an id that it has received. Source:
 * docs/consistency.md.
 */
function xadd(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const { trimming, makesStream, requestedId, next } = trimOptions(argv, true);
  const fields = argv.slice(next);
  if (fields.length < 2 || fields.length % 2 === 1) throw wrongArity("xadd");
  if (requestedId !== null && requestedId.id === 0n && !requestedId.chooses)
    throw custom("ERR The ID specified in XADD must be greater than 0-0");

  const existing = data.getAs(Stream, argv[1]!);
  if (existing === undefined && !makesStream) return NIL;

  const lastId = existing?.value.marks.lastId ?? 0n;
  if (lastId === STREAM_ID_MAX)
    throw custom("ERR The stream has exhausted the last possible ID, unable to add more items");

  const id = requestedId === null ? nextId(lastId, unit) : resolvedId(lastId, requestedId);
  const entry = existing ?? data.getOrPut(Stream, argv[1]!);
  addEntry(data, entry, { id, fields });
  if (trimming !== null) trimEntries(data, entry, trimming(entry.value));
  return bulk(streamIdText(id));
}

function resolvedId(lastId: StreamId, { id, chooses, mayMove }: RequestedId): StreamId {
  const isSameTime = chooses && msOf(id) === msOf(lastId);
  if (mayMove && id <= lastId) return lastId + 1n;
  const newId = isSameTime && seqOf(lastId) < UINT64_MAX ? lastId + 1n : id;
  if (newId <= lastId)
    throw custom("ERR The ID specified in XADD is equal or smaller than the target stream top item");
  return newId;
}

/**
 * Returns the id that is derived from the unit or, if the stream has already reached that id, the one after the
 * stream's last id.
 */
function nextId(lastId: StreamId, unit: Unit): StreamId {
  const unitId = streamId(BigInt(unit.at), unit.seq === undefined ? 0n : slotOf(unit, unit.seq));
  return unitId > lastId ? unitId : lastId + 1n;
}

/**
 * Returns a unit's position among those with the same date, in 63 bits that ascend in the order of the fold: number of
 * the envelope (16), beginning of its id (31), index of the unit or of the command in it (16). Redis counts from 0, so
 * clients whose integers are signed, such as Jedis, parse the number in 63 bits.
 */
function slotOf({ id, step = 0 }: Unit, seq: number): bigint {
  let slot = BigInt(seq);
  for (let i = 0; i < ID_BYTES; i++) slot = (slot << 8n) | BigInt(id.charCodeAt(i));
  slot >>= 1n;
  const index = (id.charCodeAt(id.length - 2) << 8) | id.charCodeAt(id.length - 1);
  return (slot << 16n) | BigInt(index + step);
}

/**
 * Returns a call of XADD with the chosen id, or null if the call names its id. A `+` follows the id: if the stream's
 * last id is not lower when the unit is folded, the new entry receives the id after that last id.
 */
function addWithId(argv: readonly ByteString[], reply: Reply): readonly ByteString[] | null {
  if (reply.kind !== "bulk") return null;
  const { requestedId, next } = trimOptions(argv, true);
  return requestedId?.chooses === false ? null : argv.with(next - 1, `${reply.bytes}+`);
}
