/**
 * The messages between members after a hello with the role `daemon`: payloads of version 2 frames, which are RESP2
 * arrays of bulk strings whose first element is the kind. Many small values (order keys, entries) are packed into one
 * bulk string.
 * Source: docs/member-protocol.md.
 */
import type { ByteString } from "../byte-string.js";
import { RespReader } from "../resp/resp-reader.js";
import { HASH_BYTES } from "../version-2/envelope.js";
import { type DaemonState, type Hello, readDaemonMessage } from "../version-2/messages-v2.js";
import { type AboutMessage, aboutElements, readAbout } from "./about-message.js";
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
import { readService, type ServiceMessage, serviceElements } from "./service-message.js";
import {
  readKeys,
  readSums,
  type StateKeys,
  type StateSumsMessage,
  writeKeys,
  writeSums,
} from "./state-messages.js";

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
  readonly isSkewed: boolean;
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
  /** Requests the entries with these order keys. */
  | { readonly kind: "want"; readonly orderKeys: readonly PackedOrderKey[] }
  | PushMessage
  /**
   * Reports that all pushes up to `number` have been processed, and that the entries with these order keys are on the
   * sender's disk.
   */
  | { readonly kind: "have"; readonly number: number; readonly orderKeys: readonly PackedOrderKey[] }
  /** A step of a reconciliation, from daemon/timeline/compare/reconcile.ts. */
  | { readonly kind: "reconcile"; readonly session: number; readonly step: Buffer }
  /** Reports that the sender has pushed all entries that the reconciliation requires. */
  | { readonly kind: "given"; readonly session: number }
  /** Requests a report about the entries dated before `at`. */
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
  /** The uncompressed length of `entries`. */
  readonly bytes: number;
  readonly isDeflated: boolean;
  /** The entries: see `writeEntries`. */
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

/** The messages that only members send. Clients also send a hello. */
export type OwnMessage = Exclude<MemberMessage, Hello>;
type OwnKind = OwnMessage["kind"];

/** The messages that members send after both have authenticated. */
export type ExchangeMessage = Exclude<OwnMessage, { kind: "challenge" | "proof" | "bye" }>;

export function isExchange(message: MemberMessage): message is ExchangeMessage {
  const { kind } = message;
  return kind !== "hello" && kind !== "challenge" && kind !== "proof" && kind !== "bye";
}

const SPKI_BYTES_MAX = 4096;
const SENTENCE_BYTES_MAX = 1024;

/** The bytes of a bulk string. */
type Element = string | Buffer;

/** Returns a message as a complete frame. */
export function writeMemberMessage(message: OwnMessage): Buffer {
  const { kind } = message;
  const elements = [kind, ...formOf(kind).write(message)];
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

/** The encoding of the messages of one kind. */
interface MessageForm<Message extends OwnMessage> {
  /** The number of elements, including the kind. */
  readonly length: number;
  /** Returns the elements after the kind. */
  write(message: Message): Element[];
  /** Reads the elements after the kind. @throws MalformedFrame */
  read(reader: RespReader): Omit<Message, "kind">;
}

type OfKind<Kind> = Extract<OwnMessage, { readonly kind: Kind }>;

const FORMS: { readonly [Kind in OwnKind]: MessageForm<OfKind<Kind>> } = {
  challenge: {
    length: 2,
    write: ({ nonce }) => [nonce],
    read: (reader) => ({ nonce: readFixed(reader, HASH_BYTES) }),
  },
  proof: {
    length: 4,
    write: ({ spki, signature, mac }) => [spki, signature, mac],
    read: readProof,
  },
  bye: {
    length: 3,
    write: ({ code, sentence }) => [code, sentence],
    read: (reader) => ({
      code: readShort(reader, SENTENCE_BYTES_MAX),
      sentence: readShort(reader, SENTENCE_BYTES_MAX),
    }),
  },
  status: { length: 14, write: statusElements, read: readStatus },
  about: { length: 10, write: aboutElements, read: readAbout },
  service: { length: 12, write: serviceElements, read: readService },
  offer: {
    length: 2,
    write: ({ orderKeys }) => [writeOrderKeys(orderKeys)],
    read: (reader) => ({ orderKeys: readOrderKeys(reader) }),
  },
  want: {
    length: 2,
    write: ({ orderKeys }) => [writeOrderKeys(orderKeys)],
    read: (reader) => ({ orderKeys: readOrderKeys(reader) }),
  },
  push: {
    length: 5,
    write: ({ number, bytes, isDeflated, entries }) => [
      String(number),
      String(bytes),
      isDeflated ? "1" : "0",
      entries,
    ],
    read: (reader) => ({
      number: readNumber(reader),
      bytes: readNumber(reader),
      isDeflated: readFlag(reader),
      entries: reader.readBulkView(),
    }),
  },
  have: {
    length: 3,
    write: ({ number, orderKeys }) => [String(number), writeOrderKeys(orderKeys)],
    read: (reader) => ({ number: readNumber(reader), orderKeys: readOrderKeys(reader) }),
  },
  reconcile: {
    length: 3,
    write: ({ session, step }) => [String(session), step],
    read: (reader) => ({ session: readNumber(reader), step: reader.readBulkView() }),
  },
  given: {
    length: 2,
    write: ({ session }) => [String(session)],
    read: (reader) => ({ session: readNumber(reader) }),
  },
  "report-request": {
    length: 2,
    write: ({ at }) => [String(at)],
    read: (reader) => ({ at: readNumber(reader) }),
  },
  report: {
    length: 7,
    write: (message) => [String(message.at), String(message.watermark), ...totalElements(message)],
    read: (reader) => ({ at: readNumber(reader), watermark: readNumber(reader), ...readTotals(reader) }),
  },
  "close-dates": {
    length: 2,
    write: ({ at }) => [String(at)],
    read: (reader) => ({ at: readNumber(reader) }),
  },
  "dates-closed": {
    length: 3,
    write: ({ requested, at }) => [String(requested), String(at)],
    read: (reader) => ({ requested: readNumber(reader), at: readNumber(reader) }),
  },
  cuts: {
    length: 2,
    write: ({ votes }) => [writeCutVotes(votes)],
    read: (reader) => {
      const votes = readCutVotes(reader.readBulkView(), VOTES_MAX);
      if (votes === null) throw reader.malformed("expected votes on snapshots");
      return { votes };
    },
  },
  "snapshot-pull": {
    length: 3,
    write: ({ at, number }) => [String(at), String(number)],
    read: (reader) => ({ at: readNumber(reader), number: readNumber(reader) }),
  },
  "snapshot-part": {
    length: 6,
    write: ({ at, number, total, isLast, bytes }) => [
      String(at),
      String(number),
      String(total),
      isLast ? "1" : "0",
      bytes,
    ],
    read: (reader) => ({
      at: readNumber(reader),
      number: readNumber(reader),
      total: readNumber(reader),
      isLast: readFlag(reader),
      bytes: reader.readBulkView(),
    }),
  },
  speak: {
    length: 3,
    write: ({ number, entries }) => [String(number), entries],
    read: (reader) => ({ number: readNumber(reader), entries: reader.readBulkView() }),
  },
  subscribers: {
    length: 3,
    write: ({ number, counts }) => [String(number), counts],
    read: (reader) => ({ number: readNumber(reader), counts: reader.readBulkView() }),
  },
  "state-sums": {
    length: 4,
    write: ({ at, shares, sums }) => [String(at), String(shares), writeSums(sums)],
    read: readSums,
  },
  "state-keys": {
    length: 9,
    write: (message) => [
      String(message.at),
      String(message.salt),
      message.isAnswer ? "1" : "0",
      ...totalElements(message),
      writeKeys(message.keys),
    ],
    read: (reader) => ({
      at: readNumber(reader),
      salt: readNumber(reader),
      isAnswer: readFlag(reader),
      ...readTotals(reader),
      keys: readKeys(reader),
    }),
  },
  list: {
    length: 5,
    write: (message) => [message.hash, reportingOf(message), message.body, message.signature],
    read: readListMessage,
  },
  "list-request": {
    length: 2,
    write: ({ hash }) => [hash],
    read: (reader) => ({ hash: readFixed(reader, HASH_BYTES) }),
  },
  "earlier-list": {
    length: 3,
    write: ({ body, signature }) => [body, signature],
    read: readListEnvelope,
  },
  decision: {
    length: 2,
    write: ({ message }) => [message],
    read: (reader) => ({ message: reader.readBulkView() }),
  },
};

const isOwnKind = (kind: string): kind is OwnKind => Object.hasOwn(FORMS, kind);

/** Returns the form of a kind. The caller passes it only messages of this kind. */
const formOf = (kind: OwnKind): MessageForm<OwnMessage> => FORMS[kind];

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

  if (!isOwnKind(kind) || FORMS[kind].length !== length)
    throw reader.malformed("expected a message between members");
  const message = { kind, ...formOf(kind).read(reader) };
  reader.expectEnd();
  return message as OwnMessage;
}

/** Returns 0 if the sender does not report, 2 if no date becomes final by its reports, and otherwise 1. */
const reportingOf = ({ isReporting, hasEarlyVote }: ListMessage): string =>
  isReporting ? (hasEarlyVote ? "2" : "1") : "0";

function readProof(reader: RespReader): Omit<ProofMessage, "kind"> {
  const spki = readShort(reader, SPKI_BYTES_MAX);
  const signature = reader.readBulkView();
  const mac = reader.readBulkView();
  if (mac.length !== 0 && mac.length !== HASH_BYTES)
    throw reader.malformed(`expected 0 or ${HASH_BYTES} bytes`);
  return { spki, signature, mac };
}

/** Returns the elements after the kind. */
function statusElements(message: StatusMessage): Element[] {
  const { serial, echo, echoAge, clock, watermark, pruned, latest, state, isSkewed } = message;
  const numbers = [serial, echo, echoAge, clock, watermark, pruned, latest].map(String);
  return [...numbers, state, isSkewed ? "1" : "0", ...totalElements(message)];
}

/** Reads the elements after the kind. @throws MalformedFrame */
function readStatus(reader: RespReader): Omit<StatusMessage, "kind"> {
  const numbers = {
    serial: readNumber(reader),
    echo: readNumber(reader),
    echoAge: readNumber(reader),
    clock: readNumber(reader),
    watermark: readNumber(reader),
    pruned: readNumber(reader),
    latest: readNumber(reader),
  };

  const state = reader.readBulk();
  if (state !== "live" && state !== "catching-up" && state !== "isolated")
    throw reader.malformed("expected a daemon's state");
  const isSkewed = readFlag(reader);
  return { ...numbers, state, isSkewed, ...readTotals(reader) };
}
