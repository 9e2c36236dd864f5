/**
 * The state of a stream up to a message, in the format of a timeline's snapshot. The format has a part for further
 * data: the timeline stores sums of entries there; this module stores the message's number, the remembered ids, and the
 * entries that made the key ring.
 */

import { hashOf } from "../../daemon/engine/trust/identity.js";
import { StartError } from "../../daemon/net/process/service.js";
import type { KeyRing } from "../../daemon/store/key-ring.js";
import { MissingCode } from "../../daemon/store/rows/command-families.js";
import { readValue, writeValue } from "../../daemon/timeline/entries/stored-value.js";
import type { TimelineLogger } from "../../daemon/timeline/entries/timeline-logger.js";
import { applyToRing } from "../../daemon/timeline/fold/apply-unit.js";
import { unitsOf } from "../../daemon/timeline/fold/fold-unit.js";
import { DamagedSnapshot, readSnapshot, writeSnapshot } from "../../daemon/timeline/snapshots/snapshot.js";
import type { SnapshotFiles } from "../../daemon/timeline/snapshots/snapshot-stores.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { finish } from "../../protocol/steps.js";
import { readBody, signedPieces } from "../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../protocol/version-2/messages-v2.js";
import { datedAt, emptyStreamState, OrderedIds, type RingEntry, type StreamState } from "./ordered-state.js";

/** The stream and the cluster that a state belongs to. */
export interface OrderOrigin {
  /** When the stream was created. */
  readonly created: string;
  /** The cluster's id, 32 bytes. */
  readonly cluster: ByteString;
}

interface Head extends EnvelopeDate {
  readonly created: string;
  /** The cluster's id, in hexadecimal. */
  readonly cluster: string;
  /** The number of the last message, and the mark that identifies it. */
  readonly message: number;
  readonly mark: string;
  /** The date at or before which no envelope is accepted, or null if there is no such date. */
  readonly floor: number | null;
  readonly ids: number;
  readonly ringEntries: number;
}

const ID_BYTES = 32;
/** The bytes of an id: its date in seconds (4), and the id itself. */
const ID_ROW_BYTES = 4 + ID_BYTES;
/** The bytes before an entry of the ring: `at` (8), `seq` (2), the length of what follows (4). */
const RING_HEAD_BYTES = 14;
const ROWS_PER_CHUNK = 1000;
const SECOND = 1000;

/** @param state  must not change until the last chunk has been read */
export function writeOrderSnapshot(state: StreamState, origin: OrderOrigin): Iterable<Buffer> {
  const { database, date } = state;
  // Keys that expire in the message's own millisecond may still be visible to the next message.
  const cutAt = Math.max(-1, date.at - 1);
  return writeSnapshot({ database, ringEntries: [], cutAt, sums: factsOf(state, origin) }, hashOf);
}

/** @throws StartError  it belongs to another cluster @throws DamagedSnapshot */
export function readOrderSnapshot(
  chunks: Iterable<Buffer>,
  parts: { readonly genesis: () => KeyRing; readonly databases: number; readonly cluster: ByteString },
): { readonly state: StreamState; readonly created: string } {
  const { genesis, databases, cluster } = parts;
  const { database, sums } = finish(readSnapshot(chunks, { genesis, databases, hash: hashOf }));
  const reader = new FactReader(sums);
  const head = reader.head();
  if (head.cluster !== Buffer.from(cluster, "latin1").toString("hex"))
    throw new StartError("--data: the state in it was made with other keys or another --cluster-name.", 2);

  const { at, seq, message, mark } = head;
  const ids = new OrderedIds(head.floor ?? undefined);
  for (let left = head.ids; left > 0; left--) ids.add(...reader.id());
  const ringEntries = Array.from({ length: head.ringEntries }, () => reader.ringEntry());
  const ring = genesis();
  for (const { date, entry } of ringEntries)
    for (const unit of unitsOf(datedAt(date, entry), databases))
      if (unit.kind === "ring") applyToRing(unit, ring);

  const state: StreamState = { seq: message, mark, date: { at, seq }, database, ring, ringEntries, ids };
  return { state, created: head.created };
}

function* factsOf(
  { seq, mark, date, ids, ringEntries }: StreamState,
  { created, cluster }: OrderOrigin,
): Generator<Buffer> {
  const head: Head = {
    created,
    cluster: Buffer.from(cluster, "latin1").toString("hex"),
    message: seq,
    mark,
    ...date,
    floor: Number.isFinite(ids.floor) ? ids.floor : null,
    ids: ids.size,
    ringEntries: ringEntries.length,
  };
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  yield Buffer.concat([length, text]);

  let rows: Buffer[] = [];
  for (const [id, at] of ids.all()) {
    const row = Buffer.alloc(ID_ROW_BYTES);
    row.writeUInt32BE(at / SECOND);
    row.write(id, 4, "latin1");
    if (rows.push(row) < ROWS_PER_CHUNK) continue;
    yield Buffer.concat(rows);
    rows = [];
  }

  if (rows.length > 0) yield Buffer.concat(rows);
  for (const { date, entry } of ringEntries) {
    const value = writeValue(entry.body, entry.signature);
    const row = Buffer.alloc(RING_HEAD_BYTES);
    row.writeBigUInt64BE(BigInt(date.at));
    row.writeUInt16BE(date.seq, 8);
    row.writeUInt32BE(value.length, 10);
    yield Buffer.concat([row, value]);
  }
}

class FactReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  head(): Head {
    return JSON.parse(this.#take(this.#take(4).readUInt32BE()).toString()) as Head;
  }

  id(): [id: ByteString, at: number] {
    const row = this.#take(ID_ROW_BYTES);
    return [row.toString("latin1", 4), row.readUInt32BE() * SECOND];
  }

  ringEntry(): RingEntry {
    const row = this.#take(RING_HEAD_BYTES);
    const value = readValue(Buffer.from(this.#take(row.readUInt32BE(10))));
    if (value === null) throw new DamagedSnapshot("an entry of the key ring is damaged");
    const { body, signature } = value;
    const entry = { id: hashOf(...signedPieces(body)), body, signature, envelope: readBody(body) };
    return { date: { at: Number(row.readBigUInt64BE()), seq: row.readUInt16BE(8) }, entry };
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#offset, this.#offset + length);
    if (taken.length < length) throw new DamagedSnapshot("it is cut off");
    this.#offset += length;
    return taken;
  }
}

/** The state from which a daemon continues at startup. */
export interface Loaded {
  readonly state: StreamState;
  /** When the stream of this state was created, or null if the state comes from no stream. */
  readonly created: string | null;
}

/**
 * Reads the newest state in a folder, for the start of the daemon and for the thread that makes the next snapshot.
 * @param files  the snapshots, or null if there are none
 * @throws StartError  they were made with other keys */
export function newestIn(
  files: SnapshotFiles | null,
  parts: {
    readonly makeRing: () => KeyRing;
    readonly cluster: ByteString;
    readonly databases: number;
    readonly log: TimelineLogger;
  },
): Loaded {
  const { makeRing: genesis, cluster, databases, log } = parts;
  const empty = emptyStreamState(genesis(), databases);
  for (const seq of files?.list().toReversed() ?? []) {
    try {
      return readOrderSnapshot(files?.read(seq) ?? [], { genesis, databases, cluster });
    } catch (problem) {
      if (problem instanceof StartError) throw problem;
      if (problem instanceof MissingCode)
        return { state: { ...empty, missingCode: problem.message }, created: null };
      log.warn(
        { seq, reason: (problem as Error).message },
        "a snapshot cannot be read: an older one is used",
      );
    }
  }

  return { state: empty, created: null };
}
