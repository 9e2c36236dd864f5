/**
 * Goes through the folder of a removed daemon as an operator does: all entries that no member has must be among its
 * dead letters, without other ones, and are written again.
 */
import assert from "node:assert/strict";
import { renameSync, rmSync } from "node:fs";
import { readFolder } from "../folder-contents.js";
import type { Cluster } from "./cluster.js";

/** Hexadecimal digits of an order key that are its id. */
const ID_DIGITS = 64;
/** Milliseconds by which clients may date ahead of the clock; see cluster.ts. */
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

  /** The daemon must have ended. */
  constructor(cluster: Cluster, index: number) {
    this.id = cluster.idOf(index);
    this.#cluster = cluster;
    this.#folder = `${cluster.trio.folder(index)}-${this.id.slice(0, 12)}`;
    renameSync(cluster.trio.folder(index), this.#folder);
  }

  /**
   * Finds its dead letters, as soon as all can be determined.
   * @param since  up to this date all members held the same entries
   * @returns their number
   */
  async find(since: number): Promise<number> {
    const { trio } = this.#cluster;
    const leftAt = Date.now() + AHEAD_MS;
    // Polling the command instead would start a process each time.
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

  /** Writes dead letters again while all members run, so that the outcome of each is certain. */
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
