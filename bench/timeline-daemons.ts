/**
 * Starts daemons for benchmarks of the timeline: clusters of peers, or daemons with folders that are written here without
 * a daemon.
 */
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { type Client, createClient, type ReplyValue } from "../client/public-api.js";
import { hashOf } from "../daemon/engine/trust/identity.js";
import { loadSigners } from "../daemon/engine/trust/load-signers.js";
import type { Signers } from "../daemon/engine/trust/signers.js";
import { DiskStorage } from "../daemon/timeline/disk/disk-storage.js";
import { type Entry, writeOrderKey } from "../daemon/timeline/entries/entry.js";
import { writeValue } from "../daemon/timeline/entries/stored-value.js";
import { signEnvelopeAsync } from "../keys/signatures.js";
import { type ByteString, bytesOf } from "../protocol/byte-string.js";
import { writeMemberList } from "../protocol/members/member-list.js";
import { writeCommand } from "../protocol/resp/resp-writer.js";
import { bytesOfHex, HASH_BYTES, NONCE_BYTES, SEQ_MAX, signedBytes } from "../protocol/version-2/envelope.js";
import { writeBody } from "../protocol/version-2/envelope-body.js";
import { knowsSecret } from "../test/support/cluster-secret.js";
import { freePort } from "../test/support/free-port.js";
import { until } from "../test/support/until.js";
import { type Server, type Servers, startDaemon, startTogether } from "./processes.js";
import { type KeyPair, makeKey } from "./usage.js";

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

/**
 * Writes data folders with a timeline, without a daemon. Envelopes are signed in parallel, because signing a million of
 * them one by one would take too long.
 */
export interface DataPlan {
  readonly envelopes: number;
  readonly size: number;
  /** The date of the first entry in milliseconds since 1970. */
  readonly from: number;
  /** The milliseconds between two entries. */
  readonly every: number;
  /** Returns the command with the given number. Commands are numbered across all envelopes. */
  readonly command: (number: number) => readonly string[];
}

type SignedEntry = Pick<Entry, "id" | "body" | "signature"> & {
  readonly at: number;
  readonly seq: number;
};

/** The number of concurrent signatures. */
const CONCURRENCY = 64;
const BATCH = 10_000;

function signersOf({ publicFolder, rootFolder }: Workspace): Signers {
  const keys = { signKey: [publicFolder], rootKey: [rootFolder], clusterName: "dbsync" };
  return loadSigners(keys, pino({ level: "silent" }));
}

/** Yields entries in the form in which a client would have sent them. */
export async function* signedEntries(workspace: Workspace, plan: DataPlan): AsyncGenerator<SignedEntry> {
  const { ring, cluster } = signersOf(workspace);
  const key = [...ring.all()].find(({ role }) => role === "application")?.id as ByteString;
  for (let i = 0; i < plan.envelopes; i += CONCURRENCY) {
    const count = Math.min(CONCURRENCY, plan.envelopes - i);
    yield* await Promise.all(
      Array.from({ length: count }, (_, j) => signed(workspace, plan, i + j, { key, cluster })),
    );
  }
}

async function signed(
  workspace: Workspace,
  { size, from, every, command }: DataPlan,
  number: number,
  header: { key: ByteString; cluster: ByteString },
): Promise<SignedEntry> {
  const at = Math.floor(from + number * every);
  const seq = number % (SEQ_MAX + 1);
  const commands = Array.from({ length: size }, (_, i) => writeCommand(command(number * size + i)));
  const nonce = bytesOf(randomBytes(NONCE_BYTES));
  const body = Buffer.from(writeBody({ ...header, at, seq, nonce }, commands), "latin1");
  const bytes = signedBytes(body);
  const signature = await signEnvelopeAsync(bytes, workspace.key.privateKey);
  return { id: hashOf(bytes), body, signature, at, seq };
}

/** Writes entries into a data folder. */
export async function writeFolder(folder: string, entries: AsyncIterable<SignedEntry>): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const storage = new DiskStorage(folder, "never", console);
  let number = 0;
  for await (const entry of entries) {
    storage.put([[writeOrderKey(entry), writeValue(entry.body, entry.signature)]]);
    if (++number % BATCH === 0) await storage.flushed();
  }
  await storage.close();
}
