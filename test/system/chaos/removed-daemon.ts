/**
 * Finds the dead letters in the data folder of a removed daemon, checks that they are exactly the entries that no
 * member has, and writes them again.
 */
import assert from "node:assert/strict";
import { renameSync, rmSync } from "node:fs";
import { readFolder } from "../folder-contents.js";
import type { Cluster } from "./cluster.js";

/** Hexadecimal digits of the id, at the end of an order key. */
const ID_DIGITS = 64;
/** How far a client's date may be ahead of the clock, in milliseconds: the second value of --window in cluster.ts. */
const AHEAD_MS = 2000;
const FIND_MS = 300_000;

interface ListedDeadLetter {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
}

export class RemovedDaemon {
  readonly id: string;
  readonly #cluster: Cluster;
  readonly #folder: string;

  /** Moves the data folder of a daemon that has ended aside, so that its index can be used again. */
  constructor(cluster: Cluster, index: number) {
    this.id = cluster.idOf(index);
    this.#cluster = cluster;
    this.#folder = `${cluster.trio.folder(index)}-${this.id.slice(0, 12)}`;
    renameSync(cluster.trio.folder(index), this.#folder);
  }

  /**
   * Finds the dead letters as soon as all dead letters can be determined.
   * @param since  the date up to which all members had the same entries
   * @returns the number of dead letters
   */
  async find(since: number): Promise<number> {
    const { trio } = this.#cluster;
    const leftAt = Date.now() + AHEAD_MS;
    // Polling `dbsync dead-letters` would start a process each time.
    const isFinal = async () => (await this.#cluster.statuses()).every(({ stable }) => stable > leftAt);
    await trio.until(`the entries of ${this.id} are final`, isFinal, FIND_MS);

    let output = "";
    const found = async () => {
      const args = ["dead-letters", "find", "--data", this.#folder];
      const { code, stdout, stderr } = await this.#cluster.dbsync(args, this.#cluster.members, "root");
      output = stdout + stderr;
      return code === 0;
    };
    await trio
      .until(`the dead letters of ${this.id} can be determined`, found, FIND_MS)
      .catch((problem: Error) => {
        throw new Error(`${problem.message}\noutput: ${output}`);
      });

    const missing = new Set((await readFolder(this.#folder, since)).keys());
    for (const index of this.#cluster.members)
      for (const orderKey of (await readFolder(trio.folder(index), since)).keys()) missing.delete(orderKey);
    const expected = [...missing].map((orderKey) => orderKey.slice(-ID_DIGITS)).sort();

    const deadLetters = await this.#deadLetters();
    const ids = deadLetters.filter(({ reason }) => reason === "evicted").map(({ id }) => id);
    assert.deepEqual(
      ids.sort(),
      expected,
      `the dead letters of ${this.id} are the entries that no member has`,
    );
    return expected.length;
  }

  /** Writes the dead letters again. All members must be running: otherwise outcomes may remain unknown. */
  async writeAgain(): Promise<void> {
    const args = ["dead-letters", "write-again", "--all", "--data", this.#folder];
    let output = "";
    const written = async () => {
      const { stdout, stderr } = await this.#cluster.dbsync(args, this.#cluster.members, "app");
      output = stdout + stderr;
      return (await this.#deadLetters()).every(({ state }) => state === "written");
    };
    await this.#cluster.trio
      .until(`the dead letters of ${this.id} are written again`, written)
      .catch((problem: Error) => {
        throw new Error(`${problem.message}\noutput: ${output}`);
      });
    rmSync(this.#folder, { recursive: true });
  }

  async #deadLetters(): Promise<ListedDeadLetter[]> {
    const args = ["dead-letters", "list", "--data", this.#folder, "--json"];
    const { code, stdout, stderr } = await this.#cluster.dbsync(args, [], "root");
    assert.equal(code, 0, stderr);
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as ListedDeadLetter);
  }
}
