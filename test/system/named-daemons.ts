/**
 * Real daemons of a cluster without administrators, whose --peer a test changes: each reads it from a file. The lists
 * that they sign change by these options and by `dbsync members` alone.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ChildResult, runDbsync } from "../client/child.js";
import { secretFile } from "../support/cluster-secret.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";

interface View {
  readonly lists: readonly { readonly hash: string; readonly members: readonly string[] }[];
  readonly daemons: readonly { readonly id: string; readonly state: string; readonly joining: boolean }[];
}

export class NamedDaemons implements AsyncDisposable {
  readonly trio: Trio;
  readonly #folder: ScratchFolder;

  private constructor(trio: Trio, folder: ScratchFolder) {
    this.trio = trio;
    this.#folder = folder;
  }

  /** Creates daemons without starting them. None names another one yet. */
  static async make(count: number): Promise<NamedDaemons> {
    const folder = new ScratchFolder();
    const args = (index: number) => ["--config", fileIn(folder, index)];
    const daemons = new NamedDaemons(await Trio.make(args, count, { keys: "app", arePeers: false }), folder);
    for (let index = 0; index < count; index++) daemons.name([index]);
    return daemons;
  }

  /** Starts daemons that name each other, and waits until they use a list. */
  static async start(indices: readonly number[], count = indices.length): Promise<NamedDaemons> {
    const daemons = await NamedDaemons.make(count);
    daemons.name(indices);
    await Promise.all(indices.map((index) => daemons.trio.start(index)));
    await daemons.untilListed(indices);
    return daemons;
  }

  /** Writes the options of daemons that name each other, which they read at their next start or reload. */
  name(indices: readonly number[]): void {
    for (const index of indices) {
      const peers = indices.filter((other) => other !== index).map((other) => this.trio.servers[other]);
      const lines = [
        `peer = ${JSON.stringify(peers)}`,
        ...(peers.length > 0 ? [`cluster-secret = ${JSON.stringify(secretFile)}`] : []),
      ];
      writeFileSync(fileIn(this.#folder, index), `${lines.join("\n")}\n`);
    }
  }

  async reload(index: number): Promise<void> {
    const daemon = this.trio.daemon(index);
    const before = daemon.log.length;
    daemon.kill("SIGHUP");
    await this.trio.until("the configuration is read again", async () =>
      daemon.log.slice(before).some(({ msg }) => /read again/.test(msg)),
    );
  }

  /** Runs `dbsync members` on the machine of a daemon. */
  tryMembers(index: number, ...words: readonly string[]): Promise<ChildResult> {
    return runDbsync(["members", ...words, "--data", this.trio.folder(index)], {
      folder: this.#folder.path,
      variables: { DBSYNC_SERVERS: this.trio.servers[index] as string },
    });
  }

  /** @returns the output of the command, which must succeed */
  async members(index: number, ...words: readonly string[]): Promise<string> {
    const { stdout, stderr, code } = await this.tryMembers(index, ...words);
    assert.equal(code, 0, `${words.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }

  async viewOf(index: number): Promise<View> {
    return JSON.parse(await this.members(index, "list", "--json")) as View;
  }

  /** Returns the id of a running daemon, once it answers. */
  async idOf(index: number): Promise<string> {
    let id = "";
    await this.trio.until("the daemon answers", async () => {
      id = (await this.viewOf(index)).daemons[0]?.id ?? "";
      return id !== "";
    });
    return id;
  }

  /** Waits until daemons use one list that names exactly them, and are live. */
  async untilListed(indices: readonly number[]): Promise<void> {
    await this.trio.until(`the daemons ${indices} use a list of their own`, async () => {
      const views = await Promise.all(indices.map((index) => this.viewOf(index)));
      const ids = views.map(({ daemons }) => daemons[0]?.id).sort();
      return views.every(
        ({ lists, daemons: [daemon] }) =>
          lists.length === 1 &&
          lists[0]?.hash === views[0]?.lists[0]?.hash &&
          [...(lists[0]?.members ?? [])].sort().join() === ids.join() &&
          daemon?.state === "live" &&
          !daemon.joining,
      );
    });
  }

  /** Waits until each of some daemons returns the names of keys as their values. */
  async untilKept(indices: readonly number[], keys: readonly string[]): Promise<void> {
    for (const index of indices)
      await this.trio.until(`daemon ${index} has all acknowledged writes`, async () => {
        await using client = this.trio.client([index]);
        for (let from = 0; from < keys.length; from += KEYS_MAX) {
          const some = keys.slice(from, from + KEYS_MAX);
          const values = await client.call(["MGET", ...some]);
          if (JSON.stringify(values) !== JSON.stringify(some)) return false;
        }
        return true;
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.trio[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

/** The number of keys that one command reads. */
const KEYS_MAX = 100;

const fileIn = (folder: ScratchFolder, index: number): string => join(folder.path, `${index}.toml`);
