/**
 * Tests the key ring in the fold: permissions as of a unit's position, in any order of arrival, and what a late change
 * redoes.
 */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { entry, hexId, key, pem, ROOT, Subject } from "../support/fold-subject.js";

const subjects: Subject[] = [];

function newSubject(options?: { hasRoots: boolean }): Subject {
  const subject = new Subject(options);
  subjects.push(subject);
  return subject;
}

afterEach(() => {
  for (const { states } of subjects.splice(0)) assert.deepEqual(...states);
});

const byRoot = { key: key(ROOT) };
const add = (name: string, at: number, number: number, ...rules: string[]) =>
  entry(name, at, [["KEY", "ADD", pem(number), ...(rules.length > 0 ? ["RULES", ...rules] : [])]], byRoot);
const revoke = (name: string, at: number, number: number) =>
  entry(name, at, [["KEY", "REVOKE", hexId(number)]], byRoot);

test("a unit is judged by the ring as of its position", () => {
  const subject = newSubject();
  const by = { key: key(3) };
  const outcomes = subject
    .merge(
      entry("a", 1, ["SET a 1"], by),
      add("b", 2, 3),
      entry("c", 3, ["SET c 1"], by),
      revoke("d", 4, 3),
      entry("e", 5, ["SET e 1"], by),
    )
    .map(({ outcome }) => outcome);
  assert.deepEqual(outcomes, ["denied", "applied", "applied", "applied", "denied"]);
  assert.equal(subject.ask("EXISTS a c e"), ":1");
});

test("a late revocation undoes only the later units that the revoked key signed", () => {
  const subject = newSubject();
  const by = { key: key(3) };
  subject.merge(add("a", 1, 3), entry("b", 2, ["SET b 1"], by), entry("d", 4, ["SET d 1"], by));
  subject.merge(entry("e", 5, ["INCR d"]), entry("f", 6, ["SET f 1"]));
  subject.merge(revoke("c", 3, 3));
  assert.equal(subject.ask("MGET b d f"), '["1" "1" "1"]');
  assert.equal(subject.fold.redone, 2);
});

test("a change of rights redoes only the units whose verdict changes, not all units of the signer", () => {
  const subject = newSubject();
  const by = { key: key(3) };
  subject.merge(add("a", 1, 3), entry("c", 3, ["SET x:1 1"], by), entry("d", 4, ["SET y 1"], by));
  subject.merge(entry("b", 2, [["KEY", "RULES", hexId(3), "+@all", "-@admin", "~x:*"]], byRoot));
  assert.equal(subject.ask("MGET x:1 y"), '["1" nil]');
  assert.equal(subject.fold.redone, 1);
});

test("an administrator's right counts as of the position of the command", () => {
  const subject = newSubject();
  const delegate = { key: key(3) };
  subject.merge(
    add("a", 1, 3, "+@all", "~*"),
    entry("c", 3, [["KEY", "ADD", pem(4)]], delegate),
    entry("d", 4, ["SET d 1"], { key: key(4) }),
  );
  assert.equal(subject.ask("GET d"), '"1"');
  subject.merge(revoke("b", 2, 3));
  assert.equal(subject.ask("GET d"), "nil");
  assert.equal(subject.fold.ring.find(key(4)), undefined);
});

test("a key keeps its rights after the key that granted them is revoked", () => {
  const subject = newSubject();
  const delegate = { key: key(3) };
  subject.merge(
    add("a", 1, 3, "+@all", "~*"),
    entry("b", 2, [["KEY", "ADD", pem(4)]], delegate),
    revoke("c", 3, 3),
  );
  assert.equal(subject.merge(entry("d", 4, ["SET d 1"], { key: key(4) }))[0]?.outcome, "applied");
});

test("a unit of several commands is judged by the key ring before the unit", () => {
  const subject = newSubject();
  const both = [
    ["KEY", "REVOKE", hexId(ROOT)],
    ["KEY", "ADD", pem(3)],
  ];
  const [together] = subject.merge(entry("a", 1, both, { ...byRoot, multi: true }));
  assert.equal(together?.outcome, "applied");
  const [, alone] = newSubject().merge(entry("a", 1, both, byRoot));
  assert.equal(alone?.outcome, "denied");
});

test("KEY is accepted only without other commands and without conditions", () => {
  const subject = newSubject();
  const condition = { if: [{ db: 0, key: "a", writer: "" }] };
  const outcomes = subject.merge(
    entry("a", 1, [["KEY", "ADD", pem(3)], "SET a 1"], { ...byRoot, multi: true }),
    entry("b", 2, [["KEY", "ADD", pem(3)]], { ...byRoot, ...condition }),
  );
  for (const { outcome } of outcomes) assert.equal(outcome, "malformed");
  assert.equal(subject.ask("EXISTS a"), ":0");
  assert.equal(subject.fold.tailUnits, 0);
});

test("CLUSTER ADD by an administrator adds a daemon's key", () => {
  const subject = newSubject();
  const [answer] = subject.merge(entry("a", 1, [["CLUSTER", "ADD", pem(3), "LABEL", "third"]], byRoot));
  assert.deepEqual(answer?.reply, { kind: "bulk", bytes: hexId(3) });
  const record = subject.fold.ring.find(key(3));
  assert.deepEqual([record?.role, record?.label], ["daemon", "third"]);
  const own = subject.merge(entry("b", 2, [["CLUSTER", "ADD", pem(4)]], { key: key(4) }));
  assert.equal(own[0]?.outcome, "denied");
});

test("CLUSTER ADD may be signed by the key that it adds if there is no administrator", () => {
  const subject = newSubject({ hasRoots: false });
  const introduction = (name: string, at: number, number: number, by: number) =>
    entry(name, at, [["CLUSTER", "ADD", pem(number)]], { key: key(by) });
  const outcomes = subject
    .merge(
      introduction("a", 1, 3, 3),
      introduction("b", 2, 3, 3),
      introduction("c", 3, 4, 3),
      introduction("d", 4, 4, 5),
      entry("e", 5, ["SET e 1"], { key: key(3) }),
      entry("f", 6, [["KEY", "ADD", pem(6)]], { key: key(3) }),
    )
    .map(({ outcome }) => outcome);
  assert.deepEqual(outcomes, ["applied", "applied", "denied", "denied", "applied", "denied"]);
  assert.equal(subject.fold.ring.find(key(3))?.role, "daemon");
});

test("a late CLUSTER ADD authorizes entries that the added key has already signed", () => {
  const subject = newSubject({ hasRoots: false });
  assert.equal(subject.merge(entry("b", 2, ["SET b 1"], { key: key(3) }))[0]?.outcome, "denied");
  subject.merge(entry("a", 1, [["CLUSTER", "ADD", pem(3)]], { key: key(3) }));
  assert.equal(subject.ask("GET b"), '"1"');
  assert.equal(subject.fold.redone, 1);
});

test("a late change of the ring that would redo too much changes nothing", () => {
  const subject = newSubject();
  subject.merge(add("a", 1, 3), entry("c", 3, ["SET c 1"], { key: key(3) }));
  assert.equal(subject.fold.mergeWithin(0, [revoke("b", 2, 3)]), null);
  assert.equal(subject.fold.ring.find(key(3))?.revokedAt, null);
  assert.equal(subject.ask("GET c"), '"1"');
});
