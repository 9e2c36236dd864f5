/** Random calls of a command: its name in random case, its grammar's arguments, and sometimes a mistake in them. */

import { parseInteger } from "../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { argumentsFor, type CommandGrammar } from "./families.js";
import type { Generator } from "./grammar.js";

/** Fraction of calls into which randomCall inserts a mistake, in addition to the mistakes of their grammar. */
const MISTAKES = 0.06;
/** Arguments inserted as mistakes. None is a small positive number, which could become a time to live. */
const WRONG_ARGUMENTS: readonly ByteString[] = [
  "",
  "0",
  "-1",
  "abc",
  "nan",
  "9223372036854775807",
  "NX",
  "LIMIT",
  "(1",
  "\x00\xff",
];
/**
 * Maximum number of repetitions. If a command chose more random members, with repetitions, its reply would exhaust the
 * memory of the store and of redis-server.
 */
const REPEATS_MAX = 1000;
/** Redis rejects smaller numbers of repetitions. */
const REPEATS_REFUSED = -(2 ** 62);

/** Returns the name and the arguments. A container's name precedes the name of its subcommand. */
export function randomCall(g: Generator, grammar: CommandGrammar): ByteString[] {
  for (;;) {
    const args = [...argumentsFor(g, grammar)];
    if (g.chance(MISTAKES)) spoil(g, args);
    const argv = [...grammar.name.split("|").map((part) => g.caseOf(part)), ...args];
    if (!isRuinous(grammar.name, argv)) return argv;
  }
}

function spoil(g: Generator, args: ByteString[]): void {
  const index = g.random.below(args.length + 1);
  switch (g.random.below(5)) {
    case 0:
      args.pop();
      break;
    case 1:
      args.push(g.oneOf(...WRONG_ARGUMENTS));
      break;
    case 2:
      args.splice(index, 1, g.oneOf(...WRONG_ARGUMENTS));
      break;
    case 3:
      args.splice(index, 0, ...args.slice(index, index + 1));
      break;
    default:
      args.splice(index, 2, ...args.slice(index, index + 2).reverse());
  }
}

function isRuinous(name: string, argv: readonly ByteString[]): boolean {
  if (!/^[SHZ]RAND/.test(name)) return false;
  const count = Number(parseInteger(argv[2] ?? "") ?? 0);
  return count < -REPEATS_MAX && count >= REPEATS_REFUSED;
}
