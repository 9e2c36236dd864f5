/**
 * The messages between members after a hello with the role `daemon`: payloads of version 2 frames, which are RESP2
 * arrays of bulk strings whose first element is the kind. Many small values (order keys, entries) are packed into one
 * bulk string.
 * Source: docs/protocol-v2.md "Members".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import type { ClientTotals } from "../figures/figure.js";
import type { MemberProblem } from "../figures/timeline-figures.js";
import { RespReader } from "../resp/resp-reader.js";
import { HASH_BYTES } from "../version-2/envelope.js";
import { type DaemonState, type Hello, readDaemonMessage } from "../version-2/messages-v2.js";
import { type CutVote, readCutVotes, VOTES_MAX, writeCutVotes } from "./cut-votes.js";
import {
  type PackedOrderKey,
  readFixed,
  readFlag,
  readNumber,
  readOrderKeys,
  readShort,
  readTotals,
  type Totals,
  totalElements,
  writeOrderKeys,
} from "./member-elements.js";
import { type ListMessage, readListEnvelope, readListMessage } from "./member-list.js";
import { HOST_CHARS_MAX, isServiceHost, type ServiceAddress } from "./service-address.js";

export interface StatusMessage extends Totals {
  readonly kind: "status";
  /** The number of this status message on the connection, starting at 1. */
  readonly serial: number;
  /** The number of the last status message that the sender received, and the milliseconds since then; 0: none yet. */
  readonly echo: number;
  readonly echoAge: number;
  /** The time by the sender's clock, in milliseconds since 1970. */
  readonly clock: number;
  /** The published watermark. */
  readonly watermark: number;
  /** The date, in milliseconds since 1970, at or before which entries have been pruned, or 0 if none have. */
  readonly pruned: number;
  /**
   * The latest date with which the sender may have accepted an entry from a client until now, in milliseconds since
   * 1970.
   */
  readonly latest: number;
  readonly state: DaemonState;
  /** Whether the sender accepts no writes from clients because its clock differs from the members' median. */
  readonly skewed: boolean;
}

export type MemberMessage =
  | Hello
  | { readonly kind: "challenge"; readonly nonce: ByteString }
  | ProofMessage
  /** The reason why the connection closes. */
  | { readonly kind: "bye"; readonly code: string; readonly sentence: string }
  | StatusMessage
  | AboutMessage
  | ServiceMessage
  /** The order keys of entries that are on the sender's disk. */
  | { readonly kind: "offer"; readonly orderKeys: readonly PackedOrderKey[] }
  | { readonly kind: "want"; readonly orderKeys: readonly PackedOrderKey[] }
  | PushMessage
  /**
   * Reports that all pushes up to `number` have been handled, and that the entries with these order keys are on the
   * sender's disk.
   */
  | { readonly kind: "have"; readonly number: number; readonly orderKeys: readonly PackedOrderKey[] }
  /** A step of a reconciliation, from daemon/timeline/compare/reconcile.ts. */
  | { readonly kind: "reconcile"; readonly session: number; readonly step: Buffer }
  /** Reports that the sender has pushed all entries that the reconciliation requires. */
  | { readonly kind: "given"; readonly session: number }
  | { readonly kind: "report-request"; readonly at: number }
  /** The totals of the entries dated before `at`, and the published watermark, both at the same moment. */
  | ({ readonly kind: "report"; readonly at: number; readonly watermark: number } & Totals)
  /** Requests that the receiver signs nothing more that is dated at or before `at`. */
  | { readonly kind: "close-dates"; readonly at: number }
  /**
   * Answers all requests up to `requested`: the sender signs nothing more that is dated at or before `at`, and has
   * pushed what it signed with such dates.
   */
  | { readonly kind: "dates-closed"; readonly requested: number; readonly at: number }
  /** Votes on snapshots, signed by the sender and by other members. */
  | { readonly kind: "cuts"; readonly votes: readonly CutVote[] }
  /** Requests a part of the snapshot of a date. `number` is the index of the part, starting at 0. */
  | { readonly kind: "snapshot-pull"; readonly at: number; readonly number: number }
  | SnapshotPartMessage
  | SpeakMessage
  | SubscribersMessage
  | StateSumsMessage
  /** `isAnswer`: whether the message answers another `state-keys` about the same keys. */
  | ({ readonly kind: "state-keys"; readonly isAnswer: boolean } & StateKeys & Totals)
  | ListMessage
  /** Requests the member list with this hash. */
  | { readonly kind: "list-request"; readonly hash: ByteString }
  /** The requested list, which may have been replaced. */
  | { readonly kind: "earlier-list"; readonly body: Buffer; readonly signature: Buffer }
  /** A message about decisions, written by `writeDecisionMessage`. */
  | { readonly kind: "decision"; readonly message: Buffer };

export interface ProofMessage {
  readonly kind: "proof";
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: ByteString;
  readonly signature: Buffer;
  /** HMAC-SHA256 with the cluster's secret, 32 bytes; empty if the sender has no secret. */
  readonly mac: Buffer;
}

export interface SnapshotPartMessage {
  readonly kind: "snapshot-part";
  /** The cut of the snapshot; 0: the sender has no snapshot. */
  readonly at: number;
  readonly number: number;
  /** The total number of bytes of all parts. */
  readonly total: number;
  readonly isLast: boolean;
  readonly bytes: Buffer;
}

export interface PushMessage {
  readonly kind: "push";
  /** The number of this push on the connection, starting at 1. */
  readonly number: number;
  /** The uncompressed length of the entries: see `writeEntries`. */
  readonly bytes: number;
  readonly isDeflated: boolean;
  readonly entries: Buffer;
}

/** Envelopes with channel messages, which are delivered to subscribers and not stored. */
export interface SpeakMessage {
  readonly kind: "speak";
  /** The number of the first envelope on the connection, starting at 1. Skipped envelopes also have numbers. */
  readonly number: number;
  /** The envelopes: see `writeEntries`. */
  readonly entries: Buffer;
}

/** The sender's numbers of subscribers that have changed, so that every member can count all subscribers. */
export interface SubscribersMessage {
  readonly kind: "subscribers";
  /** 0: the counts replace all earlier ones. Otherwise one more than the number of the previous message. */
  readonly number: number;
  /** The counts: see `writeSubscriberCounts`. */
  readonly counts: Buffer;
}

/** The messages that only members send; clients also send the hello. */
export type OwnMessage = Exclude<MemberMessage, Hello>;
type OwnKind = OwnMessage["kind"];

const SPKI_BYTES_MAX = 4096;
const SENTENCE_BYTES_MAX = 1024;

type Element = string | Buffer;

/** Returns a message as a complete frame. */
export function writeMemberMessage(message: OwnMessage): Buffer {
  const elements = elementsOf(message);
  const parts: Element[] = [`*${elements.length}\r\n`];
  for (const element of elements) parts.push(`$${element.length}\r\n`, element, "\r\n");

  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = `ds2:${length}:`;
  const frame = Buffer.allocUnsafe(head.length + length);
  let at = frame.write(head, "latin1");
  for (const part of parts) {
    at += typeof part === "string" ? frame.write(part, at, "latin1") : part.copy(frame, at);
  }
  return frame;
}

function elementsOf(message: OwnMessage): Element[] {
  const { kind } = message;
  switch (kind) {
    case "challenge":
      return [kind, message.nonce];
    case "proof":
      return [kind, message.spki, message.signature, message.mac];
    case "bye":
      return [kind, message.code, message.sentence];
    case "status": {
      const { serial, echo, echoAge, clock, watermark, pruned, latest, state, skewed } = message;
      const numbers = [serial, echo, echoAge, clock, watermark, pruned, latest].map(String);
      return [kind, ...numbers, state, skewed ? "1" : "0", ...totalElements(message)];
    }
    case "about":
      return [kind, ...aboutElements(message)];
    case "service":
      return [kind, ...serviceElements(message)];
    case "offer":
    case "want":
      return [kind, writeOrderKeys(message.orderKeys)];
    case "push": {
      const { number, bytes, isDeflated, entries } = message;
      return [kind, String(number), String(bytes), isDeflated ? "1" : "0", entries];
    }
    case "have":
      return [kind, String(message.number), writeOrderKeys(message.orderKeys)];
    case "reconcile":
      return [kind, String(message.session), message.step];
    case "given":
      return [kind, String(message.session)];
    case "report-request":
    case "close-dates":
      return [kind, String(message.at)];
    case "dates-closed":
      return [kind, String(message.requested), String(message.at)];
    case "cuts":
      return [kind, writeCutVotes(message.votes)];
    case "snapshot-pull":
      return [kind, String(message.at), String(message.number)];
    case "snapshot-part": {
      const { at, number, total, isLast, bytes } = message;
      return [kind, ...[at, number, total].map(String), isLast ? "1" : "0", bytes];
    }
    case "speak":
      return [kind, String(message.number), message.entries];
    case "subscribers":
      return [kind, String(message.number), message.counts];
    case "state-sums":
      return [kind, String(message.at), String(message.shares), writeSums(message.sums)];
    case "state-keys": {
      const { at, salt, isAnswer, keys } = message;
      return [kind, ...[at, salt, Number(isAnswer)].map(String), ...totalElements(message), writeKeys(keys)];
    }
    case "list-request":
      return [kind, message.hash];
    case "earlier-list":
      return [kind, message.body, message.signature];
    case "decision":
      return [kind, message.message];
    case "list":
      return [kind, message.hash, reportingOf(message), message.body, message.signature];
    default:
      return [kind, String(message.at), String(message.watermark), ...totalElements(message)];
  }
}

/** 0: it does not report. 2: it reports, but no date becomes final by its reports. */
const reportingOf = ({ isReporting, hasEarlyVote }: ListMessage): string =>
  isReporting ? (hasEarlyVote ? "2" : "1") : "0";

/** The number of elements of a message of each kind, including the name of the kind. */
const LENGTHS: Readonly<Record<OwnKind, number>> = {
  challenge: 2,
  proof: 4,
  bye: 3,
  status: 14,
  about: 10,
  service: 12,
  offer: 2,
  want: 2,
  push: 5,
  have: 3,
  reconcile: 3,
  given: 2,
  "report-request": 2,
  report: 7,
  "close-dates": 2,
  "dates-closed": 3,
  cuts: 2,
  "snapshot-pull": 3,
  "snapshot-part": 6,
  speak: 3,
  subscribers: 3,
  "state-sums": 4,
  "state-keys": 9,
  list: 5,
  "list-request": 2,
  "earlier-list": 3,
  decision: 2,
};

const isOwnKind = (kind: string): kind is OwnKind => Object.hasOwn(LENGTHS, kind);

/** Parses a member's message. Its buffers are views of the payload. @throws MalformedFrame, OtherProtocol */
export function readMemberMessage(payload: Buffer): MemberMessage {
  const reader = new RespReader(payload);
  const length = reader.readArrayHead();
  const kind = reader.readBulk();
  if (kind === "hello" || kind === "refused") {
    const message = readDaemonMessage(payload);
    if (message.kind === "hello") return message;
    // A daemon that cannot read a hello does not know that a member sent it, and refuses it like that of a client.
    if (message.kind === "refused") return { kind: "bye", code: message.code, sentence: message.sentence };
  }
  if (!isOwnKind(kind) || LENGTHS[kind] !== length)
    throw reader.malformed("expected a message between members");
  const message = readElements(kind, reader);
  reader.expectEnd();
  return message;
}

function readElements(kind: OwnKind, reader: RespReader): MemberMessage {
  switch (kind) {
    case "challenge":
      return { kind, nonce: readFixed(reader, HASH_BYTES) };
    case "proof":
      return readProof(reader);
    case "bye":
      return {
        kind,
        code: readShort(reader, SENTENCE_BYTES_MAX),
        sentence: readShort(reader, SENTENCE_BYTES_MAX),
      };
    case "status":
      return readStatus(reader);
    case "about":
      return readAbout(reader);
    case "service":
      return readService(reader);
    case "offer":
    case "want":
      return { kind, orderKeys: readOrderKeys(reader) };
    case "push": {
      const number = readNumber(reader);
      const bytes = readNumber(reader);
      return { kind, number, bytes, isDeflated: readFlag(reader), entries: reader.readBulkView() };
    }
    case "have":
      return { kind, number: readNumber(reader), orderKeys: readOrderKeys(reader) };
    case "reconcile":
      return { kind, session: readNumber(reader), step: reader.readBulkView() };
    case "given":
      return { kind, session: readNumber(reader) };
    case "report-request":
    case "close-dates":
      return { kind, at: readNumber(reader) };
    case "dates-closed":
      return { kind, requested: readNumber(reader), at: readNumber(reader) };
    case "cuts": {
      const votes = readCutVotes(reader.readBulkView(), VOTES_MAX);
      if (votes === null) throw reader.malformed("expected votes on snapshots");
      return { kind, votes };
    }
    case "snapshot-pull":
      return { kind, at: readNumber(reader), number: readNumber(reader) };
    case "snapshot-part": {
      const [at, number, total] = [readNumber(reader), readNumber(reader), readNumber(reader)];
      return { kind, at, number, total, isLast: readFlag(reader), bytes: reader.readBulkView() };
    }
    case "speak":
      return { kind, number: readNumber(reader), entries: reader.readBulkView() };
    case "subscribers":
      return { kind, number: readNumber(reader), counts: reader.readBulkView() };
    case "state-sums":
      return { kind, ...readSums(reader) };
    case "state-keys": {
      const head = { at: readNumber(reader), salt: readNumber(reader), isAnswer: readFlag(reader) };
      return { kind, ...head, ...readTotals(reader), keys: readKeys(reader) };
    }
    case "list":
      return readListMessage(reader);
    case "list-request":
      return { kind, hash: readFixed(reader, HASH_BYTES) };
    case "earlier-list":
      return { kind, ...readListEnvelope(reader) };
    case "decision":
      return { kind, message: reader.readBulkView() };
    default:
      return { kind, at: readNumber(reader), watermark: readNumber(reader), ...readTotals(reader) };
  }
}

function readProof(reader: RespReader): ProofMessage {
  const spki = readShort(reader, SPKI_BYTES_MAX);
  const signature = reader.readBulkView();
  const mac = reader.readBulkView();
  if (mac.length !== 0 && mac.length !== HASH_BYTES)
    throw reader.malformed(`expected 0 or ${HASH_BYTES} bytes`);
  return { kind: "proof", spki, signature, mac };
}

function readStatus(reader: RespReader): StatusMessage {
  const [serial, echo, echoAge, clock, watermark, pruned, latest] = [
    readNumber(reader),
    readNumber(reader),
    readNumber(reader),
    readNumber(reader),
    readNumber(reader),
    readNumber(reader),
    readNumber(reader),
  ] as const;
  const state = reader.readBulk();
  if (state !== "live" && state !== "catching-up" && state !== "isolated")
    throw reader.malformed("expected a daemon's state");
  const skewed = readFlag(reader);
  const times = { clock, watermark, pruned, latest };
  return { kind: "status", serial, echo, echoAge, ...times, state, skewed, ...readTotals(reader) };
}

/** The messages that members exchange after both have authenticated. */
export type ExchangeMessage = Exclude<OwnMessage, { kind: "challenge" | "proof" | "bye" }>;

export function isExchange(message: MemberMessage): message is ExchangeMessage {
  const { kind } = message;
  return kind !== "hello" && kind !== "challenge" && kind !== "proof" && kind !== "bye";
}

/**
 * The message in which a member describes itself, except for its timeline. The contents are unverified claims, limited
 * in length, and printable ASCII.
 * Source: docs/protocol-v2.md "Members".
 */
export interface MemberAbout extends ClientTotals {
  /** The program's version. */
  readonly software: string;
  /** The dashboard's port (--admin), and whether it listens on loopback; 0: there is none. */
  readonly pagePort: number;
  readonly isPageLocal: boolean;
  /** The bytes of the data folder's file system; size 0: there is no folder, or the size is unknown. */
  readonly diskFree: number;
  readonly diskSize: number;
  /** The problems that the member reports about itself. */
  readonly problems: readonly MemberProblem[];
}

interface AboutMessage extends MemberAbout {
  readonly kind: "about";
}

const SOFTWARE_CHARS_MAX = 32;
const PROBLEMS_MAX = 8;
/** The maximum for the complete line, so a long sentence is cut. */
const PROBLEM_CHARS_MAX = 600;
const PROBLEMS_CHARS_MAX = PROBLEMS_MAX * (PROBLEM_CHARS_MAX + 1);
const PORT_MAX = 65_535;
/** A line of a problem: its code, its member and its sentence. */
const PROBLEM = /^(\S+) (\S*) (.*)$/;
/** Matches everything except printable ASCII. */
const OTHER = /[^\x20-\x7e]/g;

/** Returns the elements after the message's name. */
function aboutElements(about: MemberAbout): string[] {
  const { software, pagePort, isPageLocal, diskFree, diskSize, problems } = about;
  const { clientAnswers, clientRefusals, clientConnections } = about;
  const lines = problems.slice(0, PROBLEMS_MAX).map(problemLine);
  const local = isPageLocal ? "1" : "0";
  return [
    shown(software, SOFTWARE_CHARS_MAX),
    String(pagePort),
    local,
    String(diskFree),
    String(diskSize),
    ...[clientAnswers, clientRefusals, clientConnections].map(String),
    lines.join("\n"),
  ];
}

/** Returns the line of a problem, in which only the sentence contains spaces. */
function problemLine({ code, member, text }: MemberProblem): string {
  return shown(`${code} ${member.replace(/\s/g, "?")} ${text}`, PROBLEM_CHARS_MAX);
}

/** Reads the elements after the name. @throws MalformedFrame */
function readAbout(reader: RespReader): AboutMessage {
  const software = shown(readShort(reader, SOFTWARE_CHARS_MAX), SOFTWARE_CHARS_MAX);
  const pagePort = readNumber(reader);
  if (pagePort > PORT_MAX) throw reader.malformed("expected a port");
  const isPageLocal = readFlag(reader);
  const [diskFree, diskSize] = [readNumber(reader), readNumber(reader)];
  const totals = {
    clientAnswers: readNumber(reader),
    clientRefusals: readNumber(reader),
    clientConnections: readNumber(reader),
  };
  const text = readShort(reader, PROBLEMS_CHARS_MAX);
  const lines = text === "" ? [] : text.split("\n", PROBLEMS_MAX);
  const problems = lines.map((line) => {
    const [, code, member, sentence] = PROBLEM.exec(shown(line, PROBLEM_CHARS_MAX)) ?? [];
    if (code === undefined || member === undefined || sentence === undefined)
      throw reader.malformed("expected a problem");
    return { code, member, text: sentence };
  });
  return { kind: "about", software, pagePort, isPageLocal, diskFree, diskSize, ...totals, problems };
}

const shown = (text: string, max: number): string => text.slice(0, max).replace(OTHER, "?");

/**
 * The message in which a member states how Redis clients reach it, and which daemon it names to them. The contents are
 * unverified claims, limited in length.
 * Source: docs/decisions/0073-which-daemon-sentinels-name.md.
 */
export interface ServiceMessage {
  readonly kind: "service";
  /** The number of the statement: higher than in all earlier ones of the sender. */
  readonly serial: number;
  /** The number of the sender's choice: a higher number replaces a lower one. */
  readonly epoch: number;
  /** The id of the daemon that the sender names, 32 bytes, or null if it names none. */
  readonly named: ByteString | null;
  /** The number of the named daemon's last statement that the sender knows of; 0 if none is named. */
  readonly seen: number;
  /** The address of the named daemon, or null if none is named. */
  readonly address: ServiceAddress | null;
  /** Whether the sender accepts writes of Redis clients. */
  readonly acceptsWrites: boolean;
  /** The addresses of the sender's --resp and --sentinel; null: there is none. */
  readonly resp: ServiceAddress | null;
  readonly sentinel: ServiceAddress | null;
}

/** Returns the elements after the message's name. */
function serviceElements(message: ServiceMessage): string[] {
  const { serial, epoch, named, seen, address, acceptsWrites, resp, sentinel } = message;
  const addresses = [resp, sentinel].flatMap(addressElements);
  return [
    String(serial),
    String(epoch),
    named ?? "",
    String(seen),
    ...addressElements(address),
    acceptsWrites ? "1" : "0",
    ...addresses,
  ];
}

const addressElements = (address: ServiceAddress | null): string[] => [
  address?.host ?? "",
  String(address?.port ?? 0),
];

/** Reads the elements after the name. @throws MalformedFrame */
function readService(reader: RespReader): ServiceMessage {
  const [serial, epoch] = [readNumber(reader), readNumber(reader)];
  const id = readShort(reader, HASH_BYTES);
  if (id.length !== 0 && id.length !== HASH_BYTES)
    throw reader.malformed(`expected 0 or ${HASH_BYTES} bytes`);
  const seen = readNumber(reader);
  const address = readAddress(reader);
  const acceptsWrites = readFlag(reader);
  const [resp, sentinel] = [readAddress(reader), readAddress(reader)];
  if ((id === "") !== (address === null)) throw reader.malformed("expected an id with an address");
  const named = id === "" ? null : id;
  return { kind: "service", serial, epoch, named, seen, address, acceptsWrites, resp, sentinel };
}

function readAddress(reader: RespReader): ServiceAddress | null {
  const host = readShort(reader, HOST_CHARS_MAX);
  const port = readNumber(reader);
  if (!isServiceHost(host) || port > PORT_MAX || (port === 0 && host !== ""))
    throw reader.malformed("expected a host and a port");
  return port === 0 ? null : { host, port };
}

/** Sums over the sender's keys at the date `at`, without keys that have changed since then. */
export interface StateSumsMessage {
  readonly kind: "state-sums";
  readonly at: number;
  /** The sums cover 1/shares of the keyspace. */
  readonly shares: number;
  /** One sum per bucket; 2³² − 1: keys in this bucket have changed since then. */
  readonly sums: Uint32Array;
}

/** Digests of individual keys at the date `at`, without keys that have changed since then. */
interface StateKeys {
  readonly at: number;
  readonly salt: number;
  readonly keys: readonly PackedKeyDigest[];
}

interface PackedKeyDigest {
  readonly db: number;
  readonly key: ByteString;
  /** The digest, or null if the sender does not have the key. */
  readonly digest: { readonly high: number; readonly low: number } | null;
}

/** The maximum numbers of buckets and keys in one message, and the maximum length of a key in it. */
const BUCKETS_MAX = 65_536;
export const KEYS_MAX = 128;
export const KEY_BYTES_MAX = 4096;
const SUM_BYTES = 4;
/** The length of the fields before a key: db (2) ‖ flag (1) ‖ digest (8) ‖ length of the key (2). */
const HEAD_BYTES = 13;

function writeSums(sums: Uint32Array): Buffer {
  const bytes = Buffer.allocUnsafe(sums.length * SUM_BYTES);
  for (const [bucket, sum] of sums.entries()) bytes.writeUInt32BE(sum, bucket * SUM_BYTES);
  return bytes;
}

/** Unpacks sums. @throws MalformedFrame */
function readSums(reader: RespReader): Omit<StateSumsMessage, "kind"> {
  const [at, shares] = [readNumber(reader), readNumber(reader)];
  const bytes = reader.readBulkView();
  const buckets = bytes.length / SUM_BYTES;
  if (!isPowerOfTwo(buckets) || buckets > BUCKETS_MAX) throw reader.malformed("expected sums of buckets");
  const sums = Uint32Array.from({ length: buckets }, (_, bucket) => bytes.readUInt32BE(bucket * SUM_BYTES));
  return { at, shares, sums };
}

const isPowerOfTwo = (count: number) => Number.isInteger(count) && count > 0 && (count & (count - 1)) === 0;

function writeKeys(keys: readonly PackedKeyDigest[]): Buffer {
  return Buffer.concat(
    keys.map(({ db, key, digest }) => {
      const bytes = Buffer.alloc(HEAD_BYTES + key.length);
      bytes.writeUInt16BE(db, 0);
      bytes.writeUInt8(digest === null ? 0 : 1, 2);
      bytes.writeUInt32BE(digest?.high ?? 0, 3);
      bytes.writeUInt32BE(digest?.low ?? 0, 7);
      bytes.writeUInt16BE(key.length, 11);
      bytes.write(key, HEAD_BYTES, "latin1");
      return bytes;
    }),
  );
}

/** Unpacks digests of keys. @throws MalformedFrame */
function readKeys(reader: RespReader): PackedKeyDigest[] {
  const bytes = reader.readBulkView();
  const keys: PackedKeyDigest[] = [];
  for (let from = 0; from < bytes.length; ) {
    const length = bytes.length - from < HEAD_BYTES ? KEY_BYTES_MAX + 1 : bytes.readUInt16BE(from + 11);
    const end = from + HEAD_BYTES + length;
    if (length > KEY_BYTES_MAX || end > bytes.length || keys.length === KEYS_MAX)
      throw reader.malformed("expected digests of keys");
    const digest =
      bytes[from + 2] === 0
        ? null
        : { high: bytes.readUInt32BE(from + 3), low: bytes.readUInt32BE(from + 7) };
    keys.push({ db: bytes.readUInt16BE(from), key: bytesOf(bytes, from + HEAD_BYTES, end), digest });
    from = end;
  }
  return keys;
}
