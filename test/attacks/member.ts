/**
 * A peer that claims to be a member: the opener's side of the proof, followed by any messages that the test
 * chooses. Source: docs/protocol-v2.md, "Members".
 */
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { helloOf } from "./client.js";
import { Connection } from "./connection.js";
import { type Key, signatureOf } from "./key.js";
import { type Item, type Message, textOf } from "./wire.js";

export interface Claims {
  readonly watermark: number;
  /** Date up to which it claims to have pruned its entries. */
  readonly pruned: number;
  readonly state: string;
  readonly ringCount: number;
  readonly ringSum: Buffer;
  readonly dataCount: number;
  readonly dataSum: Buffer;
}

export interface MemberOptions {
  readonly key: Key;
  /** Secret of the cluster's secret file; undefined: an empty mac. */
  readonly secret?: Buffer | undefined;
  /** Key named in the hello; default: its own. */
  readonly named?: Buffer;
}

/** Milliseconds between an attacker's statuses: shorter than a daemon's. */
const STATUS_MS = 200;

/** Bytes of a snapshot part, and the maximum number of parts in flight. */
const PART_BYTES = 256 * 1024;

/** Returns a snapshot for the requested date; 0: any date. */
export type Give = (at: number) => { at: number; bytes: Buffer } | null;

export class Member implements Disposable {
  readonly connection: Connection;
  #serial = 0;
  #pushes = 0;
  #timer: NodeJS.Timeout | null = null;
  #claims = (): Claims => this.said();
  #snapshot: Give = () => null;

  private constructor(connection: Connection) {
    this.connection = connection;
  }

  /** Connects as a member. @throws Error  the daemon did not admit it; contains the last message */
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
   * Answers the next daemon that dials this port, where it expects a peer.
   * @throws Error  the daemon did not accept it as that peer
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
  said(): Claims {
    return claimsOf(this.connection.named("status").at(-1) as Message);
  }

  /**
   * Sends these claims immediately and repeatedly, and answers requests accordingly.
   * @param said  the daemon's newest claims
   */
  claim(claim: (said: Claims) => Claims, snapshot: Give = () => null): void {
    const claims = () => claim(this.said());
    const tell = () => this.connection.send("status", ++this.#serial, ...statusOf(claims()));
    if (this.#timer !== null) clearInterval(this.#timer);
    else this.connection.onMessage((message) => this.#answer(message));
    this.#claims = claims;
    this.#snapshot = snapshot;
    this.#timer = setInterval(tell, STATUS_MS);
    tell();
  }

  /** Sends entries that were not requested; a daemon answers with `have`. */
  push(entries: readonly Buffer[]): void {
    const bytes = Buffer.concat(entries);
    this.connection.send("push", ++this.#pushes, bytes.length, 0, bytes);
  }

  /** Waits until the daemon has confirmed all pushed entries, or has closed. */
  async dealtWith(): Promise<void> {
    const last = this.#pushes;
    await this.connection.until(() =>
      this.connection.named("have").find(([, number]) => Number(textOf(number)) >= last),
    );
  }

  /** Waits until the daemon has sent the given number of statuses, or has closed: it has had time to react. */
  async heard(statuses: number): Promise<void> {
    await this.connection.until(() => this.connection.named("status")[statuses - 1]);
  }

  #answer([name, first, second]: Message): void {
    const at = Number(textOf(first));
    if (textOf(name) === "report-request") this.connection.send("report", at, ...reportOf(this.#claims()));
    if (textOf(name) !== "snapshot-pull") return;
    const number = Number(textOf(second));
    const given = this.#snapshot(at);
    if (given === null) this.connection.send("snapshot-part", 0, number, 0, 1, "");
    else this.connection.send("snapshot-part", ...partOf(given, number));
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.connection[Symbol.dispose]();
  }
}

async function prove(connection: Connection, options: MemberOptions): Promise<void> {
  const { key, named = key.id } = options;
  // The cluster's name comes from another connection, as a client, since a member's first frame has to contain it.
  const cluster = await clusterAt(connection.socket.remotePort as number);
  connection.send("hello", "1 2", named, cluster, Date.now(), "live", "daemon");
  const { daemon } = helloOf(await connection.next("hello"));
  const theirs = (await connection.next("challenge"))[1] as Buffer;
  const mine = randomBytes(32);
  connection.send("challenge", mine);
  connection.send("proof", ...proofOf(options, [cluster, named, daemon, mine, theirs, Buffer.from([1])]));
  await connection.next("proof");
  await connection.next("status");
}

async function proveBack(connection: Connection, options: MemberOptions): Promise<void> {
  const { key, named = key.id } = options;
  const { daemon, cluster } = helloOf(await connection.next("hello"));
  const mine = randomBytes(32);
  connection.send("hello", "1 2", named, cluster, Date.now(), "live", "daemon");
  connection.send("challenge", mine);
  const theirs = (await connection.next("challenge"))[1] as Buffer;
  connection.send("proof", ...proofOf(options, [cluster, daemon, named, theirs, mine, Buffer.from([2])]));
  await connection.next("status");
}

function proofOf({ key, secret }: MemberOptions, parts: readonly Buffer[]): Buffer[] {
  const proven = Buffer.concat([Buffer.from("dbsync2\0member\0"), ...parts]);
  const mac = secret === undefined ? Buffer.alloc(0) : createHmac("sha256", secret).update(proven).digest();
  return [key.spki, signatureOf(key, proven), mac];
}

async function clusterAt(port: number): Promise<Buffer> {
  using asking = await Connection.open(port);
  asking.send("hello", "2", "", "", Date.now(), "", "client");
  return helloOf(await asking.next("hello")).cluster;
}

function statusOf(claims: Claims): Item[] {
  const { watermark, pruned, state, ringCount, ringSum, dataCount, dataSum } = claims;
  return [0, 0, Date.now(), watermark, pruned, state, 0, ringCount, ringSum, dataCount, dataSum];
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
  const [, , , , , watermark, pruned, state, , ringCount, ringSum, dataCount, dataSum] = status;
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
