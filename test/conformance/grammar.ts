/**
 * What the random tests of the store are made of: a grammar for each family says how a command's arguments look, and
 * the generator gives it keys, values and numbers that hit each other and the edges.
 * One seed gives one sequence of commands; times are relative to the `now` that the run was given.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { parseInteger } from "../../store/arguments/numbers.js";
import type { SeededRandom } from "../support/seeded-random.js";
import {
  ALL_KEYS,
  FLOAT_EDGES,
  INTEGER_EDGES,
  KEYS,
  type KeyFamily,
  PATTERNS,
  SHARED_KEYS,
  TIME_EDGES,
  WORDS,
} from "./vocabulary.js";

/**
 * For each command of a family (`CONTAINER|NAME` for a subcommand) its arguments, without the name. Mostly sensible
 * ones: surplus, missing and swapped arguments and the name's case are made in call.ts for all commands alike.
 */
export type FamilyGrammar = Readonly<Record<string, (g: Generator) => readonly ByteString[]>>;

/** How many keys a run's commands on any type prefer. */
const FAVOURITES = 8;
/** How long keys live at least: longer than any run of commands takes. */
const LIFETIME_SECONDS_MIN = 200;
const LIFETIME_SECONDS_STEP = 10;
/** How many different ones there are; a prime. */
const LIFETIMES = 9973;
const BINARY_BYTES_MAX = 40;
/** Longer than what Redis keeps in its compact encodings. */
const LONG_BYTES_MAX = 300;

export class Generator {
  readonly random: SeededRandom;
  /** The run's clock, milliseconds since 1970. */
  now: number;
  /** Whose keys `key()` gives. */
  family: KeyFamily = "any";
  /** Keys of all types that commands on any type prefer, so that they meet. */
  readonly #favourites: readonly ByteString[];
  #lifetimes = 0;

  constructor({ random, now }: { random: SeededRandom; now: number }) {
    this.random = random;
    this.now = now;
    this.#favourites = random.shuffled(ALL_KEYS).slice(0, FAVOURITES);
  }

  /** A key: mostly one of the command's own family, some that all types share, a few of another type. */
  key(family: KeyFamily = this.family): ByteString {
    if (family === "any") return this.random.oneOf(this.random.chance(0.7) ? this.#favourites : ALL_KEYS);
    if (this.random.chance(0.03)) return this.random.oneOf(ALL_KEYS);
    return this.random.oneOf(this.random.chance(0.06) ? SHARED_KEYS : KEYS[family]);
  }

  /** From `min` to `max` keys, the same ones more than once too. */
  keys(min = 1, max = 4): ByteString[] {
    return this.some(() => this.key(), min, max);
  }

  field(): ByteString {
    return this.random.chance(0.9) ? this.random.oneOf(WORDS) : this.value();
  }

  member(): ByteString {
    return this.random.chance(0.9) ? this.random.oneOf(WORDS) : this.value();
  }

  /** A value: words, numbers, binary, empty, long. */
  value(): ByteString {
    const kind = this.random.below(20);
    if (kind < 6) return this.random.oneOf(WORDS);
    if (kind < 12) return this.integer();
    if (kind < 15) return this.float();
    if (kind < 18) return this.bytes(this.random.below(BINARY_BYTES_MAX));
    return kind < 19 ? "" : this.bytes(this.random.below(LONG_BYTES_MAX));
  }

  /** Random bytes 0 to 255. */
  bytes(length: number): ByteString {
    let bytes = "";
    for (let i = 0; i < length; i++) bytes += String.fromCharCode(this.random.below(256));
    return bytes;
  }

  /** An integer's text: mostly small, else an edge or none at all. */
  integer(): ByteString {
    const kind = this.random.below(20);
    if (kind < 14) return String(this.random.between(-10, 20));
    if (kind < 16) return String(this.random.between(-100_000, 100_000));
    return this.random.oneOf(INTEGER_EDGES);
  }

  /** A float's text: mostly short, else an edge or none at all. */
  float(): ByteString {
    const kind = this.random.below(20);
    if (kind < 8) return String(this.random.between(-5, 10));
    if (kind < 14) return String(this.random.between(-400, 400) / this.random.oneOf([2, 4, 8, 10, 100, 3]));
    return this.random.oneOf(FLOAT_EDGES);
  }

  /** A score: few different ones, so that members tie. */
  score(): ByteString {
    return this.random.chance(0.8)
      ? this.random.oneOf(["0", "1", "2", "3", "1.5", "-1", "inf", "-inf"])
      : this.float();
  }

  /** An end of a range of scores: `1`, `(1`, `-inf`, or nonsense. */
  scoreBound(): ByteString {
    return (this.random.chance(0.3) ? "(" : "") + this.score();
  }

  /** An end of a range of members: `[a`, `(a`, `-`, `+`, or nonsense. */
  lexBound(): ByteString {
    const kind = this.random.below(20);
    if (kind < 3) return "-";
    if (kind < 6) return "+";
    return kind < 7 ? this.value() : this.random.oneOf(["[", "("]) + this.member();
  }

  /** How many: mostly 0 to 6, seldom negative or an edge. */
  count(): ByteString {
    return this.random.chance(0.85) ? String(this.random.below(7)) : this.integer();
  }

  /** A place from the left or, negative, from the right. */
  index(): ByteString {
    return this.random.chance(0.9) ? String(this.random.between(-6, 6)) : this.integer();
  }

  /** A glob pattern. */
  pattern(): ByteString {
    return this.random.oneOf(PATTERNS);
  }

  /** A SCAN cursor: 0 as a rule. */
  cursor(): ByteString {
    return this.random.chance(0.85) ? "0" : this.integer();
  }

  /** The number of a database: mostly one that is in use. */
  dbIndex(): ByteString {
    return this.random.chance(0.9)
      ? String(this.random.below(4))
      : this.random.oneOf(["15", "16", "-1", "abc", "", "01"]);
  }

  /** A time to live in seconds: far from its end, past, or an edge. */
  seconds(): ByteString {
    const kind = this.random.below(20);
    if (kind < 13) return String(this.#lifetime());
    return kind < 16 ? String(this.random.between(-1000, 0)) : this.#timeEdge();
  }

  /** The same in milliseconds. */
  milliseconds(): ByteString {
    const kind = this.random.below(20);
    if (kind < 13) return String(this.#lifetime() * 1000);
    return kind < 16 ? String(this.random.between(-1_000_000, 0)) : this.#timeEdge();
  }

  /** A time since 1970 in seconds: well after or before the run, or an edge. */
  unixSeconds(): ByteString {
    const kind = this.random.below(20);
    if (kind < 13) return String(Math.floor(this.now / 1000) + this.#lifetime());
    return kind < 16
      ? String(Math.floor(this.now / 1000) - this.random.between(1, 100_000))
      : this.#timeEdge();
  }

  /** The same in milliseconds. */
  unixMilliseconds(): ByteString {
    const kind = this.random.below(20);
    if (kind < 13) return String(this.now + this.#lifetime() * 1000);
    return kind < 16 ? String(this.now - this.random.between(1, 1_000_000)) : this.#timeEdge();
  }

  /** How long a command may wait, in seconds. */
  timeout(): ByteString {
    return this.random.chance(0.9) ? this.random.oneOf(["0", "1", "0.5", "10"]) : this.float();
  }

  oneOf<T>(...choices: readonly T[]): T {
    return this.random.oneOf(choices);
  }

  chance(probability: number): boolean {
    return this.random.chance(probability);
  }

  /** `make`'s results in a row, from `min` to `max` of them: `some(() => [g.field(), g.value()], 1, 3)`. */
  some(make: () => ByteString | readonly ByteString[], min: number, max: number): ByteString[] {
    const result: ByteString[] = [];
    for (let left = this.random.between(min, max); left > 0; left--) {
      const made = make();
      if (typeof made === "string") result.push(made);
      else result.push(...made);
    }
    return result;
  }

  /** The arguments with a probability, else none: `[...g.maybe(0.3, "COUNT", g.count())]`. */
  maybe(probability: number, ...args: readonly ByteString[]): readonly ByteString[] {
    return this.random.chance(probability) ? args : [];
  }

  /** Options in any order, each a group of arguments (an empty one: absent); the option's own word in any case. */
  shuffleOptions(options: readonly (readonly ByteString[])[]): ByteString[] {
    return this.random
      .shuffled(options)
      .flatMap(([word, ...rest]) => (word === undefined ? [] : [this.caseOf(word), ...rest]));
  }

  /** A word in upper, lower or mixed case; what is a number stays. */
  caseOf(word: ByteString): ByteString {
    if (parseInteger(word) !== undefined) return word;
    const kind = this.random.below(8);
    if (kind < 4) return word;
    if (kind < 7) return word.toLowerCase();
    return [...word].map((letter) => (this.random.chance(0.5) ? letter.toLowerCase() : letter)).join("");
  }

  /** Seconds; no two alike, nor near, in some thousand: two clocks must agree on which of two times is the later. */
  #lifetime(): number {
    this.#lifetimes++;
    return LIFETIME_SECONDS_MIN + LIFETIME_SECONDS_STEP * ((this.#lifetimes * 37) % LIFETIMES);
  }

  #timeEdge(): ByteString {
    return this.random.oneOf(TIME_EDGES);
  }
}
