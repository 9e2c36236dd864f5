/**
 * Writes and reads a complete state as bytes: the database, the entries that made the key ring, and sums of all its
 * entries. The bytes are exact: the order within a value, expiry times and last writers are part of the state. Keys are
 * sorted, and the rows of sums depend only on the date, so the same entries yield the same bytes on every daemon;
 * expired keys are left out.
 */

import type { Steps } from "../../../protocol/steps.js";
import { Database } from "../../store/database.js";
import { missingCodeOfForm } from "../../store/family-code.js";
import type { KeyRing } from "../../store/key-ring.js";
import { type KeyEntry, type Keyspace, NO_EXPIRY } from "../../store/keyspace/keyspace.js";
import { MissingCode } from "../../store/rows/command-families.js";
import { ITEMS_PER_STEP, VALUE_FORMS } from "../../store/values/object-value.js";
import type { Value } from "../../store/values/value.js";
import { valueKindOf } from "../../store/values/value-kinds.js";
import { type Entry, type OrderKey, orderKeyOf } from "../entries/entry.js";
import { isRingEntry } from "../entries/recorded-envelopes.js";
import { type Beginning, type RefuseRingEntry, readRingEntries, writeRingEntries } from "./ring-entries.js";
import {
  DamagedSnapshot,
  ForeignSnapshot,
  type SnapshotHash,
  SnapshotReader,
  SnapshotWriter,
} from "./snapshot-stream.js";

export { DamagedSnapshot, type SnapshotHash };

export interface SnapshotState {
  readonly database: Database;
  /** The entries that concern the key ring, in order. */
  readonly ringEntries: readonly Entry[];
  /** The state contains everything dated at or before this date, and nothing else. Milliseconds since 1970, or -1. */
  readonly cutAt: number;
  /** The sums of all entries in the state, or other data that a backend stores about these entries. */
  readonly sums: Iterable<Buffer>;
}

/** Yields a snapshot's bytes. The state must not change until the last chunk has been taken. @param hash  SHA-256 */
export function* writeSnapshot(
  { database, ringEntries, cutAt, sums }: SnapshotState,
  hash: SnapshotHash,
): Generator<Buffer> {
  const writer = new SnapshotWriter(hash);
  yield writer.head;
  writer.number(cutAt + 1);
  writer.number(database.keyspaces.length);

  for (const chunk of sums) {
    if (chunk.length > 0) writer.bytes(chunk.toString("latin1"));
    yield* fullFrame(writer);
  }
  writer.bytes("");

  yield* writeRingEntries(writer, ringEntries);
  for (const keyspace of database.keyspaces) yield* writeKeyspace(writer, keyspace, cutAt);
  yield writer.takeFrame();
}

function* fullFrame(writer: SnapshotWriter): Generator<Buffer> {
  if (writer.isFull) yield writer.takeFrame();
}

function* writeKeyspace(writer: SnapshotWriter, { entries }: Keyspace, cutAt: number): Generator<Buffer> {
  const seen = entries.filter(({ expire }) => expire === NO_EXPIRY || expire > cutAt);
  for (const entry of seen.sort(byKey)) {
    const { value } = entry;
    writer.number(VALUE_FORMS.indexOf(typeof value === "string" ? "string" : value.form));
    writer.bytes(entry.key);
    writer.number(entry.expire);
    writer.bytes(entry.writer);

    if (typeof value === "string") writer.bytes(value);
    else {
      writer.number(value.size);
      for (const _ of value.write(writer)) yield writer.takeFrame();
    }
    yield* fullFrame(writer);
  }
  writer.number(0);
}

const byKey = (a: KeyEntry, b: KeyEntry) => (a.key < b.key ? -1 : 1);

/** The contents of a snapshot. */
export interface ReadState {
  readonly database: Database;
  /** The reason why the database does not contain all values: the code of one is missing. Null if it is complete. */
  readonly missingCode: string | null;
  readonly ring: KeyRing;
  readonly ringEntries: readonly Entry[];
  readonly cutAt: number;
  /** The bytes of the sums with which the snapshot was written. */
  readonly sums: Buffer;
  /** The order keys of the entries that are for the key ring alone, which the sums of data do not count. */
  readonly ringOrderKeys: readonly OrderKey[];
}

/**
 * Reads a snapshot to its end.
 * @param refuses  as in `readRingEntries`
 * @param endsWithoutCode  whether to return what has been read if this build does not contain the code of a value;
 * default: MissingCode
 * @throws DamagedSnapshot  it is damaged, cut off, of another format or for another number of databases
 */
export function* readSnapshot(
  chunks: Iterable<Buffer>,
  beginning: Beginning,
  refuses?: RefuseRingEntry,
  endsWithoutCode = false,
): Steps<ReadState> {
  const reader = new SnapshotReader(chunks, beginning.hash);
  try {
    return yield* readState(reader, beginning, refuses, endsWithoutCode);
  } finally {
    reader.close();
  }
}

function* readState(
  reader: SnapshotReader,
  beginning: Beginning,
  refuses: RefuseRingEntry | undefined,
  endsWithoutCode: boolean,
): Steps<ReadState> {
  const { databases } = beginning;
  reader.head();
  const cutAt = reader.number() - 1;
  const found = reader.number();
  if (found !== databases)
    throw new ForeignSnapshot(`a snapshot of ${found} databases, but this daemon has ${databases}`);

  const sums: Buffer[] = [];
  for (let chunk = reader.bytes(); chunk !== ""; chunk = reader.bytes())
    sums.push(Buffer.from(chunk, "latin1"));
  const { ring, entries: ringEntries } = yield* readRingEntries(reader, cutAt, beginning, refuses);
  const database = new Database({ databases });
  let missingCode: string | null = null;
  try {
    for (const keyspace of database.keyspaces) yield* readKeyspace(reader, keyspace);
    reader.end();
  } catch (problem) {
    if (!endsWithoutCode || !(problem instanceof MissingCode)) throw problem;
    missingCode = problem.message;
  }

  const ringOrderKeys = ringEntries.filter(({ envelope }) => isRingEntry(envelope)).map(orderKeyOf);
  return { database, missingCode, ring, ringEntries, cutAt, sums: Buffer.concat(sums), ringOrderKeys };
}

function* readKeyspace(reader: SnapshotReader, keyspace: Keyspace): Steps<void> {
  for (let count = 1; ; count++) {
    const form = VALUE_FORMS[reader.number()];
    if (form === "end") return;
    if (form === undefined) throw new DamagedSnapshot("a value is of an unknown type");

    const key = reader.bytes();
    const expire = reader.number();
    const writer = reader.bytes();
    keyspace.set(key, yield* readValue(reader, form), expire, writer);
    if (count % ITEMS_PER_STEP === 0) yield;
  }
}

/** @throws MissingCode  this build does not contain the code of values of the form */
function* readValue(
  reader: SnapshotReader,
  form: Exclude<(typeof VALUE_FORMS)[number], "end">,
): Steps<Value> {
  if (form === "string") return reader.bytes();
  const kind = valueKindOf(form);
  if (kind === undefined) throw new MissingCode(missingCodeOfForm(form));
  return yield* kind.read(reader, reader.number(), form);
}
