/** Calls of the commands on bits of strings. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

/** The offset of a bit to write: one that Redis rejects, or one in the first bytes, so that values stay small. */
const writeOffset = (g: Generator): ByteString =>
  g.chance(0.93)
    ? String(g.random.below(g.oneOf(16, 80, 700)))
    : g.oneOf("4294967296", "4294967295000", "9223372036854775807", "-1", "abc", "01", "", "+1", "1.0");

/** The offset of a bit to read: any offset that a string may have. */
const readOffset = (g: Generator): ByteString =>
  g.chance(0.9) ? writeOffset(g) : g.oneOf("4294960000", "2147483648", g.integer());

const bit = (g: Generator): ByteString => (g.chance(0.95) ? g.oneOf("0", "1") : g.integer());

/** An end of a range, in bytes or bits. */
const end = (g: Generator): ByteString =>
  g.chance(0.85)
    ? String(g.random.between(-30, 60))
    : g.oneOf(String(g.random.between(-400, 400)), g.integer());

const unit = (g: Generator): ByteString =>
  g.caseOf(g.oneOf("BYTE", "BIT", "BIT", g.chance(0.1) ? "BITS" : "BIT"));

const type = (g: Generator): ByteString =>
  g.chance(0.95)
    ? g.oneOf("u", "i") +
      g.oneOf(...["1", "2", "5", "7", "8", "9", "16", "31", "32", "33", "53", "54", "62", "63"])
    : g.oneOf("i64", "i64", "u64", "i65", "u0", "i-1", "8", "", "u", "I8", "u08", "u8\0x", "i8 ");

/** A field's offset, in bits or, after `#`, in fields. */
const fieldOffset = (g: Generator): ByteString =>
  g.chance(0.35)
    ? `#${g.chance(0.9) ? String(g.random.below(12)) : g.oneOf("-1", "", "288230376151711744", "9223372036854775807", "01")}`
    : writeOffset(g);

const operand = (g: Generator): ByteString =>
  g.chance(0.6)
    ? g.integer()
    : g.oneOf(
        "127",
        "128",
        "-128",
        "-129",
        "255",
        "256",
        "65535",
        "4611686018427387904",
        "9223372036854775807",
      );

const get = (g: Generator): ByteString[] => [
  g.caseOf("GET"),
  g.chance(0.2) ? "i64" : type(g),
  fieldOffset(g),
];

const operation = (g: Generator): ByteString[] => {
  const kind = g.random.below(20);
  if (kind < 6) return get(g);
  if (kind < 11)
    return [g.caseOf("OVERFLOW"), g.caseOf(g.oneOf("WRAP", "SAT", "FAIL", g.chance(0.1) ? "NONE" : "SAT"))];
  if (kind === 11 && g.chance(0.2)) return [g.oneOf("DECRBY", "GET", "SET", "")];
  return [g.caseOf(g.oneOf("SET", "INCRBY")), g.chance(0.2) ? "i64" : type(g), fieldOffset(g), operand(g)];
};

export const grammar: FamilyGrammar = {
  BITCOUNT: (g) => [
    g.key(),
    ...g.maybe(0.85, end(g), ...g.maybe(0.97, end(g), ...g.maybe(0.6, unit(g), ...g.maybe(0.02, "BIT")))),
  ],
  BITFIELD: (g) => [g.key(), ...g.some(() => operation(g), 0, 5)],
  BITFIELD_RO: (g) => [g.key(), ...g.some(() => (g.chance(0.95) ? get(g) : operation(g)), 0, 4)],
  BITOP: (g) => [
    ...(g.chance(0.25)
      ? [g.caseOf("NOT"), g.key(), ...g.keys(1, g.chance(0.9) ? 1 : 2)]
      : [g.caseOf(g.oneOf("AND", "OR", "XOR", g.chance(0.05) ? "NAND" : "OR")), g.key(), ...g.keys(1, 4)]),
  ],
  BITPOS: (g) => [
    g.key(),
    bit(g),
    ...g.maybe(0.7, end(g), ...g.maybe(0.7, end(g), ...g.maybe(0.6, unit(g), ...g.maybe(0.02, "BIT")))),
  ],
  GETBIT: (g) => [g.key(), readOffset(g)],
  SETBIT: (g) => [g.key(), writeOffset(g), bit(g)],
};
