/**
 * Tests claims of documents' entries: DOC.UPDATE and DOC.DELETE with LIMIT. At another position than where a daemon
 * answered them, they take the same entries or none.
 */
import "../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { choicesOf } from "../../../daemon/cluster/replica/recorded-choices.js";
import { canonicalState } from "../../../daemon/store/canonical-state.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Choices } from "../../../protocol/version-2/envelope.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import { AT, entry, idOf, key, pem, ROOT, Subject } from "./support/fold-subject.js";

const DAEMON = 3;
const STEPS = 10_000_000;
const LATER = 100;

const take = (state: string) =>
  `DOC.UPDATE jobs {"state":"${state}"} WHERE {"state":"new"} SORT "at" LIMIT 0 1`;
const insert = (state: string, at: number) => `DOC.INSERT jobs COUNT {"state":"${state}","at":${at}}`;
const ALL = 'DOC.GET jobs SORT "at" FIELDS ["state"]';

/** Returns the state of a daemon whose jobs are dated 10 and 20. */
function begun(): Subject {
  const subject = new Subject();
  subject.merge(entry("daemon", 1, [["CLUSTER", "ADD", pem(DAEMON)]], { key: key(ROOT) }));
  subject.merge(entry("begun", 2, ["DOC.CREATE jobs", insert("new", 10), insert("new", 20)]));
  return subject;
}

function choicesAt(
  { fold }: Subject,
  lines: readonly string[],
  conditions: "none" | "fail" = "none",
): Choices {
  const commands = lines.map((line) => line.split(" "));
  const failing = [{ db: 0, key: "jobs", writer: "" }];
  const unsigned = {
    db: 0,
    multi: lines.length > 1,
    conditions: conditions === "fail" ? failing : null,
    commands,
  };
  const { database } = fold;
  const before = canonicalState(database);
  const trial = { database, stepsMax: STEPS, unitId: () => unitId(idOf("trial"), 0) };
  const choices = choicesOf(unsigned, { at: AT + LATER, seq: 0 }, trial);
  assert.deepEqual(canonicalState(database), before);
  return choices;
}

const chosen = (subject: Subject, line: string): readonly ByteString[] | undefined =>
  choicesAt(subject, [line]).choices?.get(0);

/** Runs a command as a client of the daemon does. @returns the reply */
function answer(subject: Subject, name: string, after: number, line: string): string | undefined {
  const choices = choicesAt(subject, [line]);
  return subject.replies(entry(name, LATER + after, [line], { key: key(DAEMON), ...choices }))[0];
}

/** Adds an entry that arrives late, and checks that the fold has the state of the entries in order. */
function arriveLate(subject: Subject, line: string, fields = {}): void {
  subject.merge(entry("late", LATER - 1, [line], fields));
  assert.deepEqual(...subject.states);
}

test("a queue gives each of its jobs once, whatever arrives late", () => {
  const subject = begun();
  assert.match(answer(subject, "first", 1, take("ann")) ?? "", /"0"/);
  arriveLate(subject, insert("new", 5));
  // The first job is still Ann's; the late one is nobody's.
  const jobs = subject.ask(ALL);
  assert.match(
    jobs,
    /"2" "\{\\?"state\\?":\\?"new.*"0" "\{\\?"state\\?":\\?"ann.*"1" "\{\\?"state\\?":\\?"new/,
  );
  assert.match(answer(subject, "second", 2, take("bob")) ?? "", /"2"/);
});

test("an entry that another client has taken before is not taken again", () => {
  const subject = begun();
  answer(subject, "first", 1, take("ann"));
  arriveLate(subject, take("bob"), { key: key(DAEMON), choices: new Map([[0, ["entries", "0"]]]) });
  assert.match(subject.ask(ALL), /"0" .*bob.*"1" .*new/);
});

test("a deletion with LIMIT removes only the entries that its client has counted", () => {
  const subject = begun();
  const line = 'DOC.DELETE jobs WHERE {"state":"new"} SORT "at" LIMIT 0 1';
  assert.deepEqual(chosen(subject, line), ["entries", "0"]);
  assert.equal(answer(subject, "first", 1, line), ":1");
  arriveLate(subject, insert("new", 5));
  assert.match(subject.ask(ALL), /"2".*"1"/);
  assert.doesNotMatch(subject.ask(ALL), /"0" /);
});

test("a claim that selected nothing takes nothing; one that failed fails again", () => {
  const subject = begun();
  const none = 'DOC.UPDATE jobs {"state":"ann"} WHERE {"state":"late"} LIMIT 0 1';
  assert.deepEqual(chosen(subject, none), ["entries"]);
  answer(subject, "none", 1, none);
  const wrong = 'DOC.UPDATE jobs {"$inc":{"state":1}} WHERE {"state":"new"} LIMIT 0 1';
  const reply = answer(subject, "wrong", 2, wrong);
  assert.match(reply ?? "", /ERR/);
  const [how, text = ""] = chosen(subject, wrong) ?? [];
  assert.equal(how, "error");
  assert.ok(reply?.includes(text), text);
  arriveLate(subject, insert("late", 5));
  assert.match(subject.ask(ALL), /"2" .*late/);
});

test("an upsert with LIMIT inserts no entry if its own is gone and another matches", () => {
  const subject = begun();
  const upsert = 'DOC.UPDATE jobs {"state":"ann","at":7} WHERE {"at":7} LIMIT 0 1 UPSERT COUNT';
  assert.deepEqual(chosen(subject, upsert), ["entries"]);
  answer(subject, "upsert", 1, upsert);
  assert.equal(subject.ask("DOC.COUNT jobs"), ":3");
  arriveLate(subject, insert("new", 7));
  assert.equal(subject.ask("DOC.COUNT jobs"), ":3");
  assert.match(subject.ask(ALL), /"2" .*ann/);
});

test("only calls with LIMIT are claims, and those of a transaction that was not run take nothing", () => {
  const subject = begun();
  for (const line of [
    'DOC.UPDATE jobs {"state":"x"} WHERE {"state":"new"}',
    'DOC.UPDATE jobs {"state":"x"} ID 0',
    'DOC.DELETE jobs WHERE {"state":"LIMIT"}',
    "DOC.DELETE jobs LIMIT REVISION 1",
  ])
    assert.equal(choicesAt(subject, [line]).choices, null, line);

  const upsert = `${take("ann")} UPSERT`;
  const { choices } = choicesAt(subject, [take("ann"), upsert], "fail");
  assert.deepEqual(
    [...(choices ?? [])],
    [
      [0, []],
      [1, []],
    ],
  );

  const before = subject.ask(ALL);
  subject.merge(entry("unmet", LATER, [take("ann"), upsert], { key: key(DAEMON), multi: true, choices }));
  assert.equal(subject.ask(ALL), before);
});
