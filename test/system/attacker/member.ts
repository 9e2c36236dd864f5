/**
 * A peer that claims to be a member. It proves that it has its key, and then sends any messages that the test chooses.
 * Source: docs/protocol-v2.md, "Members".
 */
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { memberKnows } from "../../../protocol/version-2/messages-v2.js";
import { helloOf } from "./client.js";
import { Connection } from "./connection.js";
import { type Key, signatureOf } from "./key.js";
import { type Item, type Message, textOf } from "./wire.js";

export interface Claims {
  readonly watermark: number;
  /** The date up to which the peer claims to have pruned its entries. */
  readonly pruned: number;
  readonly state: string;
  readonly ringCount: number;
  readonly ringSum: Buffer;
  readonly dataCount: number;
  readonly dataSum: Buffer;
}

export interface MemberOptions {
  readonly key: Key;
  /** The cluster secret. Without it, the proof contains an empty MAC. */
  readonly secret?: Buffer | undefined;
  /** The key id in the hello, by default the id of `key`. */
  readonly named?: Buffer;
}

/** Milliseconds between the statuses of the attacker, which sends them more often than a daemon. */
const STATUS_MS = 200;

/** The number of bytes in a snapshot part. */
const PART_BYTES = 256 * 1024;

/** Returns a snapshot of the requested date, or of any date if the requested date is 0. */
export type SnapshotSource = (at: number) => { at: number; bytes: Buffer } | null;

export class Member implements Disposable {
  readonly connection: Connection;
  #serial = 0;
  #pushes = 0;
  #timer: NodeJS.Timeout | null = null;
  #claims = (): Claims => this.lastClaims();
  #snapshot: SnapshotSource = () => null;

  private constructor(connection: Connection) {
    this.connection = connection;
  }

  /** Connects as a member. @throws Error if the daemon does not admit it; the error contains the last message */
  static async join(port: number, options: MemberOptions): Promise<Member> {
    const connection = await Connection.open(port);
    try {
      await prove(connection, options);
      return new Member(connection);
    } catch (reason) {
      connection[Symbol.dispose]();
      throw reason;
    }
  }

  /**
   * Listens on a port where daemons expect a peer, and answers the first one that connects.
   * @throws Error  if the daemon does not accept it as that peer
   */
  static async answer(port: number, options: MemberOptions): Promise<Member> {
    const server = createServer().listen(port, "127.0.0.1");
    const [socket] = (await once(server, "connection")) as [Socket];
    server.close();
    const connection = new Connection(socket);
    try {
      await proveBack(connection, options);
      return new Member(connection);
    } catch (reason) {
      connection[Symbol.dispose]();
      throw reason;
    }
  }

  /** Returns the claims of the daemon's last status. */
  lastClaims(): Claims {
    return claimsOf(this.connection.named("status").at(-1) as Message);
  }

  /**
   * Sends false claims immediately and then repeatedly, and answers requests accordingly.
   * @param claim  returns the false claims, from the daemon's last ones
   */
  claim(claim: (received: Claims) => Claims, snapshot: SnapshotSource = () => null): void {
    const claims = () => claim(this.lastClaims());
    const sendStatus = () => this.connection.send("status", ++this.#serial, ...statusOf(claims()));
    if (this.#timer !== null) clearInterval(this.#timer);
    else this.connection.onMessage((message) => this.#answer(message));
    this.#claims = claims;
    this.#snapshot = snapshot;
    this.#timer = setInterval(sendStatus, STATUS_MS);
    sendStatus();
  }

  /** Sends entries without a request. The daemon acknowledges them with `have`. */
  push(entries: readonly Buffer[]): void {
    const bytes = Buffer.concat(entries);
    this.connection.send("push", ++this.#pushes, bytes.length, 0, bytes);
  }

  /** Waits until the daemon has acknowledged all pushed entries, or has closed the connection. */
  async acknowledged(): Promise<void> {
    const last = this.#pushes;
    await this.connection.until(() =>
      this.connection.named("have").find(([, number]) => Number(textOf(number)) >= last),
    );
  }

  /**
   * Waits until the daemon has sent the given number of statuses or has closed the connection. By then it has had time
   * to react.
   */
  async receivedStatuses(statuses: number): Promise<void> {
    await this.connection.until(() => this.connection.named("status")[statuses - 1]);
  }

  #answer([name, first, second]: Message): void {
    const at = Number(textOf(first));
    if (textOf(name) === "report-request") this.connection.send("report", at, ...reportOf(this.#claims()));
    if (textOf(name) !== "snapshot-pull") return;
    const number = Number(textOf(second));
    const source = this.#snapshot(at);
    if (source === null) this.connection.send("snapshot-part", 0, number, 0, 1, "");
    else this.connection.send("snapshot-part", ...partOf(source, number));
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.connection[Symbol.dispose]();
  }
}

async function prove(connection: Connection, options: MemberOptions): Promise<void> {
  const { key, named = key.id } = options;
  // The first frame of a member must contain the id of the cluster. A client connection receives this id first.
  const cluster = await clusterAt(connection.socket.remotePort as number);
  connection.send("hello", "1 2", named, cluster, Date.now(), "live", "daemon", "", memberKnows().join(" "));
  const { daemon } = helloOf(await connection.next("hello"));
  const daemonChallenge = (await connection.next("challenge"))[1] as Buffer;
  const ownChallenge = randomBytes(32);
  connection.send("challenge", ownChallenge);
  connection.send(
    "proof",
    ...proofOf(options, [cluster, named, daemon, ownChallenge, daemonChallenge, Buffer.from([1])]),
  );
  await connection.next("proof");
  await connection.next("status");
}

async function proveBack(connection: Connection, options: MemberOptions): Promise<void> {
  const { key, named = key.id } = options;
  const { daemon, cluster } = helloOf(await connection.next("hello"));
  const ownChallenge = randomBytes(32);
  connection.send("hello", "1 2", named, cluster, Date.now(), "live", "daemon", "", memberKnows().join(" "));
  connection.send("challenge", ownChallenge);
  const daemonChallenge = (await connection.next("challenge"))[1] as Buffer;
  connection.send(
    "proof",
    ...proofOf(options, [cluster, daemon, named, daemonChallenge, ownChallenge, Buffer.from([2])]),
  );
  await connection.next("status");
}

function proofOf({ key, secret }: MemberOptions, parts: readonly Buffer[]): Buffer[] {
  const proven = Buffer.concat([Buffer.from("dbsync2\0members-3\0"), ...parts]);
  const mac = secret === undefined ? Buffer.alloc(0) : createHmac("sha256", secret).update(proven).digest();
  return [key.spki, signatureOf(key, proven), mac];
}

async function clusterAt(port: number): Promise<Buffer> {
  using connection = await Connection.open(port);
  connection.send("hello", "2", "", "", Date.now(), "", "client", "", "");
  return helloOf(await connection.next("hello")).cluster;
}

function statusOf(claims: Claims): Item[] {
  const { watermark, pruned, state, ringCount, ringSum, dataCount, dataSum } = claims;
  const now = Date.now();
  return [0, 0, now, watermark, pruned, now, state, 0, ringCount, ringSum, dataCount, dataSum];
}

function reportOf({ watermark, ringCount, ringSum, dataCount, dataSum }: Claims): Item[] {
  return [watermark, ringCount, ringSum, dataCount, dataSum];
}

function partOf({ at, bytes }: { at: number; bytes: Buffer }, number: number): Item[] {
  const start = number * PART_BYTES;
  const last = start + PART_BYTES >= bytes.length ? 1 : 0;
  return [at, number, bytes.length, last, bytes.subarray(start, start + PART_BYTES)];
}

/** Returns the claims in a daemon's status. */
function claimsOf(status: Message): Claims {
  const [, , , , , watermark, pruned, , state, , ringCount, ringSum, dataCount, dataSum] = status;
  return {
    watermark: Number(textOf(watermark)),
    pruned: Number(textOf(pruned)),
    state: textOf(state),
    ringCount: Number(textOf(ringCount)),
    ringSum: ringSum as Buffer,
    dataCount: Number(textOf(dataCount)),
    dataSum: dataSum as Buffer,
  };
}
