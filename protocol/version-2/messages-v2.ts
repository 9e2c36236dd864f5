/**
 * The messages of version 2. The payload of a frame is a RESP2 array whose first element is the kind.
 * Source: docs/protocol-v2.md "Messages".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { frameHead } from "../frame.js";
import { RespReader } from "../resp/resp-reader.js";
import { writeArrayHead, writeBulk, writeCommand } from "../resp/resp-writer.js";
import { STATE_NAMES, type StateName } from "../state-names.js";
import { HASH_BYTES, SEQ_MAX } from "./envelope.js";
import { isTraceparent } from "./traceparent.js";

/** The state of a daemon as a member: serving, not complete yet, or disconnected from most other members. */
export type DaemonState = "live" | "catching-up" | "isolated";

export interface Hello {
  readonly kind: "hello";
  /** The supported versions; on the wire a list of numbers: "1 2". */
  readonly versions: readonly number[];
  /** The daemon's id, 32 bytes; empty from a client. */
  readonly daemon: ByteString;
  /** The cluster, 32 bytes; empty if the client does not know it. */
  readonly cluster: ByteString;
  /** The time by the sender's clock, in milliseconds since 1970. */
  readonly clock: number;
  /** The daemon's state; empty from a client. */
  readonly state: StateName | "";
  readonly role: "client" | "daemon";
  /** The number of connected members; null from a client or a daemon without peers. */
  readonly members: number | null;
  /** The capabilities of the daemon; empty from a client. */
  readonly knows: readonly string[];
}

/** The number of the protocol between clients and daemons, which the versions of each hello contain. */
export const PROTOCOL = 2;

/** Thrown for a hello with another number of elements or another protocol number than this release reads. */
export class OtherProtocol extends Error {
  override readonly name = "OtherProtocol";
  /** What the hello contains. */
  readonly found: string;

  constructor(found: string) {
    super(`${found}: install the same version of dbsync on both sides`);
    this.found = found;
  }
}

/** An envelope; body and signature are views of the frame. */
export interface CommandMessage {
  readonly kind: "command";
  readonly body: Buffer;
  readonly signature: Buffer;
  /**
   * The condition that the answer waits for, if there is one. It is not signed, because it affects only when the answer
   * is sent.
   */
  readonly wait?: Wait | undefined;
  /**
   * The W3C trace context of the first call, if there is one. It is not signed, because only this daemon's slow log
   * shows it.
   */
  readonly traceparent?: string | undefined;
}

/** An envelope with subscriptions to channels and keys. */
export interface ListenMessage {
  readonly kind: "listen";
  readonly body: Buffer;
  readonly signature: Buffer;
}

/** The number of the protocol between members. Members with different numbers do not connect. */
export const MEMBERS_PROTOCOL = 3;

/** The name in a member's hello for the number of the protocol between members, such as `members-3`. */
const MEMBERS_NAME = /^members-([1-9]\d{0,3})$/;

/** Returns what a member's hello announces. */
export const memberKnows = (): readonly string[] => [`members-${MEMBERS_PROTOCOL}`];

/** Returns the number of the protocol between members in a hello, or null if the sender does not act as a member. */
export function membersProtocolIn({ knows }: Hello): number | null {
  for (const word of knows) {
    const [, number] = MEMBERS_NAME.exec(word) ?? [];
    if (number !== undefined) return Number(number);
  }
  return null;
}

/** The capability of a daemon with keys: it accepts only signed envelopes. */
export const KNOWS_SIGNED = "signed";

/** The capability of a daemon that knows a list of members: these decide envelopes with `decide`. */
export const KNOWS_DECISIONS = "decisions";

/** The capability of a daemon without keys: it accepts only unsigned envelopes. */
export const KNOWS_UNSIGNED = "unsigned";

/** The capability of a daemon that accepts `listen` and sends `event`. */
export const KNOWS_LISTEN = "listen";

/** The capability of a daemon that accepts a `traceparent`. */
export const KNOWS_TRACE = "trace";

/** An event for a subscribed client: its kind and details. */
export interface EventMessage {
  readonly kind: "event";
  readonly elements: readonly ByteString[];
}

/**
 * `stable`: the order up to the envelope is final. `replicated`: N daemons have the envelope on disk, including the
 * daemon that answers.
 */
export type Wait = { readonly kind: "stable" } | { readonly kind: "replicated"; readonly daemons: number };

/** The maximum of `replicated`, which has at most two digits. A cluster has at most 32 daemons. */
const WAITED_FOR_MAX = 99;
/** The maximum number of connected members in a hello, above which the hello is malformed. */
const HELLO_MEMBERS_MAX = 9999;

/** The part of an envelope's order key that is in its header. */
export interface EnvelopeDate {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** 0 to 65535. */
  readonly seq: number;
}

/** The head of a result. In the payload, a RESP reply and flags for each unit follow, starting at `replies`. */
export interface ResultMessage {
  readonly kind: "result";
  readonly id: ByteString;
  readonly daemon: ByteString;
  readonly clock: number;
  /** The highest date and number that the daemon has applied; (0, 0): none yet. */
  readonly newest: EnvelopeDate;
  readonly units: number;
  /** A reader positioned at the first unit's reply. */
  readonly replies: RespReader;
}

export interface RefusedMessage {
  readonly kind: "refused";
  readonly id: ByteString;
  /** A code from the table in docs/protocol-v2.md "Refusals". */
  readonly code: string;
  readonly sentence: string;
  readonly clock: number;
  /** `not-applied` if the daemon has certainly applied nothing of the envelope and never will; otherwise `unknown`. */
  readonly effect: "not-applied" | "unknown";
  /** With `too-old`: as in a result. The client's next envelope is dated later. */
  readonly newest?: EnvelopeDate;
}

export type ClientMessage = Hello | CommandMessage | ListenMessage;
export type DaemonMessage = Hello | ResultMessage | RefusedMessage;

export function writeHello(hello: Hello): ByteString {
  const { versions, daemon, cluster, clock, state, role, members, knows } = hello;
  const numbers = [String(clock), state, role, members === null ? "" : String(members)];
  return writeCommand(["hello", versions.join(" "), daemon, cluster, ...numbers, knows.join(" ")]);
}

/**
 * Writes the hello of a client.
 * @param cluster  the configured cluster, or "" if there is none
 * @param others  the number of other daemons to which the client sends its commands; null: it does not state it
 */
export function writeClientHello(
  cluster: ByteString,
  clock: number,
  others: number | null = null,
): ByteString {
  const own = {
    versions: [PROTOCOL],
    daemon: "",
    state: "",
    role: "client",
    members: others,
    knows: [],
  } as const;
  return writeHello({ kind: "hello", cluster, clock, ...own });
}

export function writeCommandMessage(body: ByteString, signature: ByteString, wait?: Wait): ByteString {
  const message = `$7\r\ncommand\r\n${writeBulk(body)}${writeBulk(signature)}`;
  return wait === undefined ? `*3\r\n${message}` : `*4\r\n${message}${writeWait(wait)}`;
}

const writeWait = (wait: Wait): ByteString =>
  writeBulk(wait.kind === "stable" ? wait.kind : `${wait.kind} ${wait.daemons}`);

/** Returns a command message as a complete frame, and copies the body without converting it. */
export function commandFrame(body: Buffer, signature: Buffer, wait: Wait | null): Buffer {
  const start = `${wait === null ? "*3" : "*4"}\r\n$7\r\ncommand\r\n$${body.length}\r\n`;
  const middle = `\r\n$${signature.length}\r\n`;
  const end = wait === null ? "\r\n" : `\r\n${writeWait(wait)}`;
  const payload = start.length + body.length + middle.length + signature.length + end.length;
  const head = frameHead(payload, 2) + start;
  const frame = Buffer.allocUnsafe(head.length - start.length + payload);
  frame.write(head, "latin1");
  frame.set(body, head.length);
  const at = head.length + body.length;
  frame.write(middle, at, "latin1");
  frame.set(signature, at + middle.length);
  frame.write(end, at + middle.length + signature.length, "latin1");
  return frame;
}

/** Returns a frame from `commandFrame` with a trace context appended. */
export function tracedFrame(frame: Buffer, traceparent: string): Buffer {
  const payload = frame.indexOf(COLON, VERSION_BYTES) + 1;
  const wait = frame[payload + 1] === THREE ? writeBulk("") : "";
  const end = wait + writeBulk(traceparent);
  const remaining = frame.subarray(payload + 2);
  const head = `${frameHead(2 + remaining.length + end.length, 2)}*5`;
  return Buffer.concat([Buffer.from(head, "latin1"), remaining, Buffer.from(end, "latin1")]);
}

/** The length of `ds2:`, which is followed by the payload's length. */
const VERSION_BYTES = 4;
const COLON = 0x3a;
const THREE = 0x33;

/** Writes a result. @param replies  for each unit its RESP reply and, as a bulk string, its flags */
export function writeResult(
  head: { id: ByteString; daemon: ByteString; clock: number; newest: EnvelopeDate; units: number },
  replies: ByteString,
): ByteString {
  const { id, daemon, clock, newest, units } = head;
  const times = writeBulk(String(clock)) + writeBulk(`${newest.at} ${newest.seq}`);
  const names = `$6\r\nresult\r\n${writeBulk(id)}${writeBulk(daemon)}${times}`;
  return `${writeArrayHead(5 + 2 * units)}${names}${replies}`;
}

export const writeListen = (body: ByteString, signature: ByteString): ByteString =>
  writeCommand(["listen", body, signature]);

export const writeEvent = (elements: readonly ByteString[]): ByteString =>
  writeCommand(["event", ...elements]);

export function writeRefused({
  id,
  code,
  sentence,
  clock,
  effect,
  newest,
}: Omit<RefusedMessage, "kind">): ByteString {
  const date = newest === undefined ? [] : [`${newest.at} ${newest.seq}`];
  return writeCommand(["refused", id, code, sentence, String(clock), effect, ...date]);
}

/** Parses a client's message. @throws MalformedFrame, OtherProtocol */
export function readClientMessage(payload: Buffer): ClientMessage {
  const reader = new RespReader(payload);
  const length = reader.readArrayHead();
  if (length >= COMMAND_ELEMENTS_MIN && length <= COMMAND_ELEMENTS_MAX && reader.readIfEqual("command")) {
    const body = reader.readBulkView();
    const envelope = { kind: "command", body, signature: reader.readBulkView() } as const;
    const message =
      length === COMMAND_ELEMENTS_MIN ? envelope : { ...envelope, ...readUnsigned(reader, length) };
    reader.expectEnd();
    return message;
  }
  return readRareMessage(payload);
}

/** Parses a client's message that is not a command. */
function readRareMessage(payload: Buffer): Hello | ListenMessage {
  const reader = new RespReader(payload);
  const length = reader.readArrayHead();
  const kind = reader.readBulk();
  if (kind === "hello") return readHello(reader, length);
  if (kind === "listen" && length === LISTEN_ELEMENTS) return readListen(reader);
  throw reader.malformed("expected a hello, a command or a listen");
}

const LISTEN_ELEMENTS = 3;

/**
 * The limits for the number of elements of a command: its name, two signed elements, and at most two unsigned elements.
 */
const COMMAND_ELEMENTS_MIN = 3;
const COMMAND_ELEMENTS_MAX = 5;

/** Parses the elements after a command's signature. */
function readUnsigned(reader: RespReader, length: number): { wait?: Wait; traceparent?: string } {
  const text = reader.readBulk();
  if (length < COMMAND_ELEMENTS_MAX) return { wait: readWait(reader, text) };
  const traceparent = reader.readBulk();
  if (!isTraceparent(traceparent)) throw reader.malformed("expected a traceparent of W3C Trace Context");
  return text === "" ? { traceparent } : { wait: readWait(reader, text), traceparent };
}

function readListen(reader: RespReader): ListenMessage {
  const message = { kind: "listen", body: reader.readBulkView(), signature: reader.readBulkView() } as const;
  reader.expectEnd();
  return message;
}

/** Parses a daemon's message. @throws MalformedFrame, OtherProtocol */
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
  if (kind === "refused" && (length === 6 || length === 7)) return readRefused(reader, length === 7);
  if (kind === "hello") return readHello(reader, length);
  throw reader.malformed("expected a hello, a result or a refusal");
}

/**
 * Parses a daemon's message on a connection with subscriptions, where events may arrive.
 * @throws MalformedFrame, OtherProtocol
 */
export function readSubscriberMessage(payload: Buffer): DaemonMessage | EventMessage {
  const reader = new RespReader(payload);
  const length = reader.readArrayHead();
  const isEvent = length >= EVENT_ELEMENTS_MIN && length <= EVENT_ELEMENTS_MAX && reader.readIfEqual("event");
  if (!isEvent) return readDaemonMessage(payload);
  const elements = Array.from({ length: length - 1 }, () => reader.readBulk());
  reader.expectEnd();
  return { kind: "event", elements };
}

/** The limits for the number of elements of an event: its name, its kind, and its details. */
const EVENT_ELEMENTS_MIN = 2;
const EVENT_ELEMENTS_MAX = 16;

const STATES: readonly string[] = [...STATE_NAMES, ""];

/** The number of elements of a hello. */
const HELLO_ELEMENTS = 9;

/** The capabilities, separated by spaces. Unknown ones have no effect. */
const KNOWS = /^(?:[a-z\d-]{1,32}(?: [a-z\d-]{1,32}){0,31})?$/;

function readHello(reader: RespReader, length: number): Hello {
  if (length !== HELLO_ELEMENTS)
    throw new OtherProtocol(`a hello with ${length} elements instead of ${HELLO_ELEMENTS}`);
  const versions = readVersions(reader);
  const daemon = readHashOrNothing(reader);
  const cluster = readHashOrNothing(reader);
  const clock = readTime(reader);
  const state = reader.readBulk();
  const role = reader.readBulk();
  if (!STATES.includes(state)) throw reader.malformed("expected a daemon's state");
  if (role !== "client" && role !== "daemon") throw reader.malformed('expected "client" or "daemon"');
  const count = reader.readBulk();
  const members = count === "" ? null : readCount(reader, count, HELLO_MEMBERS_MAX);
  const words = reader.readBulk();
  if (!KNOWS.test(words)) throw reader.malformed("expected capabilities");
  const knows = words === "" ? [] : words.split(" ");
  reader.expectEnd();
  return {
    kind: "hello",
    versions,
    daemon,
    cluster,
    clock,
    state: state as Hello["state"],
    role,
    members,
    knows,
  };
}

function readVersions(reader: RespReader): readonly number[] {
  const text = reader.readBulk();
  if (!/^[1-9]\d?( [1-9]\d?){0,9}$/.test(text)) throw reader.malformed("expected the supported versions");
  const versions = text.split(" ").map(Number);
  if (!versions.includes(PROTOCOL))
    throw new OtherProtocol(`a hello of protocol ${versions.join(" and ")} instead of ${PROTOCOL}`);
  return versions;
}

/** Maximum number of bytes of a refusal's code and of its sentence; the remaining bytes are left out. */
const REFUSAL_BYTES_MAX = 1000;

function readRefused(reader: RespReader, hasNewest: boolean): RefusedMessage {
  const id = reader.readBulk();
  const code = reader.readBulk().slice(0, REFUSAL_BYTES_MAX);
  const sentence = reader.readBulk().slice(0, REFUSAL_BYTES_MAX);
  const clock = readTime(reader);
  const effect = reader.readBulk();
  if (effect !== "not-applied" && effect !== "unknown")
    throw reader.malformed('expected "not-applied" or "unknown"');
  const newest = hasNewest ? { newest: readDate(reader) } : {};
  reader.expectEnd();
  return { kind: "refused", id, code, sentence, clock, effect, ...newest };
}

function readWait(reader: RespReader, text: ByteString): Wait {
  if (text === "stable") return { kind: "stable" };
  const [, daemons] = /^replicated ([1-9]\d?)$/.exec(text) ?? [];
  if (daemons === undefined)
    throw reader.malformed(`expected "stable", or "replicated" and a number up to ${WAITED_FOR_MAX}`);
  return { kind: "replicated", daemons: Number(daemons) };
}

function readCount(reader: RespReader, text: ByteString, max: number): number {
  if (!/^(0|[1-9]\d{0,4})$/.test(text) || Number(text) > max)
    throw reader.malformed(`expected a number up to ${max}`);
  return Number(text);
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
    throw reader.malformed(`expected milliseconds since 1970, a space, and a number up to ${SEQ_MAX}`);
  }
  return date;
}
