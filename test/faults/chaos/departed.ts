/**
 * The folder of a daemon that was left out, as an operator goes through it: what it has and no member does must be in its dead letters,
 * all of it and nothing else, and is written again.
 */
import assert from "node:assert/strict";
import { renameSync, rmSync } from "node:fs";
import { readFolder } from "../folder-contents.js";
import type { Cluster } from "./cluster.js";

/** Hexadecimal digits of a place that are its id. */
const ID_DIGITS = 64;
/** So far ahead of the clock clients may date; see cluster.ts. */
const AHEAD_MS = 2000;
const FIND_MS = 300_000;

interface ToldLetter {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
}

export class Departed {
  readonly id: string;
  readonly #cluster: Cluster;
  readonly #folder: string;

  /** Its daemon has ended. */
  constructor(cluster: Cluster, index: number) {
    this.id = cluster.idOf(index);
    this.#cluster = cluster;
    this.#folder = `${cluster.trio.folder(index)}-${this.id.slice(0, 12)}`;
    renameSync(cluster.trio.folder(index), this.#folder);
  }

  /**
   * Finds its letters, as soon as they can all be told.
   * @param since  up to there all members held the same
   * @returns how many there are
   */
  async find(since: number): Promise<number> {
    const { trio } = this.#cluster;
    const leftAt = Date.now() + AHEAD_MS;
    // It could be asked again and again instead, by a process each time.
    const isFinal = async () => (await this.#cluster.statuses()).every(({ stable }) => stable > leftAt);
    await trio.until(`what ${this.id} had is final`, isFinal, FIND_MS);
    let told = "";
    const found = async () => {
      const words = ["dead-letters", "find", "--data", this.#folder];
      const { code, stdout, stderr } = await this.#cluster.dbsync(words, this.#cluster.members, "root");
      told = stdout + stderr;
      return code === 0;
    };
    await trio.until(`what ${this.id} had can be told`, found, FIND_MS).catch((problem: Error) => {
      throw new Error(`${problem.message}\nit says: ${told}`);
    });
    const lacking = new Set((await readFolder(this.#folder, since)).keys());
    for (const index of this.#cluster.members)
      for (const place of (await readFolder(trio.folder(index), since)).keys()) lacking.delete(place);
    const expected = [...lacking].map((place) => place.slice(-ID_DIGITS)).sort();
    const letters = await this.#letters();
    const ids = letters.filter(({ reason }) => reason === "evicted").map(({ id }) => id);
    assert.deepEqual(ids.sort(), expected, `the dead letters of ${this.id} are what the members lack`);
    return expected.length;
  }

  /** While all members are there: then it is certain what becomes of each. */
  async writeAgain(): Promise<void> {
    const words = ["dead-letters", "write-again", "--all", "--data", this.#folder];
    let told = "";
    const written = async () => {
      const { stdout, stderr } = await this.#cluster.dbsync(words, this.#cluster.members, "app");
      told = stdout + stderr;
      return (await this.#letters()).every(({ state }) => state === "written");
    };
    await this.#cluster.trio
      .until(`the letters of ${this.id} are written again`, written)
      .catch((problem: Error) => {
        throw new Error(`${problem.message}\nit says: ${told}`);
      });
    rmSync(this.#folder, { recursive: true });
  }

  async #letters(): Promise<ToldLetter[]> {
    const words = ["dead-letters", "list", "--data", this.#folder, "--json"];
    const { code, stdout, stderr } = await this.#cluster.dbsync(words, [], "root");
    assert.equal(code, 0, stderr);
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as ToldLetter);
  }
}
