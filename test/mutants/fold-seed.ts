/**
 * Compares the fold alone with a naive fold. Entries arrive in any order, in batches, with cuts and replays. A fault of
 * the fold appears after fewer seeds here than in complete runs.
 */

import { canonicalState } from "../../daemon/store/canonical-state.js";
import { DATABASES_DEFAULT, Database } from "../../daemon/store/database.js";
import { compareEntries, type Entry } from "../../daemon/timeline/entries/entry.js";
import { Fold } from "../../daemon/timeline/fold/fold.js";
import { type Condition, hexOf } from "../../protocol/version-2/envelope.js";
import { unitId } from "../../protocol/version-2/unit-names.js";
import { type Genesis, makeGenesis, makeKey, randomBytes, ringOf } from "../simulation/cast.js";
import { CommandMaker } from "../simulation/commands.js";
import { naiveFold } from "../simulation/naive-fold.js";
import { drawGroups, drawTables } from "../simulation/settings.js";
import { sign } from "../simulation/signatures.js";
import { EPOCH } from "../simulation/world.js";
import { SeededRandom } from "../support/seeded-random.js";

const ENTRIES_MAX = 60;
/** The range of the entries' dates in milliseconds. It is as long as the lifetime of keys. */
const SPREAD_MS = 12_000;

/** Runs a seed. @returns the differences, or an empty list if there are none */
export function foldSeed(seed: number): string[] {
  try {
    const tables = drawTables(new SeededRandom(seed, 0));
    const groups = drawGroups(new SeededRandom(seed, 1));
    const difference = differenceOf(new SeededRandom(seed), { tables, groups });
    return difference === null ? [] : [difference];
  } catch (problem) {
    return [`thrown: ${problem instanceof Error ? problem.stack : problem}`];
  }
}

/** The shares of commands for tables and for consumer groups. */
interface Shares {
  readonly tables: number;
  readonly groups: number;
}

function differenceOf(random: SeededRandom, shares: Shares): string | null {
  const genesis = makeGenesis(random);
  const entries = someEntries(random, genesis, shares);
  const fold = new Fold({
    database: new Database({ databases: DATABASES_DEFAULT }),
    ring: ringOf(genesis),
    cutAt: EPOCH - 1,
  });
  const arriving = random.shuffled(entries);
  while (arriving.length > 0) {
    fold.merge(arriving.splice(0, random.between(1, random.oneOf([1, 4, 30]))));
    const first = arriving.toSorted(compareEntries)[0];
    if (random.chance(0.2)) fold.cut((first?.envelope.at ?? EPOCH + SPREAD_MS) - 1);
  }
  const naive = naiveFold(entries, ringOf(genesis), DATABASES_DEFAULT);
  const [found, expected] = [canonicalState(fold.database), canonicalState(naive.database)];
  if (found.join("\n") === expected.join("\n")) return null;
  return `only in the fold: ${found.filter((line) => !expected.includes(line))}`;
}

/**
 * Returns entries of clients and administrators. Some of their conditions (`if`) name the unit that is the last writer
 * of a key if all entries arrive in order.
 */
function someEntries(random: SeededRandom, genesis: Genesis, shares: Shares): Entry[] {
  const maker = new CommandMaker(random, { keys: random.oneOf([1, 1, 2, 4]), now: EPOCH, ...shares });
  const beginning = (db: number) =>
    sign(
      random.oneOf(genesis.applications),
      { cluster: genesis.cluster, nonce: randomBytes(random, 16), db, at: EPOCH, seq: 0 },
      maker.beginning(),
    );
  const limited = makeKey(random);
  const id = hexOf(limited.id);
  const administration = [
    ["KEY", "ADD", Buffer.from(limited.spki, "latin1").toString("base64"), "RULES", "+@all", "~*"],
    ["KEY", "RULES", id, "+@all", "~n*", "~l*"],
    ["KEY", "REVOKE", id],
  ];
  const isAboutOthers = shares.tables > 0 || shares.groups > 0;
  const entries: Entry[] = isAboutOthers ? [0, 1].map((db) => beginning(db)) : [];
  for (let left = random.between(2, ENTRIES_MAX); left > 0; left--) {
    const header = { cluster: genesis.cluster, nonce: randomBytes(random, 16), db: random.below(2) };
    const date = { at: EPOCH + random.below(SPREAD_MS), seq: random.below(2) };
    const [root] = genesis.roots;
    if (root !== undefined && random.chance(0.1)) {
      entries.push(sign(root, { ...header, ...date }, [random.oneOf(administration)]));
      continue;
    }
    const conditions = random.chance(0.15) ? conditionsOf(entries, { random, maker }) : null;
    const count = conditions === null ? random.between(1, 3) : 1;
    const commands = Array.from({ length: count }, () => maker.write());
    const multi = conditions === null && random.chance(0.2);
    const signer = random.chance(0.3) ? limited : random.oneOf(genesis.applications);
    entries.push(sign(signer, { ...header, ...date, multi, if: conditions }, commands));
  }
  return entries;
}

function conditionsOf(
  entries: readonly Entry[],
  { random, maker }: { random: SeededRandom; maker: CommandMaker },
): Condition[] {
  const before = entries.length === 0 ? null : random.oneOf(entries);
  const key = before?.envelope.commands[0]?.[1];
  if (before === null || key === undefined || random.chance(0.3))
    return [{ db: random.below(2), key: maker.anyKey(), writer: "" }];
  return [{ db: before.envelope.db, key, writer: unitId(before.id, 0) }];
}
