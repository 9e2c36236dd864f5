/**
 * Version 2's messages: what a frame's payload holds, a RESP2 array whose first element names the kind.
 * Source: docs/protocol.md "Version 2".
 */
import { type ByteString, bytesOf } from "./byte-string.js";
import { HASH_BYTES, SEQ_MAX } from "./envelope.js";
import { frameHead } from "./frame.js";
import { RespReader } from "./resp-reader.js";
import { writeArrayHead, writeBulk, writeCommand } from "./resp-writer.js";

/** What a daemon says of itself: serving, not yet caught up, or cut off from most others. */
export type DaemonState = "live" | "catching-up" | "isolated";

export interface Hello {
  readonly kind: "hello";
  /** Versions spoken, as a list of numbers: "1 2". */
  readonly versions: readonly number[];
  /** The daemon's id, 32 bytes; empty from a client. */
  readonly daemon: ByteString;
  /** The cluster, 32 bytes; empty: the client does not know it. */
  readonly cluster: ByteString;
  /** Milliseconds since 1970 by the sender's clock. */
  readonly clock: number;
  /** Empty from a client. */
  readonly state: DaemonState | "";
  readonly role: "client" | "daemon";
}

/** An envelope; body and signature are views of the frame. */
export interface CommandMessage {
  readonly kind: "command";
  readonly body: Buffer;
  readonly signature: Buffer;
}

/** An envelope's place in the order of all, as far as its header tells it. */
export interface EnvelopeDate {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** 0 to 65535. */
  readonly seq: number;
}

/** The head of a result; for each unit a RESP reply and its flags follow in the payload, from `replies` on. */
export interface ResultMessage {
  readonly kind: "result";
  readonly id: ByteString;
  readonly daemon: ByteString;
  readonly clock: number;
  /** The highest that the daemon has applied; (0, 0) where it has applied nothing. */
  readonly newest: EnvelopeDate;
  readonly units: number;
  /** Stands at the first unit's reply. */
  readonly replies: RespReader;
}

export interface RefusedMessage {
  readonly kind: "refused";
  readonly id: ByteString;
  /** From docs/protocol.md's table. */
  readonly code: string;
  readonly sentence: string;
  readonly clock: number;
  /** Whether the daemon is certain that nothing of it was or will be applied there. */
  readonly effect: "not-applied" | "unknown";
}

export type ClientMessage = Hello | CommandMessage;
export type DaemonMessage = Hello | ResultMessage | RefusedMessage;

export function writeHello({ versions, daemon, cluster, clock, state, role }: Hello): ByteString {
  return writeCommand(["hello", versions.join(" "), daemon, cluster, String(clock), state, role]);
}

export function writeCommandMessage(body: ByteString, signature: ByteString): ByteString {
  return `*3\r\n$7\r\ncommand\r\n${writeBulk(body)}${writeBulk(signature)}`;
}

/** The same as a whole frame, from bytes: the body is copied, and converted no more. */
export function commandFrame(body: Buffer, signature: Buffer): Buffer {
  const start = `*3\r\n$7\r\ncommand\r\n$${body.length}\r\n`;
  const middle = `\r\n$${signature.length}\r\n`;
  const payload = start.length + body.length + middle.length + signature.length + 2;
  const head = frameHead(payload, 2) + start;
  const frame = Buffer.allocUnsafe(head.length - start.length + payload);
  frame.write(head, "latin1");
  frame.set(body, head.length);
  const at = head.length + body.length;
  frame.write(middle, at, "latin1");
  frame.set(signature, at + middle.length);
  frame.write("\r\n", frame.length - 2, "latin1");
  return frame;
}

/** @param replies  for each unit its RESP reply and, as a bulk string, its flags */
export function writeResult(
  head: { id: ByteString; daemon: ByteString; clock: number; newest: EnvelopeDate; units: number },
  replies: ByteString,
): ByteString {
  const { id, daemon, clock, newest, units } = head;
  const times = writeBulk(String(clock)) + writeBulk(`${newest.at} ${newest.seq}`);
  const names = `$6\r\nresult\r\n${writeBulk(id)}${writeBulk(daemon)}${times}`;
  return `${writeArrayHead(5 + 2 * units)}${names}${replies}`;
}

export function writeRefused({
  id,
  code,
  sentence,
  clock,
  effect,
}: Omit<RefusedMessage, "kind">): ByteString {
  return writeCommand(["refused", id, code, sentence, String(clock), effect]);
}

/** What a client sent. @throws MalformedFrame */
export function readClientMessage(payload: Buffer): ClientMessage {
  const reader = new RespReader(payload);
  const length = reader.readArrayHead();
  const kind = reader.readBulk();
  if (kind === "command" && length === 3) {
    const message = { kind, body: reader.readBulkView(), signature: reader.readBulkView() } as const;
    reader.expectEnd();
    return message;
  }
  if (kind === "hello" && length === 7) return readHello(reader);
  throw reader.malformed("expected a hello or a command");
}

/** What a daemon sent. @throws MalformedFrame */
export function readDaemonMessage(payload: Buffer): DaemonMessage {
  const reader = new RespReader(payload);
  const length = reader.readArrayHead();
  const kind = reader.readBulk();
  if (kind === "result" && length >= 7 && length % 2 === 1) {
    const id = reader.readBulk();
    const daemon = reader.readBulk();
    const clock = readTime(reader);
    const newest = readDate(reader);
    return { kind, id, daemon, clock, newest, units: (length - 5) / 2, replies: reader };
  }
  if (kind === "refused" && length === 6) return readRefused(reader);
  if (kind === "hello" && length === 7) return readHello(reader);
  throw reader.malformed("expected a hello, a result or a refusal");
}

const STATES: readonly string[] = ["live", "catching-up", "isolated", ""];

function readHello(reader: RespReader): Hello {
  const versions = reader.readBulk();
  if (!/^[1-9]\d?( [1-9]\d?){0,9}$/.test(versions))
    throw reader.malformed("expected the versions that are spoken");
  const daemon = readHashOrNothing(reader);
  const cluster = readHashOrNothing(reader);
  const clock = readTime(reader);
  const state = reader.readBulk();
  const role = reader.readBulk();
  if (!STATES.includes(state)) throw reader.malformed("expected a daemon's state");
  if (role !== "client" && role !== "daemon") throw reader.malformed('expected "client" or "daemon"');
  reader.expectEnd();
  return {
    kind: "hello",
    versions: versions.split(" ").map(Number),
    daemon,
    cluster,
    clock,
    state: state as Hello["state"],
    role,
  };
}

function readRefused(reader: RespReader): RefusedMessage {
  const id = reader.readBulk();
  const code = reader.readBulk();
  const sentence = reader.readBulk();
  const clock = readTime(reader);
  const effect = reader.readBulk();
  if (effect !== "not-applied" && effect !== "unknown")
    throw reader.malformed('expected "not-applied" or "unknown"');
  reader.expectEnd();
  return { kind: "refused", id, code, sentence, clock, effect };
}

function readHashOrNothing(reader: RespReader): ByteString {
  const bytes = reader.readBulkView();
  if (bytes.length !== 0 && bytes.length !== HASH_BYTES)
    throw reader.malformed(`expected ${HASH_BYTES} bytes, or none`);
  return bytesOf(bytes);
}

function readTime(reader: RespReader): number {
  const bytes = reader.readBulk();
  if (!/^(0|[1-9]\d{0,15})$/.test(bytes) || Number(bytes) > Number.MAX_SAFE_INTEGER) {
    throw reader.malformed("expected milliseconds since 1970");
  }
  return Number(bytes);
}

function readDate(reader: RespReader): EnvelopeDate {
  const [, at, seq] = /^(0|[1-9]\d{0,15}) (0|[1-9]\d{0,4})$/.exec(reader.readBulk()) ?? [];
  const date = { at: Number(at), seq: Number(seq) };
  if (!(date.at <= Number.MAX_SAFE_INTEGER && date.seq <= SEQ_MAX)) {
    throw reader.malformed(`expected milliseconds since 1970, a blank, and a number up to ${SEQ_MAX}`);
  }
  return date;
}
