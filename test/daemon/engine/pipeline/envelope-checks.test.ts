/** Tests which commands a daemon refuses because of their header, before it checks their signature. */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkEnvelope, checkSigned } from "../../../../daemon/engine/pipeline/envelope-checks.js";
import type { Signers } from "../../../../daemon/engine/trust/signers.js";
import { type EnvelopeHeader, readBody } from "../../../../protocol/version-2/envelope.js";
import { double } from "../../../support/double.js";
import { makeKeyPair, signCommands } from "../../../support/envelope-client.js";

const signers = double<Signers>({});

for (const [isSigned, admission, code] of [
  [false, { signers: null, acceptsUnsigned: true }, null],
  [false, { signers: null, acceptsUnsigned: false }, "login-required"],
  [true, { signers: null, acceptsUnsigned: true }, "not-due"],
  [false, { signers, acceptsUnsigned: true }, "unsigned"],
  [true, { signers, acceptsUnsigned: false }, null],
] as const) {
  const command = isSigned ? "signed" : "unsigned";
  const keys = admission.signers === null ? "no keys" : "keys";
  const users = admission.acceptsUnsigned ? "open" : "closed";
  test(`${command} commands, a daemon with ${keys} and ${users} users: ${code ?? "accepted"}`, () => {
    assert.equal(checkSigned(isSigned, admission, "command")?.code ?? null, code);
  });
}

const CLUSTER = "c".repeat(32);
const AUDIENCE = {
  cluster: CLUSTER,
  daemon: "d".repeat(32),
  databases: 16,
  takesConditions: true,
  decides: true,
};
const application = makeKeyPair();

/** Returns the refusal of an envelope on which the members have to decide; null if it may be decided. */
function refusalOf(
  lines: readonly string[],
  header: Partial<EnvelopeHeader> = {},
  audience: Partial<typeof AUDIENCE> = {},
): string | null {
  const argvs = lines.map((line) => line.split(" "));
  const { body } = signCommands(application, argvs, { cluster: CLUSTER, decide: true, ...header });
  const refusal = checkEnvelope(readBody(body), body.length, "application", { ...AUDIENCE, ...audience });
  return refusal && `${refusal.code}: ${refusal.detail}`;
}

test("only writes of a bounded cost, the same in each release, are decided together with other units", () => {
  const linear = "SET k v NX";
  for (const line of [
    "GET k",
    "EVAL x 0",
    "SPOP s",
    "SORT l STORE m",
    "SINTERSTORE a b c",
    "KEYS *",
    "TIME",
    "FLUSHALL",
    "XADD s * f v",
    "NOSUCHCOMMAND k",
  ]) {
    const name = JSON.stringify(line.split(" ")[0]);
    const refusal = `malformed: ${name} among several units with "decide"`;
    assert.equal(refusalOf([line, linear]), refusal);
    assert.equal(refusalOf([linear, linear, line.toLowerCase()]), refusal);
    assert.equal(refusalOf([line]), null, "alone");
    assert.equal(refusalOf([linear, line], { multi: true }), null, "as one unit");
    assert.equal(refusalOf([linear, line], { decide: false }), null, "without a decision");
  }

  assert.equal(refusalOf(["KEY LIST", linear]), "malformed: a decision is requested on keys");
  const name = `${"X".repeat(19)}…`;
  assert.doesNotMatch(refusalOf([`PUBLISH ${name} y`, linear]) ?? "", /…/);
});

test("one wrong command does not prevent the decisions on the other units of its envelope", () => {
  for (const line of ["SET k", "INCRBY k x", "SET k v NX XX", "HSETNX h f"])
    assert.equal(refusalOf(["SET k v NX", line]), null, line);
});

test("members decide on at most 1 MiB of several units of an envelope", () => {
  const value = (length: number) => `SET k ${"v".repeat(length)}`;
  const { length } = signCommands(application, [["SET", "l", "v"], value(1_000_000).split(" ")], {
    cluster: CLUSTER,
    decide: true,
    at: Date.now(),
  }).body;
  const longest = 1_000_000 + 1_048_576 - length;
  assert.equal(refusalOf(["SET l v", value(longest)]), null);
  assert.equal(
    refusalOf(["SET l v", value(longest + 1)]),
    'malformed: 1048577 bytes of several units with "decide", more than 1048576',
  );
  assert.equal(refusalOf([value(2_000_000)]), null, "alone");
  assert.equal(refusalOf(["SET l v", value(2_000_000)], { multi: true }), null, "as one unit");
});

test("the conditions of each unit name a database that exists", () => {
  const ifs = (db: number, index = 0) => new Map([[index, [{ db, key: "k", writer: "" }]]]);
  const sets = ["SET k v", "SET l v"];
  assert.equal(refusalOf(sets, { ifs: ifs(15) }), null);
  for (const index of [0, 1])
    assert.equal(refusalOf(sets, { ifs: ifs(16, index) }), "wrong-db: database 16 in a condition");
  assert.equal(refusalOf(sets, { ifs: ifs(0) }, { takesConditions: false }), "if-not-carried: 1 conditions");
  assert.equal(refusalOf(sets, {}, { takesConditions: false }), null);
});
