/** Tests CLUSTER DECIDE, DECIDED and UNDECIDE: their arguments, limits and rights. Source: docs/decisions/0081. */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { canonicalRing } from "../../../../daemon/store/canonical-state.js";
import { namedPattern } from "../../../../daemon/store/commands/key-ring-commands.js";
import { KeyRing } from "../../../../daemon/store/key-ring.js";
import type { KeyRecord } from "../../../../daemon/store/rights/key-record.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { shown } from "../../../conformance/resp2-fold.js";

const AT = 1_790_000_000_000;
const hash = (bytes: ByteString) => bytesOf(createHash("sha256").update(bytes, "latin1").digest());
const newSpki = () =>
  bytesOf(generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" }));

/** Returns a key ring, and a function that runs a line with one of its keys as a unit that was decided, or was not. */
function fixture({ hasRoot = true } = {}) {
  const ring = new KeyRing({ hash });
  const keys = {
    application: ring.addGenesis("application", newSpki(), "app"),
    daemon: ring.addGenesis("daemon", newSpki()),
    root: hasRoot ? ring.addGenesis("root", newSpki()) : null,
  };
  const run = (line: string, { by = keys.root ?? keys.daemon, at = AT, isDecided = true } = {}): string => {
    const argv = line.split(" ");
    const denial = ring.judge(by as KeyRecord, [argv], { conditions: null });
    return shown(denial ?? ring.execute(argv, { at, db: 0, id: "unit", isDecided }, by as KeyRecord));
  };
  return { ring, keys, run };
}

const OK = '+"OK"';

test("a pattern is announced, begins and is removed", () => {
  const { ring, run } = fixture();
  assert.equal(run("CLUSTER DECIDE d:*"), OK);
  assert.deepEqual(ring.patterns.all, [{ glob: "d:*", db: null, announcedAt: AT, isBegun: false }]);
  assert.equal(run("cluster decided d:*", { at: AT + 9 }), OK);
  assert.deepEqual(ring.patterns.all, [{ glob: "d:*", db: null, announcedAt: AT, isBegun: true }]);
  assert.equal(run("CLUSTER UNDECIDE d:*"), OK);
  assert.deepEqual(ring.patterns.all, []);
});

test("to announce a pattern again, or to begin it again, changes nothing", () => {
  const { ring, run } = fixture();
  run("CLUSTER DECIDE d:* DB 3");
  assert.equal(run("CLUSTER DECIDE d:* db 3 PAIR", { at: AT + 9 }), OK);
  run("CLUSTER DECIDED d:* DB 3");
  const { changes } = ring;
  for (const line of ["CLUSTER DECIDE d:* DB 3", "CLUSTER DECIDED d:* DB 3"]) assert.equal(run(line), OK);
  assert.deepEqual(ring.patterns.all, [{ glob: "d:*", db: 3, announcedAt: AT, isBegun: true }]);
  assert.equal(ring.changes, changes);
});

test("a pattern is known by its text and its database", () => {
  const { ring, run } = fixture();
  for (const line of ["CLUSTER DECIDE d:*", "CLUSTER DECIDE d:* DB 0", "CLUSTER DECIDE d:* DB 15"]) run(line);
  assert.match(run("CLUSTER DECIDED d:* DB 1"), /^-"ERR 'd:\*' was not announced/);
  assert.match(run("CLUSTER UNDECIDE e:*"), /^-"ERR the members do not decide on 'e:\*'/);
  run("CLUSTER UNDECIDE d:* DB 0");
  assert.deepEqual(
    ring.patterns.all.map(({ db }) => db),
    [null, 15],
  );
});

test("arguments that are not valid are errors, and change nothing", () => {
  const { ring, run } = fixture();
  const before = canonicalRing(ring);
  for (const rest of [
    "d:* DB",
    "d:* DB x",
    "d:* DB -1",
    "d:* DB 01",
    "d:* DB 1 DB 1",
    "d:* PAIR PAIR",
    "d:* MORE",
  ])
    for (const name of ["DECIDE", "DECIDED", "UNDECIDE"])
      assert.match(run(`CLUSTER ${name} ${rest}`), /^-"ERR syntax error/, `${name} ${rest}`);

  assert.match(run("CLUSTER DECIDE "), /1 to 256/);
  assert.match(run(`CLUSTER DECIDE ${"x".repeat(257)}`), /257 bytes instead of 1 to 256/);
  assert.match(run("CLUSTER DECIDE"), /wrong number of arguments/);
  assert.deepEqual(canonicalRing(ring), before);

  assert.equal(run(`CLUSTER DECIDE ${"x".repeat(256)}`), OK);
  assert.equal(namedPattern(["CLUSTER", "DECIDE", "d:*", "DB"]), null);
  assert.deepEqual(namedPattern(["CLUSTER", "DECIDE", "d:*", "pair"]), {
    glob: "d:*",
    db: null,
    isForPair: true,
  });
});

test("there are at most 64 patterns", () => {
  const { run } = fixture();
  for (let i = 0; i < 64; i++) assert.equal(run(`CLUSTER DECIDE d:${i}`), OK);
  assert.match(run("CLUSTER DECIDE d:64"), /there are 64 patterns already/);
  assert.equal(run("CLUSTER DECIDE d:0"), OK);
  assert.equal(run("CLUSTER UNDECIDE d:0"), OK);
  assert.equal(run("CLUSTER DECIDE d:64"), OK);
});

test("a unit on which the members have not decided changes no pattern", () => {
  const { ring, run } = fixture();
  assert.match(run("CLUSTER DECIDE d:*", { isDecided: false }), /request a decision/);
  run("CLUSTER DECIDE d:*");
  const before = canonicalRing(ring);
  for (const line of ["CLUSTER DECIDED d:*", "CLUSTER UNDECIDE d:*"])
    assert.match(run(line, { isDecided: false }), /request a decision/);
  assert.deepEqual(canonicalRing(ring), before);
});

test("administrators order patterns, and daemons declare that they begin", () => {
  const { keys, run } = fixture();
  const { application, daemon } = keys;
  for (const by of [application, daemon]) assert.match(run("CLUSTER DECIDE d:*", { by }), /^-"NOPERM/);
  run("CLUSTER DECIDE d:*");
  assert.match(run("CLUSTER DECIDED d:*", { by: application }), /^-"NOPERM/);
  assert.equal(run("CLUSTER DECIDED d:*", { by: daemon }), OK);
  for (const by of [application, daemon]) assert.match(run("CLUSTER UNDECIDE d:*", { by }), /^-"NOPERM/);
});

test("a daemon's own key orders patterns if there is no administrator, and nothing else", () => {
  const { keys, ring, run } = fixture({ hasRoot: false });
  const { application, daemon } = keys;
  for (const line of ["CLUSTER DECIDE d:*", "CLUSTER DECIDED d:*", "CLUSTER UNDECIDE d:*"]) {
    assert.match(run(line, { by: application }), /^-"NOPERM/);
    assert.equal(run(line, { by: daemon }), OK);
  }
  for (const line of ["CLUSTER SEMANTICS 2", "KEY LIST"])
    assert.match(run(line, { by: daemon }), /^-"NOPERM/);
  const both = ["CLUSTER DECIDE d:*", "KEY LIST"].map((line) => line.split(" "));
  assert.match(ring.judge(daemon, both, { conditions: null })?.text ?? "", /^NOPERM/);
  // Rights that an administrator has had do not remain with daemons.
  ring.addGenesis("root", newSpki());
  assert.match(run("CLUSTER DECIDE d:*", { by: daemon }), /^-"NOPERM/);
});
