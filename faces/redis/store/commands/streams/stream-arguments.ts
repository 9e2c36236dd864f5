/**
 * Parses ids and bounds of ranges in the arguments of commands on streams, and finds the consumer groups that arguments
 * name. Behaviour and error texts are those of Redis 7; test/conformance checks them.
 */
import { custom, echoed } from "../../../../../daemon/store/arguments/command-errors.js";
import { INT64_MIN, parseInteger } from "../../../../../daemon/store/arguments/number-arguments.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import type { GroupOfStream } from "../../keyspace/stream-mutators.js";
import { Stream } from "../../values/streams/stream.js";
import { STREAM_ID_MAX, type StreamId, streamId } from "../../values/streams/stream-id.js";

const UINT64_MAX = 2n ** 64n - 1n;
/** Redis copies an id into a buffer of 128 bytes, with a NUL byte at the end. */
const ID_BYTES_MAX = 127;

const invalidId = () => custom("ERR Invalid stream ID specified as stream command argument");

/** Parses `ms-seq`, or `ms` alone for the first id of that time. @throws CommandFailure */
export function idArgument(bytes: ByteString): StreamId {
  return parseId(bytes, 0n);
}

/** Parses an id; returns undefined if the argument is something else. */
export function idIfAny(bytes: ByteString): StreamId | undefined {
  return readId(bytes, 0n);
}

/**
 * Parses the last id of XGROUP SETID: `-`, `+` or an id; a time alone is the first id of that time.
 * @throws CommandFailure
 */
export function lastIdArgument(bytes: ByteString): StreamId {
  return boundOf(bytes, 0n);
}

/** The id argument of XADD. */
export interface RequestedId {
  readonly id: StreamId;
  /** `ms-*`: the stream chooses the sequence number. */
  readonly hasAutoSeq: boolean;
  /**
   * `ms-seq+`: the entry receives this id or, if the stream has already reached it, the id after the stream's last id.
   * Clients do not send this form: a daemon that runs an XADD with `*` before it records it writes the chosen id so,
   * because the stream may have reached that id when the unit is folded.
   */
  readonly mayMove: boolean;
}

/** Parses the id argument of XADD, except `*`, which the caller handles. @throws CommandFailure */
export function newIdArgument(bytes: ByteString): RequestedId {
  const text = untilNul(bytes);
  const hasAutoSeq = bytes.length <= ID_BYTES_MAX && /^[^-]*-\*$/.test(text);
  const mayMove = bytes.length <= ID_BYTES_MAX && /^\d+-\d+\+$/.test(text);
  const id = hasAutoSeq ? text.slice(0, -2) : mayMove ? text.slice(0, -1) : bytes;
  return { id: parseId(id, 0n), hasAutoSeq, mayMove };
}

/**
 * Parses the first id of a range: `-`, `+`, an id, or `(` and the id after which the range begins.
 * @throws CommandFailure
 */
export function startArgument(bytes: ByteString): StreamId {
  if (!isExclusive(bytes)) return boundOf(bytes, 0n);
  const id = parseId(bytes.slice(1), 0n);
  if (id === STREAM_ID_MAX) throw custom("ERR invalid start ID for the interval");
  return id + 1n;
}

/** Parses the last id of a range. @throws CommandFailure */
export function endArgument(bytes: ByteString): StreamId {
  if (!isExclusive(bytes)) return boundOf(bytes, UINT64_MAX);
  const id = parseId(bytes.slice(1), UINT64_MAX);
  if (id === 0n) throw custom("ERR invalid end ID for the interval");
  return id - 1n;
}

const isExclusive = (bytes: ByteString): boolean => bytes.length > 1 && bytes.startsWith("(");

/** Parses `-`, `+` or an id. */
function boundOf(bytes: ByteString, defaultSeq: bigint): StreamId {
  const text = untilNul(bytes);
  if (bytes.length <= ID_BYTES_MAX && text === "-") return 0n;
  if (bytes.length <= ID_BYTES_MAX && text === "+") return STREAM_ID_MAX;
  return parseId(bytes, defaultSeq);
}

function parseId(bytes: ByteString, defaultSeq: bigint): StreamId {
  const id = readId(bytes, defaultSeq);
  if (id === undefined) throw invalidId();
  return id;
}

/** @param defaultSeq  the sequence number of an id that is only a time */
function readId(bytes: ByteString, defaultSeq: bigint): StreamId | undefined {
  if (bytes.length > ID_BYTES_MAX) return undefined;
  const text = untilNul(bytes);
  const dash = text.indexOf("-");
  const ms = parseUnsigned(dash < 0 ? text : text.slice(0, dash));
  const seq = dash < 0 ? defaultSeq : parseUnsigned(text.slice(dash + 1));
  return ms === undefined || seq === undefined ? undefined : streamId(ms, seq);
}

/** Returns the bytes up to a NUL byte, because Redis reads C strings here. */
function untilNul(bytes: ByteString): ByteString {
  const end = bytes.indexOf("\0");
  return end < 0 ? bytes : bytes.slice(0, end);
}

/**
 * Parses an unsigned 64-bit number as Redis does. A number that is not in canonical form is parsed by the rules of C's
 * `strtoull`, which skips spaces, accepts a sign, and adds 2⁶⁴ to a negative number.
 */
function parseUnsigned(text: ByteString): bigint | undefined {
  // Fast path for the usual numbers, without a pattern or a sign.
  const short = parseInteger(text);
  if (typeof short === "number" && short >= 0) return BigInt(short);
  const parts = /^[ \t\n\v\f\r]*([+-]?)(\d+)$/.exec(text);
  if (parts === null) return undefined;
  // Redis rejects a negative number in canonical form that fits in an int64, and passes others to `strtoull`.
  if (/^-[1-9]/.test(text) && BigInt(text) >= INT64_MIN) return undefined;
  const value = BigInt(parts[2] as string);
  if (value > UINT64_MAX) return undefined;
  return parts[1] === "-" ? BigInt.asUintN(64, -value) : value;
}

/** Returns a group, or undefined if the stream does not exist or has no such group. @throws CommandFailure WRONGTYPE */
export function groupIfAny(data: Data, key: ByteString, name: ByteString): GroupOfStream | undefined {
  const entry = data.getAs(Stream, key);
  const group = entry?.value.group(name);
  return entry === undefined || group === undefined ? undefined : { entry, stream: entry.value, group };
}

/** Returns a group. @param suffix  the end of the error's text @throws CommandFailure NOGROUP, WRONGTYPE */
export function groupArgument(data: Data, key: ByteString, name: ByteString, suffix = ""): GroupOfStream {
  const found = groupIfAny(data, key, name);
  if (found === undefined)
    throw custom(
      `NOGROUP No such key '${unlimitedEcho(key)}' or consumer group '${unlimitedEcho(name)}'${suffix}`,
    );
  return found;
}

/** NOGROUP, in the wording of XGROUP and XINFO, which first check that the stream exists. */
export const noGroup = (key: ByteString, name: ByteString) =>
  custom(`NOGROUP No such consumer group '${unlimitedEcho(name)}' for key name '${unlimitedEcho(key)}'`);

/** Returns an argument as C prints it, of any length. */
const unlimitedEcho = (bytes: ByteString) => echoed(bytes, Number.POSITIVE_INFINITY);

/** Parses the minimum time since the last delivery of an entry, in milliseconds. @throws CommandFailure */
export function minIdleArgument(bytes: ByteString, command: string): number {
  const value = parseInteger(bytes);
  if (value === undefined) throw custom(`ERR Invalid min-idle-time argument for ${command}`);
  return Math.max(0, Number(value));
}
