/**
 * Tests that a claim with its recorded choice has the same reply and the same effect as without, where nothing has
 * arrived in between. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { choicesOf } from "../../../../daemon/cluster/replica/recorded-choices.js";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import { findCommand } from "../../../../daemon/store/command-table.js";
import { commandGrammars } from "../../../conformance/families.js";
import { Generator } from "../../../conformance/grammar.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { EPOCH, randomDatabase, randomUnit, SPREAD, shownUnit } from "../../store/random-unit.js";

const CALLS = amount(60, 1000);
const STATES = amount(2, 10);
const seed = seedOfRun();
const claims = commandGrammars.filter(({ name }) => findCommand(name)?.isClaim !== undefined);

test(`a choice changes nothing at the first position (seed ${seed})`, () => {
  let taking = 0;
  for (let state = 0; state < STATES; state++) {
    const random = new SeededRandom(seed, state);
    const g = new Generator({ random, now: EPOCH });
    const database = randomDatabase(g);
    for (let call = 0; call < CALLS; call++) {
      // The other commands refill what the claims take.
      const grammar = random.oneOf(random.chance(0.5) ? claims : commandGrammars);
      const unit = randomUnit(g, grammar, EPOCH + SPREAD + call, `u${call}`.padEnd(36, "-"));
      if (findCommand(grammar.name)?.isClaim === undefined) {
        database.execute(unit.argv, unit);
        continue;
      }
      const { at, db, id, argv } = unit;
      const unsigned = { db, multi: false, conditions: null, commands: [argv] };
      const { choices } = choicesOf(
        unsigned,
        { at, seq: 0 },
        { database, stepsMax: Number.POSITIVE_INFINITY, unitId: () => id },
      );
      const choice = choices?.get(0);
      const [reply, after] = database.tryOut(Number.POSITIVE_INFINITY, (records) => [
        shown(database.execute(argv, unit, records)),
        canonicalState(database),
      ]);
      assert.equal(shown(database.execute(argv, { ...unit, choice })), reply, shownUnit(unit));
      assert.deepEqual(canonicalState(database), after, shownUnit(unit));
      if (choice !== undefined && choice.length > 0) taking++;
    }
  }
  assert.ok(taking > CALLS / 10, `only ${taking} calls took something`);
});

const PEEKING = ["LPOP", "RPOP", "ZPOPMIN", "ZPOPMAX", "XREADGROUP"];
const peeking = commandGrammars.filter(({ name }) => PEEKING.includes(name));
const ADDING = ["RPUSH", "ZADD", "XADD", "XGROUP|CREATE"];
const adding = commandGrammars.filter(({ name }) => ADDING.includes(name));
/** A claim that has to be run, and takes nothing. With it, all commands before it are run. */
const RUN_ALL = ["GETDEL", "a key that does not exist"];

test(`a look at the state finds the same choices as running the commands (seed ${seed})`, () => {
  assert.ok(peeking.every(({ name }) => findCommand(name)?.peek !== undefined));
  let taking = 0;
  for (let state = 0; state < STATES; state++) {
    const random = new SeededRandom(seed, STATES + state);
    const g = new Generator({ random, now: EPOCH });
    const database = randomDatabase(g);
    for (let call = 0; call < CALLS; call++) {
      const at = EPOCH + SPREAD + call;
      const unit = (grammar = random.oneOf(commandGrammars)) =>
        randomUnit(g, grammar, at, `u${call}`.padEnd(36, "-"));

      // These refill what the claims take.
      for (let i = 0; i < 4; i++) {
        const { argv, ...origin } = unit(random.oneOf(random.chance(0.9) ? adding : commandGrammars));
        database.execute(argv, origin);
      }

      const { db, id } = unit();
      const others = random.oneOf([peeking, claims, commandGrammars]);
      const commands = Array.from({ length: 1 + random.below(6) }, () => {
        const { argv } = unit(random.oneOf(random.chance(0.9) ? peeking : others));
        // A pop with a count is always run.
        return /pop/i.test(argv[0] ?? "") && random.chance(0.8) ? argv.slice(0, 2) : argv;
      });

      let runs = 0;
      const unitId = () => {
        runs++;
        return id;
      };
      const state = { database, stepsMax: Number.POSITIVE_INFINITY, unitId };
      const chosen = (argvs: typeof commands) =>
        choicesOf({ db, multi: false, conditions: null, commands: argvs }, { at, seq: 0 }, state);

      const { choices, expiries } = chosen(commands);
      const isPeeked = runs === 0;
      const tried = chosen([...commands, RUN_ALL]);
      const of = (found: typeof choices) => [...(found ?? [])].filter(([index]) => index < commands.length);

      assert.deepEqual(of(choices), of(tried.choices), JSON.stringify(commands));
      assert.deepEqual(expiries, tried.expiries, JSON.stringify(commands));

      if (isPeeked && of(choices).filter(([, choice]) => choice.length > 0).length > 1) taking++;
      if (random.chance(0.3)) for (const argv of commands) database.execute(argv, { at, db, id });
    }
  }

  assert.ok(taking > CALLS / 10, `only ${taking} groups took something`);
});
