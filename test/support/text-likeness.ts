/** The likeness of the texts of two compiled files: how many rare words they have in common. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Matches the parts of names: the words of `maxReplyBytes` are "max", "reply" and "bytes". */
const WORD = /[A-Z]?[a-z]{2,}|[A-Z]{2,}(?![a-z])/g;

/** Matches the imports of a test from its own folder, whose cases are part of it. */
const NEIGHBOUR = /from "(\.\/[^"]+)"/g;

/** The words of a file with their weights, which have the length 1 as a vector. */
type Weights = ReadonlyMap<string, number>;

export class TextLikeness {
  readonly #root: string;
  readonly #words = new Map<string, ReadonlyMap<string, number>>();
  readonly #weights = new Map<string, Weights>();
  /** The number of files that contain each word. */
  readonly #files = new Map<string, number>();

  /** @param files  relative to the root. Words that few of them contain weigh the most */
  constructor(root: string, files: readonly string[]) {
    this.#root = root;
    for (const file of files)
      for (const word of this.#wordsOf(file).keys()) this.#files.set(word, (this.#files.get(word) ?? 0) + 1);
  }

  /** Returns the likeness of two files, from 0 (no words in common) to 1. */
  of(one: string, other: string): number {
    const weights = this.#weightsOf(other);
    let sum = 0;
    for (const [word, weight] of this.#weightsOf(one)) sum += weight * (weights.get(word) ?? 0);
    return sum;
  }

  #weightsOf(file: string): Weights {
    const known = this.#weights.get(file);
    if (known !== undefined) return known;
    const weights = [...this.#wordsOf(file)].map(([word, times]): [string, number] => [
      word,
      (1 + Math.log(times)) * Math.log(1 + this.#words.size / (this.#files.get(word) ?? 1)),
    ]);
    const length = Math.hypot(...weights.map(([, weight]) => weight));
    const result = new Map(weights.map(([word, weight]) => [word, weight / length]));
    this.#weights.set(file, result);
    return result;
  }

  /** Returns how often the file, its path and the modules next to a test contain each word. */
  #wordsOf(file: string): ReadonlyMap<string, number> {
    const known = this.#words.get(file);
    if (known !== undefined) return known;
    const words = new Map<string, number>();
    for (const [word] of `${file} ${this.#textOf(file)}`.matchAll(WORD))
      words.set(word.toLowerCase(), (words.get(word.toLowerCase()) ?? 0) + 1);
    this.#words.set(file, words);
    return words;
  }

  #textOf(file: string): string {
    const path = join(this.#root, file);
    const text = readFileSync(path, "utf8");
    if (!file.endsWith(".test.js")) return text;
    const neighbours = [...text.matchAll(NEIGHBOUR)].map(([, name = ""]) => join(dirname(path), name));
    return [text, ...neighbours.filter(existsSync).map((one) => readFileSync(one, "utf8"))].join(" ");
  }
}
