/**
 * The envelope of version 2: one or more commands that are signed together. The signature covers the exact bytes of
 * `body`, so the parser reads the verified bytes; nothing is ever serialised again.
 * Source: docs/protocol-v2.md "Envelope"; test/vectors/v2.
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { RespReader, ShortStrings } from "../resp/resp-reader.js";

/** The first element of a body. */
export const MAGIC = "dbsync2";
/** The length of a SHA-256 hash: ids, fingerprints, clusters. */
export const HASH_BYTES = 32;
/** The key of an unsigned envelope, whose signature is empty, and the cluster that it names. */
export const NO_KEY = "\0".repeat(HASH_BYTES);
export const NONCE_BYTES = 16;
export const SEQ_MAX = 0xffff;

type Dated = Pick<EnvelopeHeader, "at" | "seq">;

/** Returns the next date after another one. */
export const dateAfter = ({ at, seq }: Dated) =>
  seq < SEQ_MAX ? { at, seq: seq + 1 } : { at: at + 1, seq: 0 };

/** Whether a date is later than another one. */
export const isLaterDate = (one: Dated, other: Dated): boolean =>
  one.at > other.at || (one.at === other.at && one.seq > other.seq);

/** The length of an entry's order key: at (8) ‖ seq (2) ‖ id (32). */
export const ENTRY_ORDER_KEY_BYTES = 42;
/** The length of a unit's order key: that of its entry ‖ index (4). */
export const UNIT_ORDER_KEY_BYTES = 46;
/** The length of a unit's id: id (32) ‖ index (4). */
export const UNIT_ID_BYTES = 36;
/** The maximum number of commands in an envelope of separate units. Clients limit their batches to it. */
export const COMMANDS_MAX = 4096;
/** The maximum number of units of an envelope with `decide`. */
export const DECIDED_UNITS_MAX = 256;
/** The maximum number of bytes of such an envelope's body: members evaluate all its units in one step. */
export const DECIDED_BYTES_MAX = 1024 * 1024;
/**
 * The maximum number of commands of one unit (`multi`), which every daemon applies in one step. Source:
 * docs/decisions/0065-a-unit-takes-effect-as-a-whole.md.
 */
export const UNIT_COMMANDS_MAX = 100_000;
const IF_KEYS_MAX = 1024;
const DB_MAX = 0x7fffffff;

/** A condition: a key, and the unit that must have changed it last. */
export interface Condition {
  readonly db: number;
  readonly key: ByteString;
  /** The id of the unit; empty if the key must be absent. */
  readonly writer: ByteString;
}

/**
 * The elements that a command removed or chose on the daemon that answered it, such as those that LPOP returned; empty
 * if there were none. The command's row defines the strings.
 */
export type Choice = readonly ByteString[];

/** The fields of a header that identify the signer and the date. */
export interface EnvelopeHead {
  /** SHA-256 of the signer's SubjectPublicKeyInfo; NO_KEY: the envelope is not signed. */
  readonly key: ByteString;
  /** The date by the sender's corrected clock, in milliseconds since 1970. */
  readonly at: number;
  readonly seq: number;
}

/** The header of an envelope; docs/protocol-v2.md lists the fields. Hashes are raw bytes. */
export interface EnvelopeHeader extends EnvelopeHead {
  /** The cluster that the envelope is for; NO_KEY: daemons without keys. */
  readonly cluster: ByteString;
  readonly nonce: ByteString;
  readonly db: number;
  /** Whether the complete envelope is one unit. */
  readonly multi: boolean;
  /**
   * The number of commands of each unit, if some units of the envelope have several commands; otherwise null. Only
   * daemons record them.
   */
  readonly units: readonly number[] | null;
  readonly if: readonly Condition[] | null;
  /**
   * The conditions of units by the indexes of their commands, if the members decide on several units; null if none has
   * conditions.
   */
  readonly ifs: ReadonlyMap<number, readonly Condition[]> | null;
  /** The order key of a write that the daemon must have before it accepts this envelope, or null. */
  readonly after: ByteString | null;
  /** The id of the only daemon that may accept the envelope, or null if any daemon may. */
  readonly only: ByteString | null;
  /** The user on a listener without signatures. */
  readonly as: ByteString | null;
  /** The choices of commands, by their indexes, or null if none is recorded. Only daemons record them. */
  readonly choices: ReadonlyMap<number, Choice> | null;
  /**
   * For each command that would keep the expiry of its key, by its index: the expiry that the key had before it, in
   * milliseconds since 1970. Null if none is recorded. Only daemons record them.
   */
  readonly expiries: ReadonlyMap<number, number> | null;
  /**
   * Whether the members have to decide on the envelope: it takes effect only by a decision. Without `multi`, each of
   * its commands is a unit, on which they decide separately.
   */
  readonly decide: boolean;
}

/** What the members have decided on a unit. `too-much`: they do not run its envelope, which needs too many steps. */
export type DecidedOutcome = "applied" | "unmet" | "too-much";

/** What the members have decided on an envelope. */
export interface Decided {
  /** The number of the decision. */
  readonly slot: number;
  /**
   * The outcome of each unit. An envelope that is only placed has one for all its units, and a decision without an
   * envelope has one, which means nothing.
   */
  readonly outcomes: readonly DecidedOutcome[];
  /** The date that the client has signed; null: there is none. The unit's own date is that of the decision. */
  readonly signed: { readonly at: number; readonly seq: number } | null;
  /** The id of the client's envelope, null: there is none, once it is computed. Only `unitIdOf` uses it. */
  unit?: ByteString | null;
}

export interface Envelope extends EnvelopeHeader {
  readonly commands: readonly (readonly ByteString[])[];
  /** The decision, or null: the envelope's own conditions determine whether it is applied. */
  readonly decided: Decided | null;
}

/** The fields of a new envelope's header. Missing ones have their defaults. */
export type HeaderFields = Pick<EnvelopeHeader, "key" | "cluster" | "at" | "seq" | "nonce"> &
  Partial<EnvelopeHeader>;

/** Returns the envelope that `readBody` would return for the result of `writeBody`, without parsing it. */
export function envelopeOf(header: HeaderFields, commands: Envelope["commands"]): Envelope {
  const { key, cluster, at, seq, nonce, db = 0, multi = false, units = null } = header;
  const named = { after: header.after || null, only: header.only || null, as: header.as || null };
  const { ifs = null, choices = null, expiries = null, decide = false } = header;
  const envelope = unreadEnvelope(commands);
  const fields = {
    key,
    cluster,
    at,
    seq,
    nonce,
    db,
    multi,
    units,
    if: header.if ?? null,
    ifs,
    choices,
    expiries,
    decide,
  };
  return Object.assign(envelope, fields, named);
}

/** The latest expiry that can be recorded; a key may expire later. */
export const EXPIRY_MAX = Number.MAX_SAFE_INTEGER;

/** What a daemon has chosen, and records alongside the commands. */
export type Choices = Pick<EnvelopeHeader, "choices" | "expiries">;

export const NO_CHOICES: Choices = { choices: null, expiries: null };

/**
 * Whether only a daemon's key may sign an envelope: it is signed for a user, contains several units of several
 * commands, or names what a daemon has chosen.
 */
export const needsDaemon = ({ as, units, choices, expiries }: EnvelopeHeader): boolean =>
  as !== null || units !== null || choices !== null || expiries !== null;

/** The commands of a unit within its envelope. */
export interface UnitRange {
  /** The index of its first command, which is also the unit's index. */
  readonly index: number;
  /** The number of its commands. */
  readonly length: number;
}

/** Returns the units of an envelope, in order. A decision that only closes earlier member lists has no unit. */
export function unitsIn({
  multi,
  units,
  if: conditions,
  decided,
  commands: { length },
}: Pick<Envelope, "multi" | "units" | "if" | "decided" | "commands">): readonly UnitRange[] {
  if (decided?.signed === null) return [];
  if (multi || conditions !== null) return [{ index: 0, length }];
  // A loop, because `Array.from` takes ten times as long, and each envelope is split twice.
  const ranges: UnitRange[] = [];
  const count = units?.length ?? length;
  for (let i = 0, index = 0; i < count; i++) {
    const size = units?.[i] ?? 1;
    ranges.push({ index, length: size });
    index += size;
  }
  return ranges;
}

/** Returns the commands of a unit. */
export const commandsIn = (
  { commands }: Pick<Envelope, "commands">,
  { index, length }: UnitRange,
): Envelope["commands"] => (length === commands.length ? commands : commands.slice(index, index + length));

/** Returns the conditions of the unit with an index, or null if it has none. */
export const conditionsOf = (
  { if: conditions, ifs }: Pick<Envelope, "if" | "ifs">,
  index: number,
): readonly Condition[] | null => conditions ?? ifs?.get(index) ?? null;

/**
 * Returns the outcome that the members have decided for the unit with an index. Only units of one command have another
 * index than 0, so that it is also their number.
 */
export const outcomeAt = ({ outcomes }: Decided, index: number): DecidedOutcome =>
  outcomes[index] as DecidedOutcome;

/** Returns the bytes that are signed and hashed for the id: domain, length (8 bytes, big-endian), body. */
export function signedBytes(body: Buffer | ByteString): Buffer {
  const bytes = signedStart(body.length, BODY_START + body.length);
  if (typeof body === "string") bytes.write(body, BODY_START, "latin1");
  else bytes.set(body, BODY_START);
  return bytes;
}

/** Returns `signedBytes` in pieces for hashing, so that a long body is not copied. */
export function signedPieces(body: Buffer): readonly Buffer[] {
  return body.length < WORTH_COPYING ? [signedBytes(body)] : [signedStart(body.length, BODY_START), body];
}

/** Returns the bytes before a body, in a buffer of the given size. */
export function signedStart(bodyLength: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  bytes.set(SIGNED_PREFIX);
  bytes.writeUInt32BE(Math.floor(bodyLength / 2 ** 32), SIGNED_PREFIX.length);
  bytes.writeUInt32BE(bodyLength >>> 0, SIGNED_PREFIX.length + 4);
  return bytes;
}

/** The length below which copying is cheaper than hashing in pieces. */
const WORTH_COPYING = 16 * 1024;

/** Returns the body within the signed bytes, as a view. */
export const bodyOf = (signed: Buffer): Buffer => signed.subarray(BODY_START);

const SIGNED_PREFIX = Buffer.from("dbsync2\0command\0", "latin1");
/** The offset of the body in the signed bytes. */
export const BODY_START = SIGNED_PREFIX.length + 8;

/**
 * Returns the id of the signer's key, the first pair of the header. It is read before the signature is verified.
 * @throws MalformedFrame
 */
export function signerOf(body: Buffer): ByteString {
  const reader = new RespReader(body);
  readStart(reader);
  if (!reader.readIfEqual("key")) throw reader.malformed('expected "key" as the first name of the header');
  const key = reader.readBulkView();
  if (key.length !== HASH_BYTES) throw reader.malformed(`expected ${HASH_BYTES} bytes of key`);
  return bytesOf(key);
}

/** Short strings of recently parsed commands: names, keys, values. */
const recent = /* @__PURE__ */ new ShortStrings();

/**
 * Reads the magic and the length of the header.
 * @returns the numbers of elements of the body and of the header.
 * @throws MalformedFrame
 */
export function readStart(reader: RespReader): { elements: number; names: number } {
  const elements = reader.readArrayHead();
  if (elements < 3) throw reader.malformed("expected a magic, a header and at least one command");
  if (elements - 2 > UNIT_COMMANDS_MAX)
    throw reader.malformed(`expected at most ${UNIT_COMMANDS_MAX} commands`);
  if (!reader.readIfEqual(MAGIC)) throw reader.malformed(`expected "${MAGIC}"`);
  const names = reader.readArrayHead();
  if (names % 2 !== 0 || names > 2 * FIELD_NAMES.length)
    throw reader.malformed("expected pairs of names and values");
  return { elements, names };
}

/**
 * Parses a body whose signature was verified.
 * @throws MalformedFrame  the offset counts from the start of the body
 */
export function readBody(body: Buffer): Envelope {
  const reader = new RespReader(body);
  const { elements, names } = readStart(reader);
  const commands: ByteString[][] = [];
  const envelope = unreadEnvelope(commands);
  let present = 0;

  for (let i = 0; i < names; i += 2) {
    const name = reader.readBulk();
    const field = FIELDS_BY_NAME.get(name);
    if (field === undefined)
      throw reader.malformed(`unknown name in the header: ${JSON.stringify(name.slice(0, 20))}`);
    if ((present & field.bit) !== 0) throw reader.malformed(`"${name}" occurs twice in the header`);
    if ((i === 0) !== (name === "key"))
      throw reader.malformed('expected "key" as the first name of the header');
    present |= field.bit;
    readField(reader, field.name, envelope);
  }
  if ((present & REQUIRED_BITS) !== REQUIRED_BITS) {
    const missing = REQUIRED.find((name) => (present & FIELD_BITS[name]) === 0);
    throw reader.malformed(`"${missing}" is missing from the header`);
  }

  if (!envelope.multi && elements - 2 > COMMANDS_MAX)
    throw reader.malformed(`expected at most ${COMMANDS_MAX} commands without "multi"`);
  for (let i = 2; i < elements; i++) commands.push(reader.readCommand(recent));
  reader.expectEnd();
  if (envelope.if !== null && commands.length > 1 && !envelope.multi)
    throw reader.malformed('"if" is for a single unit: one command, or "multi"');
  if (envelope.ifs !== null && (!envelope.decide || commands.length === 1 || envelope.multi))
    throw reader.malformed('"ifs" is for several units, with "decide" and without "multi"');
  if (envelope.decide && commands.length > DECIDED_UNITS_MAX && !envelope.multi)
    throw reader.malformed(`expected at most ${DECIDED_UNITS_MAX} units with "decide"`);
  if (envelope.units !== null) checkUnits(reader, envelope, envelope.units);

  for (const indexes of [envelope.ifs, envelope.choices, envelope.expiries])
    for (const index of indexes?.keys() ?? [])
      if (index >= commands.length) throw reader.malformed(`there is no command ${index}`);
  return envelope;
}

/** @throws MalformedFrame */
function checkUnits(
  reader: RespReader,
  { multi, if: conditions, decide, commands }: Envelope,
  units: readonly number[],
): void {
  if (multi || conditions !== null)
    throw reader.malformed('"units" is for several units, without "multi" and "if"');
  if (decide) throw reader.malformed('"units" is for units on which the members do not decide');
  const sum = units.reduce((before, length) => before + length, 0);
  if (sum !== commands.length || units.length === 1 || units.length === sum)
    throw reader.malformed('expected in "units" several units of all commands, some with several commands');
}

/** An envelope that is being parsed. */
type Unread = { -readonly [N in keyof Envelope]: Envelope[N] };

/** Returns an empty envelope. All fields are listed so that all envelopes have the same shape in the engine. */
function unreadEnvelope(commands: readonly (readonly ByteString[])[]): Unread {
  return {
    key: "",
    cluster: "",
    at: 0,
    seq: 0,
    nonce: "",
    db: 0,
    multi: false,
    units: null,
    if: null,
    ifs: null,
    after: null,
    only: null,
    as: null,
    choices: null,
    expiries: null,
    decide: false,
    commands,
    decided: null,
  };
}

const REQUIRED: readonly FieldName[] = ["key", "cluster", "at", "seq", "nonce"];

type FieldName = keyof EnvelopeHeader;

/** Reads the value of a name into the envelope. */
function readField(reader: RespReader, name: FieldName, envelope: Unread): void {
  switch (name) {
    case "key":
    case "cluster":
    case "only":
      envelope[name] = readBytes(reader, HASH_BYTES);
      break;
    case "at":
      envelope.at = readNumber(reader, Number.MAX_SAFE_INTEGER);
      break;
    case "seq":
      envelope.seq = readNumber(reader, SEQ_MAX);
      break;
    case "nonce":
      envelope.nonce = readBytes(reader, NONCE_BYTES);
      break;
    case "db":
      envelope.db = readNumber(reader, DB_MAX);
      break;
    case "multi":
      envelope.multi = readFlag(reader);
      break;
    case "units":
      envelope.units = readUnits(reader);
      break;
    case "if":
      envelope.if = readConditions(reader);
      break;
    case "ifs":
      envelope.ifs = readByIndex(reader, readConditions);
      break;
    case "after":
      envelope.after = readBytes(reader, UNIT_ORDER_KEY_BYTES);
      break;
    case "as":
      envelope.as = readUser(reader);
      break;
    case "choices":
      envelope.choices = readByIndex(reader, readChoice);
      break;
    case "expiries":
      envelope.expiries = readByIndex(reader, (value) => readNumber(value, EXPIRY_MAX));
      break;
    case "decide":
      envelope.decide = readFlag(reader);
  }
}

/** A bit for each name, so that one number represents the set of present names. */
const FIELD_BITS: Readonly<Record<FieldName, number>> = {
  key: 1,
  cluster: 2,
  at: 4,
  seq: 8,
  nonce: 16,
  db: 32,
  multi: 64,
  if: 128,
  after: 256,
  only: 512,
  as: 1024,
  choices: 2048,
  expiries: 4096,
  units: 8192,
  decide: 16384,
  ifs: 32768,
};

const FIELD_NAMES = /* @__PURE__ */ Object.keys(FIELD_BITS) as readonly FieldName[];

interface Field {
  readonly name: FieldName;
  readonly bit: number;
}

const FIELDS_BY_NAME: ReadonlyMap<string, Field> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ FIELD_NAMES.map((name) => [name, { name, bit: FIELD_BITS[name] }]),
);

const REQUIRED_BITS = /* @__PURE__ */ REQUIRED.reduce((bits, name) => bits | FIELD_BITS[name], 0);

function readBytes(reader: RespReader, length: number): ByteString {
  const bytes = reader.readBulk();
  if (bytes.length !== length) throw reader.malformed(`expected a value of ${length} bytes`);
  return bytes;
}

function readNumber(reader: RespReader, max: number): number {
  const value = reader.readBulkDecimal();
  if (!(value <= max)) throw reader.malformed(`expected a canonical decimal of at most ${max}`);
  return value;
}

function readFlag(reader: RespReader): boolean {
  if (reader.readBulk() !== "1") throw reader.malformed('expected "1"');
  return true;
}

function readUser(reader: RespReader): ByteString {
  const user = reader.readBulk();
  if (user === "" || user.length > USER_BYTES_MAX)
    throw reader.malformed(`expected 1 to ${USER_BYTES_MAX} bytes`);
  return user;
}

/** The maximum length of a user's name in `as`. */
export const USER_BYTES_MAX = 256;

function readConditions(reader: RespReader): Condition[] {
  const length = reader.readArrayHead();
  if (length === 0 || length % 3 !== 0 || length > 3 * IF_KEYS_MAX) {
    throw reader.malformed(`expected database, key and unit of 1 to ${IF_KEYS_MAX} keys`);
  }

  const conditions: Condition[] = [];
  for (let i = 0; i < length; i += 3) {
    const db = readNumber(reader, DB_MAX);
    const key = reader.readBulk();
    const writer = reader.readBulk();
    if (writer !== "" && writer.length !== UNIT_ID_BYTES)
      throw reader.malformed(`expected ${UNIT_ID_BYTES} bytes, or none`);
    conditions.push({ db, key, writer });
  }
  return conditions;
}

function readUnits(reader: RespReader): readonly number[] {
  const length = reader.readArrayHead();
  if (length < 2 || length > COMMANDS_MAX) throw reader.malformed(`expected 2 to ${COMMANDS_MAX} units`);
  return Array.from({ length }, () => {
    const count = readNumber(reader, COMMANDS_MAX);
    if (count === 0) throw reader.malformed("expected at least one command in each unit");
    return count;
  });
}

/** Reads an array of indexes of commands, in ascending order, and their values. */
function readByIndex<Value>(
  reader: RespReader,
  read: (reader: RespReader) => Value,
): ReadonlyMap<number, Value> {
  const length = reader.readArrayHead();
  if (length === 0 || length % 2 !== 0 || length > 2 * UNIT_COMMANDS_MAX)
    throw reader.malformed(`expected indexes and values of 1 to ${UNIT_COMMANDS_MAX} commands`);

  const values = new Map<number, Value>();
  for (let i = 0, last = -1; i < length; i += 2) {
    const index = readNumber(reader, UNIT_COMMANDS_MAX - 1);
    if (index <= last) throw reader.malformed("expected indexes in ascending order");
    values.set(index, read(reader));
    last = index;
  }
  return values;
}

function readChoice(reader: RespReader): Choice {
  const length = reader.readArrayHead();
  const choice: ByteString[] = [];
  while (choice.length < length) choice.push(reader.readBulk());
  return choice;
}

/** Returns the bytes for hexadecimal digits; undefined if the digits are invalid. */
export function bytesOfHex(hex: string, length: number): ByteString | undefined {
  return hex.length === 2 * length && /^[\da-f]*$/i.test(hex) ? bytesOf(Buffer.from(hex, "hex")) : undefined;
}

export const hexOf = (bytes: ByteString): string => Buffer.from(bytes, "latin1").toString("hex");

/**
 * The maximum number of milliseconds before or after 1970 that a `Date` can represent. An envelope's `at` and dates
 * from members may exceed it.
 */
const DATE_MS_MAX = 8.64e15;

/** Returns a text such as `2027-01-31T12:00:00.000Z`. @param at  any number of milliseconds since 1970 */
export const dateText = (at: number): string =>
  Math.abs(at) <= DATE_MS_MAX ? new Date(at).toISOString() : `${at} ms`;
