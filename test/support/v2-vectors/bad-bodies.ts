/** Malformed bodies with a valid signature. Only the signer can make such errors. */
import { bodyOf, type Pair, pairsFor, signedVector, withPair } from "./body.js";
import { cluster, hexText, NOW, type Resp, raw, resp, vectorKeys } from "./scene.js";
import type { BadVector } from "./vector.js";

const UNIT = hexText(`${"ab".repeat(32)}00000000`);
const LONG_IF = Array.from({ length: 1025 }, (_, index) => ["0", String(index), ""]).flat();

/** The name of each vector, the name and value of a changed or additional header field, and a note. */
const VALUES: readonly (readonly [string, string, Resp, string])[] = [
  ["header-name-unknown", "ttl", "5", "no such name"],
  ["header-name-capitals", "DB", "1", "names must be in lower case"],
  ["header-name-empty", "", "1", "no such name"],
  ["header-name-of-objects", "constructor", "1", "an unknown name that JavaScript objects have"],
  ["cluster-31-bytes", "cluster", "x".repeat(31), "too short"],
  ["cluster-hexadecimal", "cluster", cluster.toString("hex"), "raw bytes are required"],
  ["at-empty", "at", "", "not a number"],
  ["at-text", "at", "now", "not a number"],
  ["at-leading-zero", "at", `0${NOW}`, "not canonical"],
  ["at-plus", "at", `+${NOW}`, "not canonical"],
  ["at-minus", "at", "-1", "before 1970"],
  ["at-fraction", "at", `${NOW}.5`, "whole milliseconds"],
  ["at-exponent", "at", "1.79e12", "not decimal"],
  ["at-blank", "at", ` ${NOW}`, "not canonical"],
  ["at-line-feed", "at", `${NOW}\n`, "not canonical"],
  ["at-too-high", "at", "9007199254740992", "2^53 is one above the maximum"],
  ["at-integer", "at", raw(`:${NOW}\r\n`), "a bulk string is required"],
  ["seq-too-high", "seq", "65536", "one above the maximum"],
  ["seq-leading-zero", "seq", "00", "not canonical"],
  ["nonce-15-bytes", "nonce", "x".repeat(15), "too short"],
  ["nonce-17-bytes", "nonce", "x".repeat(17), "too long"],
  ["nonce-nil", "nonce", raw("$-1\r\n"), "nil is not a bulk string"],
  ["db-minus", "db", "-1", "not the number of a database"],
  ["db-leading-zero", "db", "01", "not canonical"],
  ["db-too-high", "db", "2147483648", "2^31 is one above the maximum"],
  ["multi-zero", "multi", "0", "`multi` is `1` or absent"],
  ["multi-word", "multi", "true", "`multi` is `1` or absent"],
  ["decide-zero", "decide", "0", "`decide` is `1` or absent"],
  ["units-no-array", "units", "1", "an array is required"],
  ["units-of-one", "units", ["1"], "one unit needs no `units`"],
  ["units-too-many", "units", ["1", "1"], "two commands, but the body has one"],
  ["units-zero", "units", ["0", "1"], "every unit has at least one command"],
  ["units-leading-zero", "units", ["01", "1"], "not canonical"],
  ["if-no-array", "if", "0 k", "an array is required"],
  ["if-empty", "if", [], "no key"],
  ["if-of-two", "if", ["0", "k"], "each key needs three elements"],
  ["if-unit-35-bytes", "if", ["0", "k", UNIT.slice(1)], "too short"],
  ["if-unit-id-only", "if", ["0", "k", UNIT.slice(0, 32)], "an envelope's id does not name a unit"],
  ["if-database-text", "if", ["zero", "k", UNIT], "not a number"],
  ["if-too-many", "if", LONG_IF, "1025 keys"],
  ["after-45-bytes", "after", "x".repeat(45), "too short"],
  ["after-unit", "after", UNIT, "a unit's id is not an order key"],
  ["only-31-bytes", "only", "x".repeat(31), "too short"],
  ["as-empty", "as", "", "the name of the user is empty"],
  ["as-257-bytes", "as", "x".repeat(257), "too long"],
];

const TWO: readonly Resp[] = [["PING"], ["PING"]];
const IFS: Pair = ["ifs", ["1", ["0", "k", ""]]];
const DECIDE: Pair = ["decide", "1"];

/** The name of each vector with conditions or lengths of units, its further header fields, its commands, and a note. */
const SEVERAL: readonly (readonly [string, readonly Pair[], readonly Resp[], string])[] = [
  ["ifs-without-decide", [IFS], TWO, "only the members evaluate the conditions of several units"],
  ["ifs-for-one-unit", [["ifs", ["0", ["0", "k", ""]]], DECIDE], [["PING"]], "a single unit has `if`"],
  ["ifs-with-multi", [["multi", "1"], IFS, DECIDE], TWO, "a single unit has `if`"],
  ["ifs-with-if", [["if", ["0", "k", ""]], IFS, DECIDE], TWO, "`if` is for a single unit"],
  ["ifs-empty", [["ifs", []], DECIDE], TWO, "no unit"],
  ["ifs-for-no-unit", [["ifs", ["2", ["0", "k", ""]]], DECIDE], TWO, "there is no command 2"],
  [
    "ifs-descending",
    [["ifs", ["1", ["0", "k", ""], "0", ["0", "k", ""]]], DECIDE],
    TWO,
    "the indexes are in ascending order",
  ],
  ["units-with-decide", [["units", ["1", "2"]], DECIDE], [...TWO, ["PING"]], "each command would be a unit"],
];

/** The name of each vector, its commands, and a note. */
const COMMANDS: readonly (readonly [string, readonly Resp[], string])[] = [
  ["command-empty", [[]], "a command has at least its name"],
  ["command-empty-second", [["PING"], []], "every command has at least its name"],
  ["command-no-array", ["PING"], "a command is an array"],
  ["command-integer", [raw("*2\r\n$4\r\nINCR\r\n:1\r\n")], "arguments are bulk strings"],
  ["command-status", [raw("*1\r\n+PING\r\n")], "arguments are bulk strings"],
  ["command-nil", [raw("*2\r\n$3\r\nGET\r\n$-1\r\n")], "nil is not an argument"],
  ["command-nil-array", [raw("*-1\r\n")], "nil is not a command"],
  ["command-nested", [["EVAL", ["x"]]], "arguments are bulk strings"],
  ["command-count-too-high", [raw("*3\r\n$3\r\nGET\r\n$1\r\nk\r\n")], "an argument is missing"],
  ["command-count-too-low", [raw("*1\r\n$3\r\nGET\r\n$1\r\nk\r\n")], "one argument more than announced"],
  ["command-count-leading-zero", [raw("*01\r\n$4\r\nPING\r\n")], "not canonical"],
  ["command-length-leading-zero", [raw("*1\r\n$04\r\nPING\r\n")], "not canonical"],
  ["command-length-plus", [raw("*1\r\n$+4\r\nPING\r\n")], "not canonical"],
  ["command-length-too-high", [raw("*1\r\n$5\r\nPING\r\n")], "no CR LF where the bulk string should end"],
  ["command-length-huge", [raw("*1\r\n$9999999999\r\nPING\r\n")], "longer than the body"],
  ["command-count-huge", [raw("*9999999999\r\n$4\r\nPING\r\n")], "announced elements need no memory yet"],
  ["command-line-feed-alone", [raw("*1\n$4\nPING\n")], "lines end with CR LF"],
  ["command-inline", [raw("PING\r\n")], "RESP's inline commands are not accepted"],
];

export function badBodies(): BadVector[] {
  const vector = (name: string, body: Buffer, note: string) =>
    signedVector({ name, stage: "body", code: "malformed", note }, body);
  return [
    vector(
      "body-too-many-units",
      bodyOf(pairsFor("body-too-many-units"), Array(4097).fill(["P"])),
      "4097 commands, each of which would be a unit",
    ),
    ...["cluster", "at", "seq", "nonce"].map((missing) => {
      const name = `${missing}-missing`;
      const pairs = pairsFor(name).filter(([each]) => each !== missing);
      return vector(name, bodyOf(pairs), "a required name is missing");
    }),
    ...["key", "at", "nonce"].map((twice) => {
      const name = `${twice}-twice`;
      const pairs = pairsFor(name);
      return vector(
        name,
        bodyOf([...pairs, pairs.find(([each]) => each === twice) as Pair]),
        "a name occurs twice",
      );
    }),
    ...VALUES.map(([name, field, value, note]) =>
      vector(name, bodyOf(withPair(pairsFor(name), field, value)), note),
    ),
    vector(
      "decide-for-257-units",
      bodyOf(withPair(pairsFor("decide-for-257-units"), "decide", "1"), Array(257).fill(["P"])),
      "257 commands, each of which would be a unit",
    ),
    ...SEVERAL.map(([name, pairs, commands, note]) =>
      vector(name, bodyOf([...pairsFor(name), ...pairs], commands), note),
    ),
    vector(
      "if-for-two-units",
      bodyOf(withPair(pairsFor("if-for-two-units"), "if", ["0", "k", ""]), [["PING"], ["PING"]]),
      "two commands without `multi` are two units",
    ),
    ...COMMANDS.map(([name, commands, note]) => vector(name, bodyOf(pairsFor(name), commands), note)),
    vector(
      "body-bytes-behind",
      Buffer.concat([bodyOf(pairsFor("behind")), raw("\r\n")]),
      "nothing may follow the array",
    ),
    vector("body-cut", bodyOf(pairsFor("cut")).subarray(0, -1), "the last byte is missing"),
    vector(
      "body-count-too-high",
      raw(
        resp(["dbsync2", pairsFor("count").flat(), ["PING"]])
          .toString("latin1")
          .replace("*3", "*4"),
      ),
      "a command is missing",
    ),
    vector(
      "key-only",
      resp(["dbsync2", ["key", hexText(vectorKeys.ed25519.id)], ["PING"]]),
      "all other names are missing",
    ),
  ];
}
