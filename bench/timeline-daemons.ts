/** Starts daemons for benchmarks of the timeline: clusters of peers, or daemons with prepared folders. */
import type { KeyObject } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, type ReplyValue } from "../client/public-api.js";
import { writeMemberList } from "../protocol/members/member-list.js";
import { bytesOfHex, HASH_BYTES } from "../protocol/version-2/envelope.js";
import { knowsSecret } from "../test/support/cluster-secret.js";
import { freePort } from "../test/support/free-port.js";
import { type KeyPair, makeKeys } from "./daemon-cpu.js";
import { type Server, startDaemon } from "./processes.js";

/** How daemons store their timelines; `plain`: they have no timeline. */
export type Durability = "plain" | "memory" | "interval" | "always";

/** The private key of a client. */
export interface PrivateKey {
  readonly privateKey: KeyObject;
}

const DAEMONS = 3;
const POLL_MS = 20;

/** The keys and folders of a benchmark. */
export class Workspace implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "dbsync-bench-"));
  readonly publicFolder: string;
  readonly #keys: readonly KeyPair[];
  readonly #root = makeKeys(1);
  #folders = 0;

  /** Creates keys. @param keys  the number of application keys */
  constructor(keys = 1) {
    const { keys: made, publicFolder } = makeKeys(keys);
    this.#keys = made;
    this.publicFolder = publicFolder;
  }

  get key(): KeyPair {
    return this.#keys[0] as KeyPair;
  }

  get rootFolder(): string {
    return this.#root.publicFolder;
  }

  newFolder(): string {
    return join(this.folder, String(++this.#folders));
  }

  /** Returns the arguments of a daemon with a timeline. */
  args(data: string | null, peers: readonly number[] = [], fsync = "always"): string[] {
    return [
      ...["-s", this.publicFolder, "--root-key", this.rootFolder],
      ...(data === null ? [] : ["--data", data, "--fsync", fsync]),
      ...peers.flatMap((port) => ["--peer", `127.0.0.1:${port}`]),
      ...(peers.length > 0 ? knowsSecret : []),
    ];
  }

  /** Starts three daemons. */
  async start(durability: Durability): Promise<Server[]> {
    const fsync = durability === "interval" ? "interval=100" : "always";
    const folders = Array.from({ length: DAEMONS }, () =>
      durability === "plain" || durability === "memory" ? null : this.newFolder(),
    );
    if (durability === "plain") return Promise.all(folders.map(() => startDaemon(this.args(null))));
    return this.cluster(folders, { fsync });
  }

  /**
   * Starts daemons that are peers of each other, and waits until all are live.
   * @param folders  the data folder of each daemon, or null to store everything in memory
   */
  async cluster(
    folders: readonly (string | null)[],
    { fsync = "always", options = [] }: { fsync?: string; options?: readonly string[] } = {},
  ): Promise<Server[]> {
    const ports = await Promise.all(folders.map(() => freePort()));
    const servers = await Promise.all(
      ports.map((port, i) => {
        const peers = ports.filter((other) => other !== port);
        const args = this.args(folders[i] as string | null, peers, fsync);
        return startDaemon([...args, ...options, "-p", String(port)]);
      }),
    );
    for (const server of servers) await this.until(server, ({ state }) => state === "live");
    return servers;
  }

  /**
   * Starts two daemons that are peers of each other. Both need --peer, because a daemon without it admits no member.
   * @param options  further arguments for both
   */
  async pair(
    senderData: string,
    receiverData: string,
    options: readonly string[] = [],
  ): Promise<{ sender: Server; receiver: Server }> {
    const port = await freePort();
    const sender = await startDaemon([...this.args(senderData, [port]), ...options]);
    const args = [...this.args(receiverData, [sender.port]), ...options];
    return { sender, receiver: await startDaemon([...args, "-p", String(port)]) };
  }

  /** Signs the first member list, which names all daemons, and waits until all of them use it. */
  async list(servers: readonly Server[]): Promise<void> {
    const reports = await Promise.all(servers.map((server) => this.#membership(server)));
    const ids = reports.map((report) => bytesOfHex(String(report.get("id")), HASH_BYTES) ?? "");
    const cluster = bytesOfHex(String(reports[0]?.get("cluster")), HASH_BYTES) ?? "";
    const list = writeMemberList({ cluster, number: 1, parents: [], members: ids, removed: [] });
    await using client = this.client(servers, this.#root.keys[0]);
    await client.call(["CLUSTER", "MEMBERS", list], { policy: "all" });
    for (const server of servers)
      while (Number((await this.#membership(server)).get("reporting")) !== 1) await pause();
  }

  async #membership(server: Server): Promise<ReadonlyMap<string, ReplyValue>> {
    await using client = this.client([server], this.#root.keys[0]);
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

  /** Polls a daemon's status until `holds` returns true. @returns the milliseconds until then */
  async until(server: Server, holds: (status: TimelineStatus) => boolean): Promise<number> {
    await using client = this.client([server], this.#root.keys[0]);
    const startedAt = performance.now();
    for (;;) {
      const status = statusOf(await client.call(["TIMELINE", "STATUS"]));
      if (holds(status)) return performance.now() - startedAt;
      await pause();
    }
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

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));

function fieldsOf(reply: ReplyValue): ReadonlyMap<string, ReplyValue> {
  const fields = new Map<string, ReplyValue>();
  const flat = Array.isArray(reply) ? reply : [];
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(String(flat[i]), flat[i + 1] as ReplyValue);
  return fields;
}

function statusOf(reply: ReplyValue): TimelineStatus {
  const fields = fieldsOf(reply);
  const number = (name: string) => Number(fields.get(name));
  return {
    state: String(fields.get("state")),
    entries: number("data-entries"),
    waiting: number("waiting"),
  };
}

export async function stopAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
}
