/** Tests whose turn it is to take an element of a decided key. Source: docs/decisions/0081-decided-keys.md. */
import "../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { FoldedEntry } from "../../../../daemon/timeline/fold/fold.js";
import { array, bulk, NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import { double } from "../../../../test/support/double.js";
import { repositoryRoot } from "../../../../test/support/repository.js";
import { KeyTurns, ServingTurns } from "../../session/serving-turns.js";

const DAEMONS = ["a", "b", "c"];
const OWN = { signer: "a", isOfDaemon: (id: string): boolean => DAEMONS.includes(id) };

/** Returns the turns as a daemon sees them that knows all daemons. */
function known(): KeyTurns {
  const turns = new KeyTurns();
  for (const daemon of DAEMONS) turns.took(daemon, 0);
  return turns;
}

/** Returns the daemons whose turn it is to take one of some elements. */
const turnsOf = (size: number, writer: string): readonly string[] =>
  DAEMONS.filter((daemon) => known().turnOf(daemon, size, writer) === "now");

test("each element is the turn of one daemon, which follows from the unit that has added it", () => {
  assert.deepEqual(
    ["\0\0", "\0\x01", "\0\x02", "\0\x03"].flatMap((writer) => turnsOf(1, writer)),
    [...["a", "c", "b", "a"]],
  );
  assert.equal(turnsOf(2, "\0\0").length, 2);
  assert.deepEqual(turnsOf(3, "\0\x01"), DAEMONS);
});

test("a daemon takes no more elements than it is its turn to take", () => {
  const turns = known();
  for (let i = 0; i < 2; i++) {
    assert.equal(turns.turnOf("a", 5, "\0\0"), "now");
    turns.began({}, 1, 0);
  }
  assert.equal(turns.turnOf("a", 5, "\0\0"), "later");
  turns.check("a");
  turns.check("a");
  for (let i = 0; i < 3; i++) {
    assert.equal(turns.turnOf("a", 5, "\0\0"), "now");
    turns.began({}, 1, 0);
  }
  assert.equal(turns.turnOf("a", 5, "\0\0"), "none");
});

test("a daemon that takes its elements in time keeps its turns", () => {
  const turns = known();
  assert.equal(turns.turnOf("a", 3, "\0\0"), "now");
  turns.began({}, 1, 0);
  turns.check("a");
  for (const daemon of ["b", "c"]) turns.took(daemon, 1);
  // The element of this daemon, and a new one of the second daemon.
  assert.equal(turns.turnOf("a", 2, "\0\x02"), "later");
  turns.check("a");
  assert.equal(turns.turnOf("a", 2, "\0\x02"), "later");
  turns.check("a");
  assert.equal(turns.turnOf("a", 2, "\0\x02"), "now");
});

test("each group of a stream has turns of its own; mistakes, transactions, clients that sign, and what is not decided have none", () => {
  const all = new ServingTurns(() => 0);
  const argvOf = (group: string) => ["XREADGROUP", "BLOCK", "0", "GROUP", group, "c", "STREAMS", "s", ">"];
  const of = (group: string) => all.of({ db: 0, key: "s", type: "group", argv: argvOf(group) });
  const first = of("g");
  const second = of("h");

  const decided = (argv: readonly string[], reply: Reply, multi = false, key = "b", isDecided = true) => {
    const envelope = { key, db: 0, commands: [argv], multi, units: null, decided: isDecided ? {} : null };
    const answers = [{ reply, outcome: "applied" as const, late: false }];
    all.decided([double<FoldedEntry>({ entry: { envelope }, answers })], OWN);
  };

  const isAlone = (turns: KeyTurns) => {
    turns.took("a", 0);
    const before = turns.turnOf("a", 2, "\0\0");
    turns.began({}, 1, 0);
    return before === "now" && turns.turnOf("a", 2, "\0\0") === "now";
  };

  decided(argvOf("g"), NIL_ARRAY, true);
  decided(argvOf("g"), NIL_ARRAY, false, "client");
  decided(argvOf("g"), NIL_ARRAY, false, "b", false);
  decided(["BLPOP", "s", "no number"], { kind: "error", text: "ERR" });
  decided(["BLPOP", "s", "0"], array([bulk("s"), bulk("x")]));
  decided(argvOf("h"), NIL_ARRAY);
  assert.deepEqual([isAlone(first), isAlone(second)], [true, false]);
});

/** The turns for one list at the daemon `a`, on a simulated clock. */
class Waiting {
  now = 0;
  readonly #all = new ServingTurns(() => this.now);
  readonly #turns = this.#all.of({ db: 0, key: "l", type: "list", argv: ["BLPOP", "l", "0"] });

  /** @param decisionMs  how long decisions take */
  constructor(decisionMs: number) {
    for (let count = 0; count < 200; count++) {
      const client = {};
      this.#all.began(this.#turns, client, 1);
      this.now += decisionMs;
      this.pop("a", NIL_ARRAY);
      this.#turns.ended(client);
    }
    this.pop("c", NIL_ARRAY);
  }

  /** Decides a command of a daemon's waiting client. */
  pop(daemon: string, reply: Reply): void {
    const envelope = {
      key: daemon,
      db: 0,
      commands: [["BLPOP", "l", "0"]],
      multi: false,
      units: null,
      decided: {},
    };
    const answers = [{ reply, outcome: "applied" as const, late: false }];
    this.#all.decided([double<FoldedEntry>({ entry: { envelope }, answers })], OWN);
  }

  /** Whether `a` may take the only element now. Otherwise, it waits until the next check, at most until a time. */
  isTurn(until = Number.POSITIVE_INFINITY): boolean {
    this.#all.checkInTime(this.#turns, "a");
    if (this.#turns.turnOf("a", 1, "\0\x01") === "now") return true;
    this.now = Math.min(this.now + this.#all.untilCheck(this.#turns), until);
    return false;
  }
}

test("a daemon takes an element of another one after the time that the page states", () => {
  const page = readFileSync(join(repositoryRoot, "docs/consistency.md"), "utf8");
  const stated = /after (\d) to (\d) times as long as a decision takes \(at most (\d) s\)/.exec(page) ?? [];
  const [least = 0, most = 0, seconds = 0] = stated.slice(1).map(Number);

  for (const decisionMs of [20, 100, 400, 3_000]) {
    const waits: number[] = [];
    for (let phase = 0; phase < 20; phase++) {
      const waiting = new Waiting(decisionMs);
      // The daemon `c` takes the first element in time, and not the second one, which arrives between two checks.
      const since = waiting.now + (phase / 20) * Math.min(2 * decisionMs, 1_000);
      while (waiting.now < since) assert.ok(!waiting.isTurn(since));

      if (phase > 0) waiting.pop("c", array([bulk("l"), bulk("x")]));
      for (let checks = 0; !waiting.isTurn(); checks++) assert.ok(checks < 10);
      waits.push(waiting.now - since);
    }

    const [shortest, longest] = [Math.min(...waits), Math.max(...waits)].map(Math.round) as [number, number];
    if (decisionMs > 1_000) assert.deepEqual([longest], [1_000 * seconds]);
    else
      assert.ok(
        shortest >= least * decisionMs &&
          shortest < (least + 0.5) * decisionMs &&
          longest === most * decisionMs,
        `${waits}`,
      );
  }
});
