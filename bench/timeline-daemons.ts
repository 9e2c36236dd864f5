/** Starts daemons for benchmarks of the timeline: clusters of peers, or daemons with prepared folders. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, type ReplyValue } from "../client/public-api.js";
import { writeMemberList } from "../protocol/members/member-list.js";
import { bytesOfHex, HASH_BYTES } from "../protocol/version-2/envelope.js";
import { knowsSecret } from "../test/support/cluster-secret.js";
import { freePort } from "../test/support/free-port.js";
import { until } from "../test/support/until.js";
import { type KeyPair, makeKey } from "./daemon-cpu.js";
import { type Server, type Servers, startDaemon, startTogether } from "./processes.js";

/** How daemons store their timelines; `plain`: they have no timeline. */
export type Durability = "plain" | "memory" | "interval" | "always";

/** The private key of a client. */
export type PrivateKey = Pick<KeyPair, "privateKey">;

export interface ClusterOptions {
  readonly fsync?: string;
  /** Whether the daemons have the key of an administrator. Otherwise they authorize their own keys. */
  readonly hasRoot?: boolean;
  /** Returns further arguments of the daemon with this number. */
  readonly options?: (i: number) => readonly string[];
}

const DAEMONS = 3;

/** The keys and folders of a benchmark. */
export class Workspace implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "dbsync-bench-"));
  readonly publicFolder: string;
  /** The application's RSA key. */
  readonly key: KeyPair;
  readonly #root = makeKey();
  #folders = 0;

  constructor() {
    this.key = makeKey();
    this.publicFolder = this.key.publicFolder;
  }

  /** Lets daemons that start later accept another key. */
  accept({ publicFolder }: KeyPair): void {
    cpSync(publicFolder, this.publicFolder, { recursive: true });
  }

  get rootFolder(): string {
    return this.#root.publicFolder;
  }

  newFolder(): string {
    return join(this.folder, String(++this.#folders));
  }

  /** Returns the arguments of a daemon with a timeline. */
  args(data: string | null, peers: readonly number[] = [], fsync = "always", hasRoot = true): string[] {
    return [
      ...["-s", this.publicFolder, ...(hasRoot ? ["--root-key", this.rootFolder] : [])],
      ...(data === null ? [] : ["--data", data, "--fsync", fsync]),
      ...peers.flatMap((port) => ["--peer", `127.0.0.1:${port}`]),
      ...(peers.length > 0 ? knowsSecret : []),
    ];
  }

  /** Starts three daemons, which are peers of each other unless they have no timeline. */
  start(durability: Durability): Promise<Servers> {
    const daemons = Array.from({ length: DAEMONS });
    if (durability === "plain") return startTogether(daemons.map(() => startDaemon(this.args(null))));
    const fsync = durability === "interval" ? "interval=100" : "always";
    return this.cluster(
      daemons.map(() => (durability === "memory" ? null : this.newFolder())),
      { fsync },
    );
  }

  /**
   * Starts daemons that are peers of each other. If they have a root key, waits until all are live.
   * @param folders  the data folder of each daemon, or null to store everything in memory
   */
  async cluster(
    folders: readonly (string | null)[],
    { fsync = "always", options = () => [], hasRoot = true }: ClusterOptions = {},
  ): Promise<Servers> {
    const ports = await Promise.all(folders.map(() => freePort()));
    const servers = await startTogether(
      folders.map((folder, i) => {
        const peers = ports.filter((_, other) => other !== i);
        const args = this.args(folder, peers, fsync, hasRoot);
        return startDaemon([...args, ...options(i), "-p", String(ports[i])]);
      }),
    );
    if (hasRoot) for (const server of servers) await this.until(server, ({ state }) => state === "live");
    return servers;
  }

  /**
   * Starts two daemons that are peers of each other. Both need --peer, because a daemon without it admits no member.
   */
  async pair(senderData: string, receiverData: string): Promise<[sender: Server, receiver: Server]> {
    const port = await freePort();
    const sender = await startDaemon(this.args(senderData, [port]));
    const args = this.args(receiverData, [sender.port]);
    return [sender, await startDaemon([...args, "-p", String(port)])];
  }

  /** Signs the first member list, which names all daemons, and waits until all of them use it. */
  async list(servers: readonly Server[]): Promise<void> {
    const reports = await Promise.all(servers.map((server) => this.#membership(server)));
    const ids = reports.map((report) => bytesOfHex(String(report.get("id")), HASH_BYTES) ?? "");
    const cluster = bytesOfHex(String(reports[0]?.get("cluster")), HASH_BYTES) ?? "";
    const list = writeMemberList({ cluster, number: 1, parents: [], members: ids, removed: [] });
    await using client = this.client(servers, this.#root);
    await client.call(["CLUSTER", "MEMBERS", list], { policy: "all" });
    for (const server of servers)
      await until("the daemon uses the list", async () => {
        const reported = await this.#membership(server);
        return Number(reported.get("reporting")) === 1;
      });
  }

  async #membership(server: Server): Promise<ReadonlyMap<string, ReplyValue>> {
    await using client = this.client([server], this.#root);
    return fieldsOf(await client.call(["CLUSTER", "MEMBERS"]));
  }

  client(servers: readonly Server[], key: PrivateKey = this.key): Client {
    return createClient({
      servers: servers.map(({ port }) => `127.0.0.1:${port}`),
      key: key.privateKey,
      versions: "2",
      timeout: 10_000,
    });
  }

  /** Polls a daemon's status until `holds` returns true. */
  async until(server: Server, holds: (status: TimelineStatus) => boolean): Promise<void> {
    await using client = this.client([server], this.#root);
    await until("the daemon has the status", async () => {
      const fields = fieldsOf(await client.call(["TIMELINE", "STATUS"]));
      const [entries, waiting] = ["data-entries", "waiting"].map((name) => Number(fields.get(name)));
      return holds({ state: String(fields.get("state")), entries: entries ?? 0, waiting: waiting ?? 0 });
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface TimelineStatus {
  readonly state: string;
  readonly entries: number;
  readonly waiting: number;
}

function fieldsOf(reply: ReplyValue): ReadonlyMap<string, ReplyValue> {
  const fields = new Map<string, ReplyValue>();
  const flat = Array.isArray(reply) ? reply : [];
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(String(flat[i]), flat[i + 1] as ReplyValue);
  return fields;
}
