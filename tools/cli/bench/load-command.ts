/** The commands that `dbsync bench` sends, made from a template with placeholders for a random key and a value. */
import { DbsyncError } from "../../../client/shared/errors.js";
import { splitArguments } from "../shared/split-typed-line.js";

const KEY_MARK = "__rand__";
const VALUE_MARK = "__value__";

/** The prefix of the keys of `set`, `get` and `mixed`, which are removed after the run. */
export const BENCH_KEYS = "dbsync-bench:";

const SET = `SET ${BENCH_KEYS}${KEY_MARK} ${VALUE_MARK}`;
const GET = `GET ${BENCH_KEYS}${KEY_MARK}`;

/** Number of reads among ten commands of `mixed`. */
const READS_OF_TEN = 9;

/** A source of commands; `make` returns the arguments of the next one. */
export interface LoadCommand {
  readonly title: string;
  /** Whether the keys must exist before the benchmark begins. */
  readonly reads: boolean;
  /** Whether `dbsync bench` chooses the names of the keys. If so, it removes the keys after the run. */
  readonly usesBenchKeys: boolean;
  readonly make: () => string[];
}

/**
 * @param text    `set`, `get`, `mixed`, or a command that may contain `__rand__` and `__value__`, quoted as in `dbsync
 *   repl`
 * @param random  returns a number from 0 (inclusive) to 1 (exclusive)
 * @throws DbsyncError `bad-command`
 */
export function loadCommand(
  text: string,
  { keys, value, random }: { keys: number; value: string; random: () => number },
): LoadCommand {
  const maker = (template: string) => templateOf(template, { keys, value, random });
  switch (text) {
    case "set":
      return { title: SET, reads: false, usesBenchKeys: true, make: maker(SET) };
    case "get":
      return { title: GET, reads: true, usesBenchKeys: true, make: maker(GET) };
    case "mixed": {
      const [set, get] = [maker(SET), maker(GET)];
      const make = () => (random() * 10 < READS_OF_TEN ? get() : set());
      return {
        title: `${READS_OF_TEN} of 10 ${GET}, otherwise ${SET}`,
        reads: true,
        usesBenchKeys: true,
        make,
      };
    }
    default:
      return { title: text, reads: false, usesBenchKeys: false, make: maker(text) };
  }
}

function templateOf(
  template: string,
  { keys, value, random }: { keys: number; value: string; random: () => number },
): () => string[] {
  const words = splitArguments(template);
  if (words.length === 0) throw new DbsyncError("bad-command", "the command is empty");
  const texts = words.map((word) => {
    if (typeof word === "string") return word;
    throw new DbsyncError(
      "bad-command",
      "--command of bench must be text; binary arguments are not supported",
    );
  });
  return () =>
    texts.map((text) => {
      if (!text.includes("__")) return text;
      const withValue = text.replaceAll(VALUE_MARK, () => value);
      return withValue.replaceAll(KEY_MARK, () => String(Math.floor(random() * keys)));
    });
}
