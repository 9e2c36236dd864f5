/** Streams in snapshots: their marks, their entries, and their groups of consumers if they have any. */

import type {
  SnapshotReader,
  SnapshotWriter,
} from "../../../../daemon/timeline/snapshots/snapshot-stream.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Steps } from "../../../../protocol/steps.js";
import { Consumer, ConsumerGroup, type Pending, sharedPending } from "../values/streams/consumer-group.js";
import { Stream } from "../values/streams/stream.js";
import { STREAM_ID_MAX, streamIdOfText, streamIdText } from "../values/streams/stream-id.js";

/** Yields the bytes written so far as a frame, once they fill one. */
type FullFrame = (writer: SnapshotWriter) => Generator<Buffer>;

export function* writeStream(
  writer: SnapshotWriter,
  stream: Stream,
  fullFrame: FullFrame,
): Generator<Buffer> {
  const { lastId, maxDeletedId, entriesAdded } = stream.marks;
  for (const text of [streamIdText(lastId), streamIdText(maxDeletedId), String(entriesAdded)])
    writer.bytes(text);
  for (const { id, fields } of stream.range(0n, STREAM_ID_MAX)) {
    writer.bytes(streamIdText(id));
    writer.number(fields.length);
    for (const field of fields) writer.bytes(field);
    yield* fullFrame(writer);
  }
  if (stream.groupCount === 0) return;
  writer.number(stream.groupCount);
  for (const group of stream.groups) yield* writeGroup(writer, group, fullFrame);
}

/**
 * Writes a group. Each pending entry is written with its complete delivery, even if several entries have the same
 * delivery.
 */
function* writeGroup(
  writer: SnapshotWriter,
  { name, marks, consumers, skipped }: ConsumerGroup,
  fullFrame: FullFrame,
): Generator<Buffer> {
  writer.bytes(name);
  writer.bytes(streamIdText(marks.lastId));
  writer.bytes(marks.entriesRead === null ? "" : String(marks.entriesRead));
  writer.number(skipped.size);
  for (const range of skipped) {
    for (const id of range) writer.bytes(streamIdText(id));
    yield* fullFrame(writer);
  }
  writer.number(consumers.length);
  for (const consumer of consumers) {
    writer.bytes(consumer.name);
    writer.number(consumer.seenAt);
    writer.number(consumer.pending.size);
    for (const [id, { deliveredAt, deliveries }] of consumer.pending) {
      writer.bytes(streamIdText(id));
      writer.number(deliveredAt);
      writer.number(deliveries);
      yield* fullFrame(writer);
    }
    yield* fullFrame(writer);
  }
}

export interface StreamForm {
  /** The number of entries. */
  readonly size: number;
  readonly hasGroups: boolean;
  /** Items read between two turns. */
  readonly itemsAStep: number;
}

export function* readStream(
  reader: SnapshotReader,
  { size, hasGroups, itemsAStep }: StreamForm,
): Steps<Stream> {
  const stream = new Stream();
  stream.marks = {
    lastId: streamIdOfText(reader.bytes()),
    maxDeletedId: streamIdOfText(reader.bytes()),
    entriesAdded: BigInt(reader.bytes()),
  };
  for (let index = 1; index <= size; index++) {
    const id = streamIdOfText(reader.bytes());
    const fields: ByteString[] = [];
    for (let left = reader.number(); left > 0; left--) fields.push(reader.bytes());
    stream.push({ id, fields });
    if (index % itemsAStep === 0) yield;
  }
  for (let left = hasGroups ? reader.number() : 0; left > 0; left--) {
    const group = yield* readGroup(reader, itemsAStep);
    stream.setGroup(group.name, group);
  }
  return stream;
}

function* readGroup(reader: SnapshotReader, itemsAStep: number): Steps<ConsumerGroup> {
  const name = reader.bytes();
  const lastId = streamIdOfText(reader.bytes());
  const read = reader.bytes();
  const group = new ConsumerGroup(name, { lastId, entriesRead: read === "" ? null : BigInt(read) });
  for (let left = reader.number(); left > 0; left--)
    group.setSkipped(streamIdOfText(reader.bytes()), streamIdOfText(reader.bytes()));
  for (let left = reader.number(); left > 0; left--) {
    const consumer = new Consumer(reader.bytes(), reader.number());
    group.addConsumer(consumer);
    let last: Pending | undefined;
    const size = reader.number();
    for (let index = 1; index <= size; index++) {
      const id = streamIdOfText(reader.bytes());
      const [deliveredAt, deliveries] = [reader.number(), reader.number()];
      last = sharedPending({ consumer, deliveredAt, deliveries }, last);
      group.setPending(id, last);
      if (index % itemsAStep === 0) yield;
    }
  }
  return group;
}
