/**
 * Tests the changes that a fold reports. It reports an event once, when a command is first applied, and a key each
 * time the key changes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyChangeObservers } from "../../../../daemon/engine/backends/key-change-observers.js";
import { AT, entry, Subject } from "../support/fold-subject.js";

function observe({ fold }: Subject) {
  const changes = new KeyChangeObservers(fold);
  const events: string[] = [];
  const keys: string[] = [];
  changes.observeEvents({ event: (_, name, db, key) => events.push(`${db} ${name} ${key}`) });
  changes.observeKeys({
    keyChanged: (db, key) => keys.push(`${db} ${key}`),
    allChanged: (dbs) => keys.push(`all of ${dbs === null ? "all" : [...dbs].join()}`),
  });
  return {
    changes,
    taken() {
      const reports = { events: events.splice(0), keys: [...new Set(keys.splice(0))].sort() };
      return reports;
    },
  };
}

test("redoing a command after a late entry reports changed keys, but no event", () => {
  const subject = new Subject();
  const reported = observe(subject);
  subject.merge(entry("b", 20, ["LPUSH l b", "SET other 1"]), entry("c", 30, ["RPOP l"]));
  assert.deepEqual(reported.taken(), {
    events: ["0 new l", "0 lpush l", "0 new other", "0 set other", "0 rpop l", "0 del l"],
    keys: ["0 l", "0 other"],
  });
  subject.merge(entry("a", 10, ["RPUSH l a", "RPUSH l z"]));
  assert.deepEqual(reported.taken(), { events: ["0 new l", "0 rpush l", "0 rpush l"], keys: ["0 l"] });
  assert.equal(subject.ask("LRANGE l 0 -1"), '["b" "a"]');
});

test("a key that a late entry does not name is reported if a later command copied it from a named key", () => {
  const subject = new Subject();
  const reported = observe(subject);
  subject.merge(entry("a", 10, ["SET from 1"]), entry("c", 30, ["COPY from to"]));
  reported.taken();
  subject.merge(entry("b", 20, ["SET from 2"]));
  assert.deepEqual(reported.taken(), { events: ["0 set from"], keys: ["0 from", "0 to"] });
  assert.equal(subject.ask("GET to"), '"2"');
});

test("a late entry that affects no other command reports only its own changes", () => {
  const subject = new Subject();
  const reported = observe(subject);
  subject.merge(entry("b", 20, ["SET k b"]));
  reported.taken();
  subject.merge(entry("a", 10, ["SET other a"]));
  assert.deepEqual(reported.taken(), { events: ["0 new other", "0 set other"], keys: ["0 other"] });
});

test("a fold that replaces another fold continues to report changes, and reports that all keys may differ", () => {
  const [before, after] = [new Subject(), new Subject()];
  const reported = observe(before);
  after.merge(entry("a", 10, ["SET k a"]));
  after.fold.inherit(before.fold);
  assert.deepEqual(reported.taken(), { events: [], keys: ["all of all"] });
  after.merge(entry("b", 20, ["SET k b"]));
  before.merge(entry("c", 20, ["SET k c"]));
  assert.deepEqual(reported.taken(), { events: ["0 set k"], keys: ["0 k"] });
});

test("a key's expiry is reported once: when it occurs, or when an earlier command finds it", () => {
  const subject = new Subject();
  const reported = observe(subject);
  const { database } = subject.fold;

  subject.merge(entry("a", 10, ["SET k 1 PX 100", "SET l 1 PX 100", "SET m 1 PX 100000"]));
  database.reportExpired(AT + 50);
  reported.taken();

  subject.merge(entry("b", 150, ["SET l 2"]));
  assert.deepEqual(reported.taken().events, ["0 expired l", "0 new l", "0 set l"]);

  database.reportExpired(AT + 200);
  assert.deepEqual(reported.taken(), { events: ["0 expired k"], keys: ["0 k"] });

  // The fold removes it now, and again when the command is redone.
  subject.merge(entry("d", 300, ["SET k 2"]));
  subject.merge(entry("c", 290, ["EXISTS k", "GET k", "SET k 1"]));
  database.reportExpired(AT + 400);
  subject.fold.cut(AT + 350);
  database.dropExpired(AT + 350, 100);
  assert.deepEqual(
    reported.taken().events.filter((event) => event.includes("expired")),
    [],
  );
});

test("emptying a database is reported as a change of all its keys", () => {
  const subject = new Subject();
  const reported = observe(subject);
  subject.merge(entry("a", 10, ["SET k 1"]));
  reported.taken();
  subject.merge(entry("b", 20, ["FLUSHDB"]));
  assert.deepEqual(reported.taken(), { events: [], keys: ["all of 0"] });
});

test("without listeners nothing is reported, and the state is unaffected", () => {
  const [reported, plain] = [new Subject(), new Subject()];
  const listening = observe(reported);
  const observer = { event: () => {} };
  for (const subject of [reported, plain])
    subject.merge(entry("b", 20, ["LPUSH l b", "SPOP s", "INCR n"]), entry("a", 10, ["SADD s 1 2 3 4 5"]));
  assert.equal(reported.states[0].join(), plain.states[0].join());
  assert.notEqual(reported.fold.database.observer, null);
  listening.changes.observeEvents(observer);
  listening.changes.forget(observer);
  assert.notEqual(reported.fold.database.observer, null);
  assert.equal(plain.fold.database.observer, null);
});
