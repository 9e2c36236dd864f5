/**
 * Tests that a state is the same after a snapshot, including the results of later commands, and that all damage is
 * detected.
 */
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import { DATABASES_DEFAULT, Database } from "../../../../daemon/store/database.js";
import { KeyRing } from "../../../../daemon/store/key-ring.js";
import { pemOfSpki } from "../../../../daemon/store/rights/spki.js";
import { DigestIndex } from "../../../../daemon/timeline/compare/digest-index.js";
import { type Entry, orderKeyOf } from "../../../../daemon/timeline/entries/entry.js";
import {
  DamagedSnapshot,
  type ReadState,
  readSnapshot,
  writeSnapshot,
} from "../../../../daemon/timeline/snapshots/snapshot.js";
import {
  ForeignSnapshot,
  SnapshotReader,
  SnapshotWriter,
} from "../../../../daemon/timeline/snapshots/snapshot-stream.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { finish } from "../../../../protocol/steps.js";
import { hexOf, signedBytes } from "../../../../protocol/version-2/envelope.js";
import { unitId } from "../../../../protocol/version-2/unit-names.js";
import { commandGrammars } from "../../../conformance/families.js";
import { Generator } from "../../../conformance/grammar.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import {
  dependsOnInnerOrder,
  EPOCH,
  randomDatabase,
  randomUnit,
  SPREAD,
  shownUnit,
} from "../../store/random-unit.js";
import { randomId } from "../support/members.js";
import { entryOf } from "../support/random-timeline.js";

const seed = seedOfRun();
const RUNS = amount(2, 20);
const LATER_UNITS = 200;

const hash = (bytes: Buffer) => bytesOf(createHash("sha256").update(bytes).digest());
const hashOfBytes = (bytes: ByteString) => hash(Buffer.from(bytes, "latin1"));
const newSpki = () =>
  bytesOf(generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" }));

const [application, root, third, fourth] = [newSpki(), newSpki(), newSpki(), newSpki()];

function genesis(): KeyRing {
  const ring = new KeyRing({ hash: hashOfBytes });
  ring.addGenesis("application", application, "app");
  ring.addGenesis("root", root);
  return ring;
}

/**
 * Returns an administrator's entries and the resulting key ring: keys with dates, rules or a label, and revoked keys.
 */
function grownRing(): { ring: KeyRing; ringEntries: Entry[] } {
  const ring = genesis();
  const signer = ring.find(hashOfBytes(root))!;
  const ringEntries: Entry[] = [];
  const run = (...argv: ByteString[]) => {
    const at = EPOCH + ringEntries.length;
    const { body, envelope } = entryOf({ at, key: signer.id, commands: [argv] }, "");
    const entry = { id: hash(signedBytes(body)), body, signature: Buffer.from("signature"), envelope };
    const unit = { at, db: 0, id: unitId(entry.id, 0) };
    assert.notEqual(ring.execute(argv, unit, signer).kind, "error", argv.join(" "));
    ringEntries.push(entry);
  };

  run("KEY", "ADD", pemOfSpki(third), "LABEL", "third", "FROM", "1", "UNTIL", String(EPOCH + 1_000_000));
  run("KEY", "ADD", pemOfSpki(fourth));
  run("KEY", "RULES", hexOf(hashOfBytes(third)), "+@read", "%R~x:*");
  run("KEY", "REVOKE", hexOf(hashOfBytes(fourth)));
  return { ring, ringEntries };
}

function bytesOfState(
  database: Database,
  { ringEntries = [] as readonly Entry[], cutAt = EPOCH, index = new DigestIndex() } = {},
): Buffer {
  return Buffer.concat([
    ...writeSnapshot({ database, ringEntries, cutAt, sums: index.serialise(cutAt) }, hash),
  ]);
}

function read(chunks: Iterable<Buffer>, databases = DATABASES_DEFAULT): ReadState {
  return finish(readSnapshot(chunks, { genesis, databases, hash }));
}

/** Returns the values without expired keys. */
const visible = (database: Database, cutAt: number) =>
  canonicalState(database).filter((line) => {
    const expire = (JSON.parse(line) as unknown[])[3] as number;
    return expire === 0 || expire > cutAt;
  });

test("the last possible expiry time is restored, wherever it is in a frame", () => {
  // These lengths are around the first size of a frame's buffer.
  for (let length = 130_900; length < 131_100; length++) {
    const writer = new SnapshotWriter(hash);
    writer.bytes("k".repeat(length));
    writer.number(2 ** 63);
    writer.bytes("next");
    const reader = new SnapshotReader([writer.head, writer.takeFrame()], hash);
    reader.head();
    assert.deepEqual([reader.bytes().length, reader.number(), reader.bytes()], [length, 2 ** 63, "next"]);
  }
});

test(`a database of random commands is restored exactly, and later commands have the same effect (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const g = new Generator({ random, now: EPOCH });
    const database = randomDatabase(g);
    const cutAt = EPOCH + random.below(SPREAD);
    const restored = read([bytesOfState(database, { cutAt })]);
    assert.equal(restored.cutAt, cutAt);
    assert.deepEqual(canonicalState(restored.database), visible(database, cutAt), `seed ${seed}, run ${run}`);
    const grammars = commandGrammars.filter(({ name }) => !dependsOnInnerOrder(name) && name !== "DBSIZE");
    for (let left = LATER_UNITS; left > 0; left--) {
      const unit = randomUnit(g, random.oneOf(grammars), cutAt + 1 + random.below(SPREAD), `later${left}`);
      const [there, here] = [database, restored.database].map((each) => shown(each.execute(unit.argv, unit)));
      assert.equal(here, there, `DBSYNC_SEED=${seed}, run ${run}: ${shownUnit(unit)}`);
    }
    const end = cutAt + SPREAD + 1;
    assert.deepEqual(visible(restored.database, end), visible(database, end));
  }
});

test("equal states have equal snapshots, in whatever order their keys were added", () => {
  const [one, other] = [new Database(), new Database()];
  const names = ["b", "a", "c", "\xff", ""];
  for (const name of names) one.execute(["SET", name, "v"], { at: EPOCH, db: 1, id: name });
  for (const name of names.reverse()) other.execute(["SET", name, "v"], { at: EPOCH, db: 1, id: name });
  assert.deepEqual(bytesOfState(one), bytesOfState(other));
});

test("large values and many keys are written in frames, in chunks of any size", () => {
  const database = new Database();
  const unit = (id: string) => ({ at: EPOCH, db: 0, id });

  database.execute(["SET", "large", "x".repeat(1_000_000)], unit("1"));
  for (const [command, ...remaining] of [["RPUSH"], ["SADD"], ["ZADD", "1.5"], ["HSET", "field"]] as const) {
    for (let i = 0; i < amount(11_000, 20_000); i++)
      database.execute(
        [command, command, ...remaining.map((word) => (command === "HSET" ? `${word}${i}` : word)), `m${i}`],
        unit("2"),
      );
  }
  for (let i = 0; i < amount(6_000, 10_000); i++) database.execute(["SET", `k${i}`, "v"], unit(`${i}`));

  const state = { database, ringEntries: [], cutAt: EPOCH, sums: new DigestIndex().serialise(EPOCH) };
  const chunks = [...writeSnapshot(state, hash)];
  assert.ok(chunks.length > 10);
  const complete = Buffer.concat(chunks);

  const random = new SeededRandom(seed, 500);
  const pieces: Buffer[] = [];
  for (let from = 0; from < complete.length; ) {
    const to = from + 1 + random.below(20_000);
    pieces.push(complete.subarray(from, to));
    from = to;
  }

  const steps = readSnapshot(pieces, { genesis, databases: DATABASES_DEFAULT, hash });
  let turns = 0;
  let result = steps.next();
  for (; result.done !== true; result = steps.next()) turns++;

  assert.ok(turns > 20, `${turns} turns`);
  assert.deepEqual(canonicalState(result.value.database), canonicalState(database));
});

test("the key ring and the index are restored completely", () => {
  const { ring, ringEntries } = grownRing();
  const random = new SeededRandom(seed, 600);
  const index = new DigestIndex();
  for (const entry of ringEntries) index.add(orderKeyOf(entry), true);
  for (let i = 0; i < 5000; i++)
    index.add({ at: EPOCH - random.below(100_000_000), seq: 0, id: randomId(random) }, false);

  const cutAt = EPOCH + ringEntries.length;
  const restored = read([bytesOfState(new Database(), { ringEntries, cutAt, index })]);
  const plain = (each: KeyRing) =>
    [...each.all()].map(({ acl, ...record }) => ({ ...record, acl: acl.rules }));

  assert.deepEqual(plain(restored.ring), plain(ring));
  assert.equal(plain(ring).length, 4);
  assert.deepEqual(restored.ringEntries, ringEntries);

  const restoredIndex = new DigestIndex();
  restoredIndex.restore(restored.sums, restored.ringOrderKeys);
  for (const set of ["ring", "data"] as const)
    assert.deepEqual(restoredIndex.total(set), index.total(set), `${set} (seed ${seed})`);
  assert.equal(restored.cutAt, cutAt);
  assert.equal(read([bytesOfState(new Database(), { cutAt: -1 })]).cutAt, -1);

  const limited = restored.ring.find(hashOfBytes(third))!;
  assert.equal(restored.ring.judge(limited, [["GET", "x:1"]], { conditions: null }), null);
  assert.notEqual(restored.ring.judge(limited, [["SET", "x:1", "v"]], { conditions: null }), null);
});

/** The offset of the format, four bytes. */
const FORMAT_AT = 16;

test("every changed byte, every truncation and every addition is found", () => {
  const database = new Database();
  database.execute(["SET", "k", "v"], { at: EPOCH, db: 0, id: "1" });
  database.execute(["ZADD", "z", "1", "m"], { at: EPOCH, db: 3, id: "2" });
  const bytes = bytesOfState(database);
  read([bytes]);
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes);
    changed[i] = (changed[i] as number) ^ 0x41;
    const isFormat = i >= FORMAT_AT && i < FORMAT_AT + 4;
    assert.throws(() => read([changed]), isFormat ? ForeignSnapshot : DamagedSnapshot, `byte ${i}`);
    assert.throws(() => read([bytes.subarray(0, i)]), DamagedSnapshot, `truncated at ${i}`);
  }
  assert.throws(() => read([bytes, Buffer.from([0])]), DamagedSnapshot);
});

test("a snapshot of another format or number of databases is refused with its reason", () => {
  const bytes = bytesOfState(new Database());
  assert.throws(() => read([bytes], 3), /of 16 databases, but this daemon has 3/);
  bytes[19] = 9;
  assert.throws(() => read([bytes]), /format 9/);
});
