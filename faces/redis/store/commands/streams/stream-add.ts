/**
 * XADD. On a daemon with a timeline, a late entry may change the position of the unit. The ids that the store chooses
 * are therefore derived from the unit itself, so a client can rely on an id that it has received. Behaviour and error
 * texts are those of Redis 7; test/conformance checks them. Source: docs/consistency.md.
 */

import { custom, wrongArity } from "../../../../../daemon/store/arguments/command-errors.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { bulk, NIL, type Reply } from "../../../../../protocol/reply.js";
import { addEntry, trimEntries } from "../../keyspace/stream-mutators.js";
import { Stream } from "../../values/streams/stream.js";
import {
  msOf,
  STREAM_ID_MAX,
  type StreamId,
  seqOf,
  streamId,
  streamIdText,
} from "../../values/streams/stream-id.js";
import type { RequestedId } from "./stream-arguments.js";
import { trimOptions } from "./stream-trimming.js";

const UINT64_MAX = 2n ** 64n - 1n;
/** Number of bytes of the envelope's id that distinguish units with the same date and number. */
const ID_BYTES = 4;

export function xadd(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
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
 * Returns a unit's position among those with the same date, in 64 bits that ascend in the order of the fold: number of
 * the envelope (16), beginning of its id (32), index of the unit or of the command in it (16).
 */
function slotOf({ id, step = 0 }: Unit, seq: number): bigint {
  let slot = BigInt(seq);
  for (let i = 0; i < ID_BYTES; i++) slot = (slot << 8n) | BigInt(id.charCodeAt(i));
  const index = (id.charCodeAt(id.length - 2) << 8) | id.charCodeAt(id.length - 1);
  return (slot << 16n) | BigInt(index + step);
}

/**
 * Returns a call of XADD with the chosen id, or null if the call names its id. A `+` follows the id: if the stream's last
 * id is not lower when the unit is folded, the new entry receives the id after that last id.
 */
export function addWithId(argv: readonly ByteString[], reply: Reply): readonly ByteString[] | null {
  if (reply.kind !== "bulk") return null;
  const { requestedId, next } = trimOptions(argv, true);
  return requestedId?.chooses === false ? null : argv.with(next - 1, `${reply.bytes}+`);
}
