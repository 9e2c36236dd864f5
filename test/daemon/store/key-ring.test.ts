/** Tests the key ring: its keys, their permissions, and how administrators change it. */
import "../../support/installed-families.js";
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { isKeyCommand, KeyRing } from "../../../daemon/store/key-ring.js";
import type { KeyRecord } from "../../../daemon/store/rights/key-record.js";
import { pemOfSpki } from "../../../daemon/store/rights/spki.js";
import { type ByteString, bytesOf, bytesOfText } from "../../../protocol/byte-string.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { shown } from "../../conformance/resp2-fold.js";
import { skipUnlessFull } from "../../support/amount.js";

const hash = (bytes: ByteString) => bytesOf(createHash("sha256").update(bytes, "latin1").digest());
const newSpki = () =>
  bytesOf(generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" }));

const AT = 1_790_000_000_000;

/** A ring with an application's and an administrator's key, and methods that use them. */
class Subject {
  readonly ring = new KeyRing({ hash });
  readonly application = this.ring.addGenesis("application", newSpki(), "app");
  readonly root = this.ring.addGenesis("root", newSpki());
  readonly spki = newSpki();
  readonly id = hexOf(hash(this.spki));
  at = AT;

  /** Runs a KEY command with the administrator's key if it is permitted, and returns the reply as text. */
  run(...argv: ByteString[]): string {
    return this.runBy(this.root, ...argv);
  }

  runBy(signer: KeyRecord, ...argv: ByteString[]): string {
    const denial = this.ring.judge(signer, [argv], { conditions: null });
    return shown(denial ?? this.ring.execute(argv, { at: this.at, db: 0, id: "unit" }, signer));
  }

  /** Adds the test's own key. */
  add(...options: ByteString[]): string {
    return this.run("KEY", "ADD", pemOfSpki(this.spki), ...options);
  }

  get added(): KeyRecord {
    const record = this.ring.find(hash(this.spki));
    assert.ok(record !== undefined);
    return record;
  }

  /** Returns why a key may not run the lines as one unit, or null if it may. */
  denial(record: KeyRecord, ...lines: string[]): string | null {
    const unit = lines.map((line) => line.split(" "));
    return this.ring.judge(record, unit, { conditions: null })?.text ?? null;
  }
}

test("a genesis key has the rights of its role", () => {
  const { ring, application, root } = new Subject();
  const daemon = ring.addGenesis("daemon", newSpki());
  const may = (record: KeyRecord, ...argv: string[]) =>
    ring.judge(record, [argv], { conditions: null }) === null;
  for (const record of [application, root, daemon]) assert.ok(may(record, "FLUSHALL"));
  assert.deepEqual(
    [application, root, daemon].map((record) => may(record, "KEY", "LIST")),
    [false, true, false],
  );
  assert.deepEqual([...ring.all()], [application, root, daemon]);
  assert.equal(ring.find(root.id), root);
  assert.equal(application.label, "app");
});

test("a genesis key is accepted once, in one role", () => {
  const { ring, application } = new Subject();
  assert.equal(ring.addGenesis("application", application.spki), application);
  assert.throws(() => ring.addGenesis("root", application.spki), /application and root/);
  assert.throws(() => ring.addGenesis("root", "nonsense"), /not a usable public key/);
});

test("KEY ADD adds a key with the rights of an application", () => {
  const subject = new Subject();
  assert.equal(subject.add(), `"${subject.id}"`);
  const { added } = subject;
  assert.equal(subject.denial(added, "SET k v"), null);
  assert.match(
    subject.denial(added, "KEY LIST") ?? "",
    /^NOPERM this key may not run 'key list': rule -@admin/,
  );
  assert.deepEqual(
    [added.role, added.algorithm, added.rate, added.version, added.addedBy],
    ["application", "ed25519", 0, 1, subject.root.id],
  );
});

test("KEY ADD accepts a label, dates, a rate and rules", () => {
  const subject = new Subject();
  const [from, until] = [String(AT + 10), String(AT + 20)];
  subject.add(
    "LABEL",
    "r\xc3\xa9sum\xc3\xa9",
    "FROM",
    from,
    "until",
    until,
    "RATE",
    "5",
    "RULES",
    "+get",
    "~a:*",
  );

  const { added, ring } = subject;
  assert.deepEqual([added.label, added.rate, added.rules], ["r\xc3\xa9sum\xc3\xa9", 5, ["+get", "~a:*"]]);
  assert.deepEqual(
    [9, 10, 20, 21].map((later) => ring.validity(added, AT + later)),
    ["not-yet-valid", "valid", "valid", "expired"],
  );
  assert.equal(subject.denial(added, "GET a:1"), null);
  assert.match(subject.denial(added, "GET b") ?? "", /^NOPERM .* read key 'b'/);
});

test("KEY ADD of an identical key changes nothing; with other properties it is an error", () => {
  const subject = new Subject();
  subject.add("RATE", "5", "RULES", "+get");
  const { added } = subject;
  const base64 = Buffer.from(subject.spki, "latin1").toString("base64");
  assert.equal(subject.run("KEY", "ADD", base64, "RATE", "5", "RULES", "+get"), `"${subject.id}"`);
  assert.equal(subject.added, added);
  assert.match(subject.add("RATE", "6", "RULES", "+get"), /this key exists with other/);
});

test("KEY ADD reports what is wrong with its arguments", () => {
  const subject = new Subject();
  const cases: readonly [readonly string[], RegExp][] = [
    [["FROM", "yesterday"], /FROM is 'yesterday' instead of milliseconds since 1970/],
    [["FROM", "007"], /FROM is '007'/],
    [["RATE", "-1"], /RATE is '-1' instead of a number of envelopes a second/],
    [["RATE", "1000001"], /at most 1000000/],
    [["FROM", "2", "UNTIL", "1"], /UNTIL is before FROM/],
    [["LABEL"], /LABEL is not followed by its value/],
    [["LABEL", "a", "LABEL", "b"], /syntax error/],
    [["LABEL", "a".repeat(129)], /label has 129 bytes, more than 128/],
    [["LABEL", "a\nb"], /control characters/],
    [["LABEL", bytesOfText("\u009b2J")], /control characters/],
    [["LABEL", bytesOfText("\u202egnp.exe")], /change the direction of text/],
    [["RULES"], /syntax error/],
    [["RULES", "+nonsense"], /there is no such command/],
    [["COLOUR", "red"], /syntax error/],
  ];

  for (const [options, reason] of cases) assert.match(subject.add(...options), reason, options.join(" "));
  assert.match(subject.run("KEY", "ADD", "no key"), /neither PEM nor base64/);
  assert.match(subject.run("KEY", "ADD"), /wrong number of arguments for 'key\|add'/);
  assert.match(subject.run("KEY", "SING"), /unknown subcommand/);
  assert.match(subject.run("KEY"), /wrong number of arguments for 'key'/);
  assert.equal([...subject.ring.all()].length, 2);
});

test("KEY RULES replaces all rules", () => {
  const subject = new Subject();
  subject.add();
  assert.equal(subject.run("KEY", "RULES", subject.id, "+@read", "~*"), '+"OK"');
  assert.deepEqual([subject.added.rules, subject.added.version], [["+@read", "~*"], 2]);
  assert.match(subject.denial(subject.added, "SET k v") ?? "", /no rule allows it/);
  subject.run("KEY", "RULES", subject.id.toUpperCase(), "+@read ~*");
  assert.equal(subject.added.version, 2, "repeating the same rules changes nothing");
  assert.match(subject.run("KEY", "RULES", subject.id, "+nonsense"), /no such command/);
  assert.match(subject.run("KEY", "RULES", "00", "+get"), /'00' is not a key id, which has 64 hexadecimal/);
  assert.match(subject.run("KEY", "RULES", "00".repeat(32), "+get"), /there is no key 0000/);
});

test("a revoked key remains in the list and cannot be added again", () => {
  const subject = new Subject();
  subject.add();
  assert.equal(subject.run("KEY", "REVOKE", subject.id), '+"OK"');
  const { added, ring } = subject;
  assert.equal(added.revokedAt, AT);
  assert.equal(ring.validity(added, AT - 1000), "revoked", "the date of an envelope has no effect");
  subject.at = AT + 5;
  assert.equal(subject.run("KEY", "REVOKE", subject.id), '+"OK"');
  assert.equal(subject.added, added, "the first revocation counts");
  assert.match(subject.add(), /a revoked key cannot be added again/);
  assert.match(subject.run("KEY", "RULES", subject.id, "+get"), /was revoked/);
  assert.match(subject.run("KEY", "LIST"), new RegExp(`"${subject.id}".*"revoked"`));
});

test("the last key that may administer cannot be revoked", () => {
  const subject = new Subject();
  const root = hexOf(subject.root.id);
  assert.match(subject.run("KEY", "REVOKE", root), /last key that may run KEY ADD, RULES and REVOKE/);
  assert.match(subject.run("KEY", "RULES", root, "+@all -@admin ~*"), /last key/);
  subject.add("UNTIL", String(AT + 1000), "RULES", "+@all", "~*");
  assert.match(subject.run("KEY", "REVOKE", root), /last key/, "a key with an end date does not count");
  assert.match(subject.run("KEY", "REVOKE", hexOf(subject.application.id)), /OK/);

  const later = new Subject();
  later.add("FROM", String(AT + 1000), "RULES", "+@all", "~*");
  assert.match(
    later.run("KEY", "REVOKE", hexOf(later.root.id)),
    /last key/,
    "a key that is not valid yet does not count",
  );

  const other = new Subject();
  other.add("RULES", "+key");
  assert.equal(other.run("KEY", "REVOKE", hexOf(other.root.id)), '+"OK"');
  assert.match(other.runBy(other.added, "KEY", "REVOKE", other.id), /last key/);
});

test("KEY INFO and LIST return names and values", () => {
  const subject = new Subject();
  subject.add("LABEL", "reader", "UNTIL", String(AT + 9), "RULES", "+get");
  const info = subject.ring.execute(["key", "info", subject.id], { at: AT, db: 0, id: "" }, subject.root);
  assert.equal(info.kind, "map");
  const items = info.kind === "map" ? info.items.map(shown) : [];
  const fields = Object.fromEntries(items.flatMap((name, i) => (i % 2 === 0 ? [[name, items[i + 1]]] : [])));

  assert.deepEqual(
    Object.keys(fields).map((name) => JSON.parse(name)),
    [
      ...["id", "label", "role", "algorithm", "bits", "state", "from", "until", "revoked", "rate", "rules"],
      ...["added-by", "version", "public-key"],
    ],
  );
  assert.deepEqual(
    ['"label"', '"state"', '"from"', '"until"', '"rules"'].map((name) => fields[name]),
    ['"reader"', '"valid"', "nil", `:${AT + 9}`, '["+get"]'],
  );

  const list = subject.ring.execute(["KEY", "LIST"], { at: AT, db: 0, id: "" }, subject.root);
  assert.deepEqual(list.kind === "array" && list.items.map(({ kind }) => kind), ["map", "map", "map"]);
});

test("KEY DRYRUN reports the verdict on a command, and runs nothing", () => {
  const subject = new Subject();
  subject.add("RULES", "+get", "~a");
  const dryRun = (...argv: string[]) => subject.run("KEY", "DRYRUN", subject.id, ...argv);
  assert.equal(dryRun("GET", "a"), '+"OK"');
  assert.match(dryRun("GET", "b"), /^"NOPERM this key may not read key 'b'/);
  assert.match(dryRun("SET", "a", "v"), /^"NOPERM this key may not run 'set': no rule allows it"/);
  assert.match(dryRun("NONSENSE"), /^"NOPERM this key may not run 'NONSENSE'/);
  assert.match(dryRun("GET"), /^"ERR wrong number of arguments/);
  assert.match(dryRun("KEY", "REVOKE", subject.id), /^"NOPERM/);
  subject.run("KEY", "REVOKE", subject.id);
  assert.equal(dryRun("GET", "a"), '"this key is revoked"');
});

test("a unit is denied completely, because of the first of its commands that is not permitted", () => {
  const subject = new Subject();
  const { application } = subject;
  assert.equal(subject.denial(application, "SET a 1", "GET a"), null);
  subject.add("RULES", "+@all", "~a");
  assert.match(subject.denial(subject.added, "SET a 1", "GET b", "GET c") ?? "", /read key 'b'/);
  assert.match(subject.denial(subject.added, "SET a 1", "NONSENSE") ?? "", /^NOPERM/);
  assert.match(subject.denial(application, "SET a 1", "GET") ?? "", /wrong number of arguments/);
});

test("keys of `if` must be readable", () => {
  const subject = new Subject();
  subject.add("RULES", "+@all", "~a", "%W~b");
  const judge = (key: string) =>
    subject.ring.judge(subject.added, [["SET", "a", "1"]], { conditions: [{ db: 0, key, writer: "" }] });
  assert.equal(judge("a"), null);
  assert.match(judge("b")?.text ?? "", /^NOPERM this key may not read key 'b' of "if"/);
});

test("KEY commands must be separate units, without `if`", () => {
  const subject = new Subject();
  assert.match(subject.denial(subject.root, "KEY LIST", "GET a") ?? "", /must be in separate units/);
  assert.equal(subject.denial(subject.root, "KEY LIST", "key list"), null);
  const conditions = [{ db: 0, key: "a", writer: "" }];
  assert.match(
    subject.ring.judge(subject.root, [["KEY", "LIST"]], { conditions })?.text ?? "",
    /without "if"/,
  );
});

test("KEY commands are recognized by their first word", () => {
  for (const name of ["KEY", "key", "Key", "cluster"]) assert.ok(isKeyCommand([name, "LIST"]), name);
  for (const name of ["KEYS", "GET", "", "KE", "CLUSTERS"]) assert.ok(!isKeyCommand([name, "LIST"]), name);
});

test("a key that may do everything but administer may run commands that only the backend of the daemon knows", () => {
  const subject = new Subject();
  const { application, root } = subject;
  assert.equal(subject.denial(application, "RESTORE-ASKING s 0 x"), null);
  assert.match(
    subject.denial(application, "CONFIG SET dir x") ?? "",
    /^NOPERM .*'config set': rule -@admin denies it/,
  );
  assert.equal(subject.denial(root, "CONFIG SET dir x"), null);

  const limited = ["+@all -@dangerous ~*", "+@all ~a", "+@read +@write ~*", "+@all %RW~*", "+get"];
  subject.add("RULES", limited[0] ?? "");
  for (const rules of limited) {
    subject.run("KEY", "RULES", subject.id, rules);
    assert.match(
      subject.denial(subject.added, "RESTORE-ASKING s 0 x") ?? "",
      /^NOPERM .*not known here/,
      rules,
    );
  }
  for (const rules of ["+@all -@admin -get ~*", "+get (+@all ~*)", "+@all -@admin +@read ~*"]) {
    subject.run("KEY", "RULES", subject.id, rules);
    assert.equal(subject.denial(subject.added, "RESTORE-ASKING s 0 x"), null, rules);
  }
});

test("CLUSTER ADD adds a daemon's key, with no option but a label", () => {
  const subject = new Subject();
  const pem = pemOfSpki(subject.spki);
  assert.match(subject.run("CLUSTER", "ADD", pem, "RULES", "+@all"), /syntax error/);
  assert.match(subject.run("CLUSTER", "ADD", pem, "LABEL"), /syntax error/);
  assert.match(subject.run("CLUSTER", "ADD", pem, "LABEL", "a".repeat(129)), /label has 129 bytes/);
  assert.match(subject.run("CLUSTER", "ADD", "nonsense"), /not a usable public key/);
  assert.match(subject.runBy(subject.application, "CLUSTER", "ADD", pem), /NOPERM/);
  assert.equal(subject.run("CLUSTER", "ADD", pem, "LABEL", "d"), `"${subject.id}"`);
  assert.equal(subject.run("CLUSTER", "ADD", pem, "LABEL", "d"), `"${subject.id}"`);
  assert.deepEqual([subject.added.role, subject.added.label, subject.added.version], ["daemon", "d", 1]);
  assert.match(subject.run("KEY", "ADD", pem, "LABEL", "d"), /exists with other/);
});

test("a daemon's key may add itself only if genesis names no administrator", () => {
  const ring = new KeyRing({ hash });
  const spki = newSpki();
  const unit = [["CLUSTER", "ADD", pemOfSpki(spki)]];
  assert.equal(ring.introduction(unit, hash(spki), AT)?.role, "daemon");
  assert.equal(ring.find(hash(spki)), undefined);
  assert.equal(ring.introduction(unit, hash(newSpki()), AT), null);
  assert.equal(ring.introduction([...unit, ...unit], hash(spki), AT), null);
  assert.equal(ring.introduction([["CLUSTER", "ADD", "nonsense"]], hash(spki), AT), null);
  ring.addGenesis("root", newSpki());
  assert.equal(ring.introduction(unit, hash(spki), AT), null);
});

test("a copy of the ring is independent, and reports its changes", () => {
  const { ring, root, spki, id } = new Subject();
  const changed: KeyRecord[] = [];
  const copy = ring.clone((record) => changed.push(record));
  copy.execute(["KEY", "ADD", pemOfSpki(spki)], { at: AT, db: 0, id: "unit" }, root);
  assert.deepEqual(
    changed.map((record) => hexOf(record.id)),
    [id],
  );
  assert.deepEqual([...copy.all()].slice(0, 2), [...ring.all()]);
  assert.equal(ring.find(hash(spki)), undefined);
});

test("the ring has at most 100,000 keys, at a start and by commands, and known ones are still accepted", {
  skip: skipUnlessFull,
}, () => {
  const numbered = (number: number) => {
    const spki = Buffer.from(`302a300506032b6570032100${"00".repeat(32)}`, "hex");
    spki.writeUInt32LE(number, spki.length - 4);
    return bytesOf(spki);
  };

  const subject = new Subject();
  const { ring } = subject;
  for (let number = 2; number < 99_999; number++) ring.addGenesis("application", numbered(number));
  assert.equal(subject.run("KEY", "ADD", pemOfSpki(numbered(99_999))).startsWith("-"), false);

  const full = /the ring is full: 100000 keys/;
  assert.match(subject.add(), full);
  assert.match(subject.run("CLUSTER", "ADD", pemOfSpki(subject.spki)), full);
  assert.throws(() => ring.addGenesis("application", subject.spki), full);
  assert.throws(() => ring.addGenesis("root", subject.spki), full);
  assert.doesNotMatch(subject.run("KEY", "ADD", pemOfSpki(numbered(99_999))), full);
  assert.equal(ring.addGenesis("application", numbered(2)).role, "application");
});
