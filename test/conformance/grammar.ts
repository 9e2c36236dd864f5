/**
 * The parts of the store's random tests. A grammar for each family generates the arguments of its commands, and the
 * generator supplies keys, values and numbers that collide and reach the limits. One seed yields one sequence of
 * commands; times are relative to the run's `now`.
 */

import { parseInteger } from "../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../protocol/byte-string.js";
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
 * A function for each command of a family (`CONTAINER|NAME` for a subcommand) that generates the arguments after the
 * name. Most arguments are valid: call.ts makes mistakes (surplus, missing and swapped arguments) and varies the case
 * of the names for all commands.
 */
export type FamilyGrammar = Readonly<Record<string, (g: Generator) => readonly ByteString[]>>;

/** Number of keys that a run's commands on any type prefer. */
const FAVOURITES = 8;
/** Minimum lifetime of a key: longer than any run of commands takes. */
const LIFETIME_SECONDS_MIN = 200;
const LIFETIME_SECONDS_STEP = 10;
/** Number of different lifetimes, a prime. */
const LIFETIMES = 9973;
const BINARY_BYTES_MAX = 40;
/** Longer than the values in Redis's compact encodings. */
const LONG_BYTES_MAX = 300;

export class Generator {
  readonly random: SeededRandom;
  /** The run's clock, in milliseconds since 1970. */
  now: number;
  /** Family whose keys `key()` returns. */
  family: KeyFamily = "any";
  /** Keys of all types that commands on any type prefer, so that they collide. */
  readonly #favourites: readonly ByteString[];
  #lifetimes = 0;

  constructor({ random, now }: { random: SeededRandom; now: number }) {
    this.random = random;
    this.now = now;
    this.#favourites = random.shuffled(ALL_KEYS).slice(0, FAVOURITES);
  }

  /**
   * Returns a key: mostly of the command's own family, sometimes one that all types share, rarely one of another type.
   */
  key(family: KeyFamily = this.family): ByteString {
    if (family === "any") return this.random.oneOf(this.random.chance(0.7) ? this.#favourites : ALL_KEYS);
    if (this.random.chance(0.03)) return this.random.oneOf(ALL_KEYS);
    return this.random.oneOf(this.random.chance(0.06) ? SHARED_KEYS : KEYS[family]);
  }

  /** Returns `min` to `max` keys, with duplicates. */
  keys(min = 1, max = 4): ByteString[] {
    return this.some(() => this.key(), min, max);
  }

  field(): ByteString {
    return this.random.chance(0.9) ? this.random.oneOf(WORDS) : this.value();
  }

  member(): ByteString {
    return this.random.chance(0.9) ? this.random.oneOf(WORDS) : this.value();
  }

  /** Returns a value: a word, a number, binary, empty or long. */
  value(): ByteString {
    const kind = this.random.below(20);
    if (kind < 6) return this.random.oneOf(WORDS);
    if (kind < 12) return this.integer();
    if (kind < 15) return this.float();
    if (kind < 18) return this.bytes(this.random.below(BINARY_BYTES_MAX));
    return kind < 19 ? "" : this.bytes(this.random.below(LONG_BYTES_MAX));
  }

  /** Returns random bytes 0 to 255. */
  bytes(length: number): ByteString {
    let bytes = "";
    for (let i = 0; i < length; i++) bytes += String.fromCharCode(this.random.below(256));
    return bytes;
  }

  /** Returns an integer as text: usually small, otherwise a limit or not an integer. */
  integer(): ByteString {
    const kind = this.random.below(20);
    if (kind < 14) return String(this.random.between(-10, 20));
    if (kind < 16) return String(this.random.between(-100_000, 100_000));
    return this.random.oneOf(INTEGER_EDGES);
  }

  /** Returns a float as text: usually short, otherwise a limit or not a number. */
  float(): ByteString {
    const kind = this.random.below(20);
    if (kind < 8) return String(this.random.between(-5, 10));
    if (kind < 14) return String(this.random.between(-400, 400) / this.random.oneOf([2, 4, 8, 10, 100, 3]));
    return this.random.oneOf(FLOAT_EDGES);
  }

  /** Returns one of a few scores, so that members tie. */
  score(): ByteString {
    return this.random.chance(0.8)
      ? this.random.oneOf(["0", "1", "2", "3", "1.5", "-1", "inf", "-inf"])
      : this.float();
  }

  /** Returns a bound of a range of scores: `1`, `(1`, `-inf`, or an invalid one. */
  scoreBound(): ByteString {
    return (this.random.chance(0.3) ? "(" : "") + this.score();
  }

  /** Returns a bound of a range of members: `[a`, `(a`, `-`, `+`, or an invalid one. */
  lexBound(): ByteString {
    const kind = this.random.below(20);
    if (kind < 3) return "-";
    if (kind < 6) return "+";
    return kind < 7 ? this.value() : this.random.oneOf(["[", "("]) + this.member();
  }

  /** Returns a count: usually 0 to 6, rarely negative or a limit. */
  count(): ByteString {
    return this.random.chance(0.85) ? String(this.random.below(7)) : this.integer();
  }

  /** Returns an index from the left or, negative, from the right. */
  index(): ByteString {
    return this.random.chance(0.9) ? String(this.random.between(-6, 6)) : this.integer();
  }

  /** Returns a glob pattern. */
  pattern(): ByteString {
    return this.random.oneOf(PATTERNS);
  }

  /** Returns a SCAN cursor, usually 0. */
  cursor(): ByteString {
    return this.random.chance(0.85) ? "0" : this.integer();
  }

  /** Returns the number of a database, usually one in use. */
  dbIndex(): ByteString {
    return this.random.chance(0.9)
      ? String(this.random.below(4))
      : this.random.oneOf(["15", "16", "-1", "abc", "", "01"]);
  }

  /** Returns a time to live in seconds: long, negative, or a limit. */
  seconds(): ByteString {
    const kind = this.random.below(20);
    if (kind < 13) return String(this.#lifetime());
    return kind < 16 ? String(this.random.between(-1000, 0)) : this.#timeEdge();
  }

  /** Returns a time to live in milliseconds. */
  milliseconds(): ByteString {
    const kind = this.random.below(20);
    if (kind < 13) return String(this.#lifetime() * 1000);
    return kind < 16 ? String(this.random.between(-1_000_000, 0)) : this.#timeEdge();
  }

  /** Returns a Unix time in seconds: well after or before the run, or a limit. */
  unixSeconds(): ByteString {
    const kind = this.random.below(20);
    if (kind < 13) return String(Math.floor(this.now / 1000) + this.#lifetime());
    return kind < 16
      ? String(Math.floor(this.now / 1000) - this.random.between(1, 100_000))
      : this.#timeEdge();
  }

  /** Returns a Unix time in milliseconds. */
  unixMilliseconds(): ByteString {
    const kind = this.random.below(20);
    if (kind < 13) return String(this.now + this.#lifetime() * 1000);
    return kind < 16 ? String(this.now - this.random.between(1, 1_000_000)) : this.#timeEdge();
  }

  /** Returns the seconds that a command may block. */
  timeout(): ByteString {
    return this.random.chance(0.9) ? this.random.oneOf(["0", "1", "0.5", "10"]) : this.float();
  }

  oneOf<T>(...choices: readonly T[]): T {
    return this.random.oneOf(choices);
  }

  chance(probability: number): boolean {
    return this.random.chance(probability);
  }

  /** Returns `min` to `max` results of `make` in a row: `some(() => [g.field(), g.value()], 1, 3)`. */
  some(make: () => ByteString | readonly ByteString[], min: number, max: number): ByteString[] {
    const result: ByteString[] = [];
    for (let remaining = this.random.between(min, max); remaining > 0; remaining--) {
      const generated = make();
      if (typeof generated === "string") result.push(generated);
      else result.push(...generated);
    }
    return result;
  }

  /** Returns the arguments with the given probability, otherwise none: `[...g.maybe(0.3, "COUNT", g.count())]`. */
  maybe(probability: number, ...args: readonly ByteString[]): readonly ByteString[] {
    return this.random.chance(probability) ? args : [];
  }

  /**
   * Returns the arguments of options in random order, with the options' names in random case.
   * @param options  one array for each option: its name and its values, or an empty array if the option is absent
   */
  shuffleOptions(options: readonly (readonly ByteString[])[]): ByteString[] {
    return this.random
      .shuffled(options)
      .flatMap(([word, ...values]) => (word === undefined ? [] : [this.caseOf(word), ...values]));
  }

  /** Returns a word in upper, lower or mixed case; a number is unchanged. */
  caseOf(word: ByteString): ByteString {
    if (parseInteger(word) !== undefined) return word;
    const kind = this.random.below(8);
    if (kind < 4) return word;
    if (kind < 7) return word.toLowerCase();
    return [...word].map((letter) => (this.random.chance(0.5) ? letter.toLowerCase() : letter)).join("");
  }

  /**
   * Returns a lifetime in seconds. No two of several thousand results are equal or close to each other. Therefore two
   * servers whose clocks differ slightly still agree on which of two keys expires first.
   */
  #lifetime(): number {
    this.#lifetimes++;
    return LIFETIME_SECONDS_MIN + LIFETIME_SECONDS_STEP * ((this.#lifetimes * 37) % LIFETIMES);
  }

  #timeEdge(): ByteString {
    return this.random.oneOf(TIME_EDGES);
  }
}
