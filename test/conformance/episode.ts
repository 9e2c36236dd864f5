/**
 * An episode: some hundred random calls on an empty server, determined by seed and number. It is compared, replayed and
 * shrunk as a unit.
 */

import { findCommand } from "../../daemon/store/command-table.js";
import { Database } from "../../daemon/store/database.js";
import { NO_EXPIRY } from "../../daemon/store/keyspace/keyspace.js";
import type { UndoRecord } from "../../daemon/store/keyspace/undo.js";
import { touchesOf } from "../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { SeededRandom } from "../support/seeded-random.js";
import { randomCall } from "./call.js";
import { type CommandGrammar, comparedFamilies, comparedGrammars, type Family } from "./families.js";
import { Generator } from "./grammar.js";
import { type Encoding, isUnspecified } from "./incomparable.js";

export interface Step {
  /** The command's name in the table. */
  readonly name: string;
  readonly argv: readonly ByteString[];
  readonly db: number;
  readonly at: number;
  readonly id: ByteString;
}

export interface Episode {
  readonly steps: readonly Step[];
  readonly encoding: Encoding;
  /** The protocol in which replies are compared. */
  readonly resp: 2 | 3;
}

/** Commands that empty databases. Only some episodes use them, since databases hardly grow with these commands. */
const WIPING = ["FLUSHALL", "FLUSHDB", "SWAPDB"];
const EPISODES_WITH_WIPES = 0.5;
/** Fraction of episodes that concentrate on one family, and fraction of their calls that belong to other families. */
const EPISODES_FOCUSED = 0.5;
const CALLS_OUT_OF_FOCUS = 0.2;
/** Fraction of calls in databases other than 0. */
const CALLS_ELSEWHERE = 0.2;
const DATABASES_USED = 3;
/**
 * Fraction of episodes that expire many keys halfway, and milliseconds to wait until they have expired: the second half
 * finds them expired.
 */
const EPISODES_WITH_PAUSE = 0.15;
const PAUSE = 100;
const PAUSE_EXPIRIES = 0.5;
/** Milliseconds after a call in which no key may expire: both sides would have to check at exactly the same time. */
const EXPIRY_DISTANCE_MIN = 60_000;

/** Returns the episode with this seed and number. @param now the run's clock, in milliseconds since 1970 */
export function episode(
  seed: number,
  number: number,
  { calls, now }: { calls: number; now: number },
): Episode {
  const random = new SeededRandom(seed, number);
  const g = new Generator({ random, now });
  const encoding = random.oneOf<Encoding>(["compact", "default", "large"]);
  const resp = random.oneOf<Episode["resp"]>([2, 3]);
  const choose = chooser(random);

  const database = new Database();
  const steps: Step[] = [];
  let pauseAt = random.chance(EPISODES_WITH_PAUSE) ? calls / 2 : calls;
  let at = now;

  while (steps.length < calls) {
    if (steps.length >= pauseAt) {
      at = now + PAUSE;
      pauseAt = calls;
      steps.push(...expiries(database, random, at));
    }

    const grammar = choose();
    const db = random.chance(CALLS_ELSEWHERE) ? random.below(DATABASES_USED) : 0;
    const argv = randomCall(g, grammar);
    const step = { name: grammar.name, argv, db, at, id: `${seed}.${number}.${steps.length}` };

    const find = (key: ByteString) => database.keyspaces[db]!.find(key)?.value;
    const run = (other: readonly ByteString[]) => database.execute(other, step);
    if (isUnspecified(step.name, argv, encoding, { find, run })) continue;
    if (runUnlessSoonExpired(database, step)) steps.push(step);
  }
  return { steps, encoding, resp };
}

/** Makes many of the database's keys expire just before the time `at`. @returns the executed steps */
function expiries(database: Database, random: SeededRandom, at: number): Step[] {
  const steps: Step[] = [];
  database.keyspaces.forEach((keyspace, db) => {
    for (const { key } of keyspace.entries.filter(() => random.chance(PAUSE_EXPIRIES))) {
      const argv = ["PEXPIREAT", key, String(at - 1)];
      const step = { name: "PEXPIREAT", argv, db, at: at - PAUSE, id: `expiry.${db}.${steps.length}` };
      database.execute(argv, step);
      steps.push(step);
    }
  });
  return steps;
}

/** Returns a function that chooses the next command. */
function chooser(random: SeededRandom): () => CommandGrammar {
  const wipes = random.chance(EPISODES_WITH_WIPES);
  const allowed = (grammars: readonly CommandGrammar[]) =>
    grammars.filter(({ name }) => wipes || !WIPING.includes(name));
  const all = allowed(comparedGrammars);
  if (!random.chance(EPISODES_FOCUSED)) return () => random.oneOf(all);
  const focus = allowed(random.oneOf<Family>(comparedFamilies).commands);
  return () => random.oneOf(random.chance(CALLS_OUT_OF_FOCUS) ? all : focus);
}

/** Runs a step, and undoes it if a key would expire at about the same time. @returns whether it was run */
function runUnlessSoonExpired(database: Database, { name, argv, db, at, id }: Step): boolean {
  const records: UndoRecord[] = [];
  database.execute(argv, { at, db, id }, records);
  const command = findCommand(name);
  if (command === undefined) throw new Error(`the grammar for ${name} belongs to no command of the table`);
  const soon = touchesOf(command.keys, argv).some((touch) => {
    if (touch.key === null) return false;
    const entry = database.keyspaces[touch.db ?? db]?.find(touch.key);
    if (entry === undefined || entry.expire === NO_EXPIRY) return false;
    return entry.expire >= at && entry.expire < at + EXPIRY_DISTANCE_MIN;
  });
  if (soon) database.undo(records);
  return !soon;
}
