/**
 * Tests reads that return an answer page by page, or in steps between which other commands run. The answers contain
 * each element that exists during the complete read, although late entries undo and redo the element's writes.
 * test/daemon/timeline/fold/scan-order.test.ts tests SCAN and its family in the same way. DBSYNC_SEED replays a run.
 */
import "../../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { findCommand } from "../../../../daemon/store/command-table.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { DocumentEntriesReply } from "../../../../protocol/document-replies.js";
import { SteppedReply } from "../../../../protocol/lazy-replies.js";
import type { Reply } from "../../../../protocol/reply.js";
import type { Steps } from "../../../../protocol/steps.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { AT, entry, Subject } from "../support/fold-subject.js";

const ELEMENTS = 700;
/** The number of further keys: more than one step of a search for documents reads. */
const OTHER_KEYS = 10_050;
const RUNS = amount(1, 5);
const NOW = AT + 1_000_000;
/** A date after all other writes. */
const CLAIMED_AT = 900_000;
/** Milliseconds between two writes, so that late writes fit between them. */
const STEP_MS = 10;

const seed = seedOfRun();
const nameOf = (number: number) => `stays:${number}`;

interface Walk {
  readonly name: string;
  /** Returns the writes of an element, each a unit. */
  add(element: string): string[];
  /** Returns late writes that change no element, dated before the writes of `element`. */
  late(element: string, number: number): string[];
  /** Commands that run before the writes of all elements. */
  readonly before?: readonly string[];
  /**
   * Reads until everything is found. Late entries arrive at each `yield`.
   * @returns the elements, as often as they were found
   */
  read(subject: Subject, random: SeededRandom): Steps<readonly ByteString[]>;
}

const text = (reply: Reply | undefined): ByteString => {
  assert.ok(reply?.kind === "bulk", JSON.stringify(reply));
  return reply.bytes;
};
const items = (reply: Reply | undefined): readonly Reply[] => {
  assert.ok(reply?.kind === "array" || reply?.kind === "map", JSON.stringify(reply));
  return reply.items;
};

function query({ fold }: Subject, argv: readonly string[]): Reply {
  return fold.database.execute(argv, { at: NOW, db: 0, id: "ask" });
}

/** Reads an answer in steps. */
function* inSteps({ fold }: Subject, argv: readonly string[]): Steps<readonly Reply[]> {
  const command = findCommand(argv[0] as string) as Command;
  const unit = { at: NOW, db: 0, id: "u".repeat(36), takesSteps: true };
  const reply = fold.database.run(command, argv, unit);
  assert.ok(reply instanceof SteppedReply, `${argv[0]} is answered in one step`);
  // Listeners reuse the unit object for other commands, so later steps must not read it.
  Object.assign(unit, { at: 0, db: 1 });
  for (const _ of reply.steps()) yield;
  return reply.items;
}

/** Reads pages by the ids of a stream's entries. */
function* byIds(
  subject: Subject,
  page: (after: string) => readonly string[],
  entriesOf: (reply: Reply) => readonly Reply[],
): Steps<readonly ByteString[]> {
  const found: ByteString[] = [];
  for (let last = "0-0"; ; ) {
    const entries = entriesOf(query(subject, page(last)));
    if (entries.length === 0) return found;
    for (const one of entries) {
      const [id, fields] = items(one);
      last = text(id);
      found.push(text(items(fields)[1]));
    }
    yield;
  }
}

const stream = {
  add: (element: string) => [`XADD x * name ${element}`],
  late: (_: string, number: number) => [`XADD x * name late:${number}`],
};

/** A consumer group in which all entries are pending, because each is read as soon as it is added. */
const group = {
  before: ["XGROUP CREATE x g 0 MKSTREAM"],
  add: (element: string) => [...stream.add(element), "XREADGROUP GROUP g one STREAMS x >"],
  late: stream.late,
};

/** Returns the names of entries by their ids. */
function namesOf(subject: Subject, ids: readonly string[]): ByteString[] {
  return ids.map((id) => text(items(items(items(query(subject, ["XRANGE", "x", id, id]))[0])[1])[1]));
}

const documents = {
  before: [
    "DOC.CREATE template",
    'DOC.INSERT template {"name":"whole"}',
    ...Array.from({ length: OTHER_KEYS }, (_, number) => `SET other:${number} 1`),
  ],
  // Before the document, its key has a value of another type.
  add: (element: string) => [`SET ${element} text`, `COPY template ${element} REPLACE`],
  late: (element: string) => [`SET ${element} earlier`],
};

const table = {
  before: ["SQL|| create database d", "SQL|d| create table t (name text, number number)"],
  add: (element: string) => [`SQL|d| insert into t values ("${element}", 1)`],
  late: (_: string, number: number) => [`SQL|d| insert into t values ("late:${number}", 1)`],
};

const walks: readonly Walk[] = [
  {
    ...stream,
    name: "XRANGE",
    read: (subject, random) =>
      byIds(
        subject,
        (last) => ["XRANGE", "x", `(${last}`, "+", "COUNT", String(random.between(1, 40))],
        items,
      ),
  },
  {
    ...stream,
    name: "XREAD",
    read: (subject, random) =>
      byIds(
        subject,
        (last) => ["XREAD", "COUNT", String(random.between(1, 40)), "STREAMS", "x", last],
        (reply) => (reply.kind === "nil-array" ? [] : items(items(reply)[1])),
      ),
  },
  {
    ...group,
    name: "XPENDING",
    *read(subject, random) {
      const ids: string[] = [];
      for (let last = "0-0"; ; ) {
        const argv = ["XPENDING", "x", "g", `(${last}`, "+", String(random.between(1, 40))];
        const page = items(query(subject, argv)).map((pending) => text(items(pending)[0]));
        if (page.length === 0) return namesOf(subject, ids);
        ids.push(...page);
        last = page.at(-1) as string;
        yield;
      }
    },
  },
  {
    ...group,
    name: "XAUTOCLAIM",
    *read(subject, random) {
      const ids: string[] = [];
      for (let [cursor, page] = ["0-0", 0]; ; page++) {
        const count = String(random.between(1, 40));
        const claim = ["XAUTOCLAIM", "x", "g", "two", "0", cursor, "COUNT", count, "JUSTID"];
        const [answer] = subject.merge(entry(`claim${page}`, CLAIMED_AT + page, [claim]));
        const [next, claimed] = items(answer?.reply);
        cursor = text(next);
        ids.push(...items(claimed).map(text));
        if (cursor === "0-0") return namesOf(subject, ids);
        yield;
      }
    },
  },
  {
    ...documents,
    name: "DOC.LIST",
    *read(subject) {
      const found = yield* inSteps(subject, ["DOC.LIST"]);
      return found.map(text);
    },
  },
  {
    ...documents,
    name: "DOC.GETALL",
    *read(subject) {
      const found = yield* inSteps(subject, ["DOC.GETALL"]);
      const names: ByteString[] = [];
      for (let i = 0; i < found.length; i += 2) {
        const entries = found[i + 1];
        assert.ok(entries instanceof DocumentEntriesReply);
        // The writes of an empty document were undone.
        if (entries.size === 1) names.push(text(found[i]));
      }
      return names;
    },
  },
  {
    ...table,
    name: "SQL",
    *read(subject) {
      const found = yield* inSteps(subject, ["SQL_RO", "d", "select name from t where number > 0"]);
      return items(found.at(-1)).map((row) => text(items(row)[0]));
    },
  },
];

const argvOf = (line: string): string | readonly string[] =>
  line.startsWith("SQL|") ? ["SQL", ...line.slice(4).split("| ")] : line;

for (const { name, add, late, before = [], read } of walks)
  for (let run = 0; run < RUNS; run++)
    test(`${name} returns the elements that exist throughout, once (seed ${seed}, run ${run})`, () => {
      const random = new SeededRandom(seed, run);
      const subject = new Subject();
      subject.merge(entry("before", 1, before.map(argvOf)));
      const writes: string[][] = [];
      const firstOf: number[] = [];
      for (let number = 0; number < ELEMENTS; number++) {
        firstOf.push(writes.length);
        for (const line of add(nameOf(number))) writes.push([line]);
      }
      const dateOf = (write: number) => 1000 + STEP_MS * write;
      for (const [i, lines] of writes.entries()) subject.merge(entry(`e${i}`, dateOf(i), lines.map(argvOf)));

      const work = read(subject, random);
      let arrived = 0;
      let step = work.next();
      for (; step.done !== true; step = work.next()) {
        const number = random.below(ELEMENTS);
        const at = dateOf(firstOf[number] as number) - random.between(1, STEP_MS - 1);
        subject.merge(entry(`l${arrived}`, at, late(nameOf(number), arrived).map(argvOf)));
        arrived++;
      }
      assert.ok(arrived > 1, "late writes arrived between the pages");
      const times = new Map<ByteString, number>();
      for (const element of step.value) times.set(element, (times.get(element) ?? 0) + 1);
      const incorrect = Array.from({ length: ELEMENTS }, (_, number) => nameOf(number)).filter(
        (element) => times.get(element) !== 1,
      );
      assert.deepEqual(
        incorrect.slice(0, 5),
        [],
        `${incorrect.length} of ${ELEMENTS}, ${arrived} late entries`,
      );
    });
