/** The honest daemons of one cluster. Each is a real process with its own folder, port and key. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { freePort } from "../../support/free-port.js";
import { ScratchFolder } from "../../support/scratch-folder.js";
import type { DaemonArgs } from "../../support/trio.js";
import { until } from "../../support/until.js";
import { Client } from "./client.js";
import { type Command, clusterIdOf } from "./envelope.js";
import { type Key, makeKey } from "./key.js";
import { textOf } from "./wire.js";

export interface VictimOptions {
  /** Whether the daemons have data folders (the default) or store everything in memory. */
  readonly data?: boolean;
  /** How the daemons recognize each other. By default each daemon is alone. */
  readonly peers?: "secret" | "pinned" | "none";
  /**
   * The keys of further members, for example of an attacker. The daemons expect them on ports where no process
   * listens.
   */
  readonly others?: readonly Key[];
  readonly args?: DaemonArgs;
  /** Options of Node, for example a heap limit. */
  readonly execArgv?: readonly string[];
  readonly root?: boolean;
}

export class Victims implements AsyncDisposable {
  readonly scratch = new ScratchFolder();
  readonly application = makeKey();
  readonly root = makeKey();
  /** The cluster secret, for tests in which the attacker knows it. */
  readonly secret = makeKey().id;
  readonly cluster: Buffer;
  /** The signing keys of the daemons. */
  readonly keys: readonly Key[];
  readonly daemons: DaemonProcess[] = [];
  readonly #options: VictimOptions;
  #ports: number[] = [];
  #otherPorts: number[] = [];

  private constructor(count: number, options: VictimOptions) {
    this.#options = options;
    this.keys = Array.from({ length: count }, makeKey);
    this.cluster = clusterIdOf("dbsync", [this.application], options.root === false ? [] : [this.root]);
  }

  static async start(count: number, options: VictimOptions = {}): Promise<Victims> {
    const victims = new Victims(count, options);
    for (const _ of victims.keys) victims.#ports.push(await freePort());
    for (const _ of options.others ?? []) victims.#otherPorts.push(await freePort());
    try {
      const starts = victims.keys.map((_, index) => victims.launch(index));
      victims.daemons.push(...(await Promise.all(starts)));
    } catch (reason) {
      await victims[Symbol.asyncDispose]();
      throw reason;
    }
    return victims;
  }

  port(index: number): number {
    return this.#ports[index] as number;
  }

  /** Returns the port where daemon `index` expects a member of `others`. */
  otherPort(index: number): number {
    return this.#otherPorts[index] as number;
  }

  /** The addresses of all daemons, for clients. */
  get servers(): string[] {
    return this.#ports.map((port) => `127.0.0.1:${port}`);
  }

  folder(index: number): string {
    return join(this.scratch.path, `data${index}`);
  }

  /** Starts a daemon with its original arguments. */
  async launch(index: number): Promise<DaemonProcess> {
    const { execArgv = [] } = this.#options;
    return await startDaemon(["--port", String(this.port(index)), ...this.#arguments(index)], { execArgv });
  }

  /** Kills a daemon and starts it again. @param change  changes its folder before the start */
  async restart(index: number, change: () => void = () => {}): Promise<DaemonProcess> {
    await this.daemons[index]?.[Symbol.asyncDispose]();
    change();
    const daemon = await this.launch(index);
    this.daemons[index] = daemon;
    return daemon;
  }

  /** Connects a client to one daemon. */
  async client(index = 0, key: Key = this.application): Promise<Client> {
    return await Client.open(this.port(index), key);
  }

  /** Sends a reading command to each daemon. @returns the state and the answer of each */
  async views(...command: Command): Promise<string[]> {
    return await Promise.all(
      this.daemons.map(async (_, index) => {
        using client = await this.client(index);
        const { state } = await client.hello();
        const { replies, refused } = await client.ask([command]);
        return `${state} ${refused ?? textOf(replies[0])}`;
      }),
    );
  }

  /** Returns the key ring of a daemon, as KEY LIST shows it to the root key. */
  async ring(index: number): Promise<string> {
    using client = await this.client(index, this.root);
    const { replies, refused } = await client.ask([["KEY", "LIST"]]);
    return (
      refused ??
      JSON.stringify(replies[0], (_, value) =>
        value?.type === "Buffer" ? Buffer.from(value).toString() : value,
      )
    );
  }

  async allLive(): Promise<void> {
    await until("all daemons are live", async () =>
      (await this.views("PING")).every((view) => view === "live PONG"),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
    this.scratch[Symbol.dispose]();
  }

  #arguments(index: number): string[] {
    const { data = true, peers = "none", others = [], args = [], root = true } = this.#options;
    const more = typeof args === "function" ? args(index) : args;
    const list = ["-s", this.scratch.file("application.pem", this.application.pem), ...more];
    if (root) list.push("--root-key", this.scratch.file("root.pem", this.root.pem));
    if (data) list.push("--data", this.#folderWithKey(index));

    const pin = (key: Key) => (peers === "pinned" ? `#ed25519:${key.id.toString("hex")}` : "");
    if (peers !== "none") {
      this.keys.forEach((key, other) => {
        if (other !== index) list.push("--peer", `127.0.0.1:${this.port(other)}${pin(key)}`);
      });
      others.forEach((key, other) => {
        list.push("--peer", `127.0.0.1:${this.#otherPorts[other]}${pin(key)}`);
      });
    }

    if (peers === "secret")
      list.push("--cluster-secret", this.scratch.file("secret", `${this.secret.toString("hex")}\n`));
    return list;
  }

  /** Creates a folder with the daemon's key, so that other members can pin it. */
  #folderWithKey(index: number): string {
    const folder = this.folder(index);
    mkdirSync(folder, { mode: 0o700, recursive: true });
    const pem = (this.keys[index] as Key).privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(join(folder, "daemon.pem"), pem, { mode: 0o600 });
    return folder;
  }
}
