/**
 * Sends random and mutated frames to a real daemon. No frame ends the daemon or delays its other clients, and no
 * memory leaks. DBSYNC_SEED repeats a run.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { amount } from "../../support/amount.js";
import { type DaemonProcess, type LogLine, startDaemon } from "../../support/daemon-process.js";
import { RawClient } from "../../support/raw-client.js";
import { buildRoot, repositoryRoot } from "../../support/repository.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";

const FRAMES = amount(700, 4_000);
const SIGNED_FRAMES = amount(100, 2_000);
const FRAMES_PER_CONNECTION = 40;
const CONNECTIONS = 8;
/** The maximum growth of the resident memory in bytes. */
const GROWTH_BYTES_MAX = 10 * 1024 * 1024;
/** The number of frames before the first measurement. */
const WARM_UP_FRAMES = amount(3_000, 10_000);
/** The number of garbage collections after which the memory must have been released. */
const COLLECTIONS_MAX = 20;

interface FuzzFrame {
  readonly bytes: string;
  /** Whether the bytes are a well-formed frame. */
  readonly isWellFormed: boolean;
}

const frameOf = (payload: string) => `ds:${payload.length}:${payload}`;

/** Commands with mostly valid arguments: `…k` is a key (its first letter the type), `n` a number, `v` any bytes. */
const COMMANDS = [
  ["SET", "sk", "v"],
  ["GET", "sk"],
  ["APPEND", "sk", "v"],
  ["INCR", "nk"],
  ["DECRBY", "nk", "n"],
  ["EXISTS", "sk", "nk"],
  ["RPUSH", "lk", "v", "v"],
  ["LPOP", "lk"],
  ["LRANGE", "lk", "n", "n"],
  ["HSET", "hk", "v", "v"],
  ["HGETALL", "hk"],
  ["SADD", "tk", "v"],
  ["SMEMBERS", "tk"],
  ["SPOP", "tk"],
  ["ZADD", "zk", "n", "v"],
  ["ZRANGE", "zk", "n", "n"],
  ["DEL", "sk", "lk"],
  ["EXPIRE", "sk", "n"],
  ["TTL", "sk"],
  ["MGET", "sk", "nk"],
  ["ECHO", "v"],
  ["PING"],
  ["TYPE", "sk"],
] as const;

/** A source of random frames. */
class FrameSource {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /**
   * Returns the next frame. Three quarters of the frames are commands that can be executed. The daemon refuses the
   * remaining frames for various reasons.
   */
  next(): FuzzFrame {
    const kind = this.#random.below(100);
    if (kind < 76) return { bytes: frameOf(`${this.#command()}\0`), isWellFormed: true };
    if (kind < 88) return { bytes: frameOf(this.#mutated(`${this.#command()}\0`)), isWellFormed: true };
    if (kind < 94) return { bytes: this.#mutated(frameOf(`${this.#command()}\0`)), isWellFormed: false };
    return { bytes: this.bytes(this.#random.between(1, 60)), isWellFormed: false };
  }

  /** Returns random bytes of all values. */
  bytes(length: number): string {
    let bytes = "";
    for (let i = 0; i < length; i++) bytes += String.fromCharCode(this.#random.below(256));
    return bytes;
  }

  #command(): string {
    return this.#random
      .oneOf(COMMANDS)
      .map((part) => this.#argument(part))
      .join(" ");
  }

  #argument(part: string): string {
    if (part === "n") return String(this.#random.between(-3, 1000));
    if (part === "v")
      return this.bytes(this.#random.between(1, 24)).replaceAll("\0", "0").replaceAll(" ", "_");
    return part.endsWith("k") ? `${part}${this.#random.below(20)}` : part;
  }

  /** Replaces, removes or adds a few bytes, at one to three positions. */
  #mutated(bytes: string): string {
    for (let times = this.#random.between(1, 3); times > 0; times--) {
      const at = this.#random.below(bytes.length + 1);
      const removed = this.#random.below(3);
      bytes = bytes.slice(0, at) + this.bytes(this.#random.below(3)) + bytes.slice(at + removed);
    }
    return bytes;
  }
}

/** The frames that the daemon has read. */
interface ReadFrames {
  count: number;
  wellFormed: number;
}

/** Sends frames on one connection until the daemon closes it or has answered all. */
async function sendFrames(port: number, source: FrameSource, read: ReadFrames): Promise<void> {
  using client = await RawClient.open(port);
  const frames = Array.from({ length: FRAMES_PER_CONNECTION }, () => source.next());
  client.send(frames.map(({ bytes }) => bytes).join(""));
  client.socket.end();
  const answers = (await client.readToClose()).match(/ds:\d+:(?=redis:|\0)/g)?.length ?? 0;
  // The daemon refused the frame after the last answer, and has not read the following ones.
  const readHere = frames.slice(0, answers + 1);
  read.count += readHere.length;
  read.wellFormed += readHere.filter(({ isWellFormed }) => isWellFormed).length;
}

/** Returns the bytes that remain resident after a forced garbage collection. */
async function residentBytes(daemon: DaemonProcess): Promise<number> {
  const before = daemon.log.length;
  daemon.kill("SIGUSR2");
  const line = await daemon.logged((entry) => entry.msg === "memory" && daemon.log.indexOf(entry) >= before);
  return line["rss"] as number;
}

/**
 * Returns the log lines about exceptions, which are bugs of the daemon. For bad input, the daemon logs a code at a
 * lower level.
 */
function exceptionsIn({ log }: DaemonProcess): readonly LogLine[] {
  return log.filter(
    ({ level, reason }) => level === "error" || level === "fatal" || reason === "internal-error",
  );
}

async function request(port: number, line: string): Promise<string> {
  using client = await RawClient.open(port);
  return await client.request(line);
}

test(`${FRAMES} random and mutated frames neither end the daemon nor leak memory`, async () => {
  const seed = seedOfRun();
  console.log(`replay with DBSYNC_SEED=${seed}`);
  const program = join(buildRoot, "test", "daemon", "program", "fuzz-subject.js");
  await using daemon = await startDaemon([], { execArgv: ["--expose-gc"], program });

  const read: ReadFrames = { count: 0, wellFormed: 0 };
  const sendInSequence = async (sender: number, total: number) => {
    const source = new FrameSource(new SeededRandom(seed, sender, total));
    while (read.count < total) await sendFrames(daemon.port, source, read);
  };
  /** Sends frames on several connections at the same time until the daemon has read `total`. */
  const sendUntil = (total: number) =>
    Promise.all(Array.from({ length: CONNECTIONS }, (_, sender) => sendInSequence(sender, total)));

  // During the first thousands of frames V8 compiles code and sizes its heap.
  await sendUntil(WARM_UP_FRAMES);
  await request(daemon.port, "FLUSHALL");

  const before = await residentBytes(daemon);
  await sendUntil(WARM_UP_FRAMES + FRAMES);
  assert.equal(await request(daemon.port, "FLUSHALL"), "OK");
  let after = await residentBytes(daemon);
  // The allocator returns freed pages gradually.
  for (let i = 0; i < COLLECTIONS_MAX && after > before + GROWTH_BYTES_MAX; i++)
    after = await residentBytes(daemon);

  console.log(
    `${read.count} frames, ${read.wellFormed} well formed; resident ${before >> 20} → ${after >> 20} MiB`,
  );
  assert.ok(read.wellFormed >= read.count / 2, `${read.wellFormed} of ${read.count} frames were well formed`);
  assert.ok(after <= before + GROWTH_BYTES_MAX, `resident memory went from ${before} to ${after} bytes`);
  assert.equal((await daemon.stop()).code, 0);
  assert.deepEqual(exceptionsIn(daemon), []);
});

test(`${SIGNED_FRAMES} mutated signed frames are refused, and a correct one is answered`, async () => {
  const seed = seedOfRun();
  console.log(`replay with DBSYNC_SEED=${seed}`);
  const folder = join(repositoryRoot, "test", "vectors", "php-dbsync");
  await using daemon = await startDaemon(["-s", join(folder, "test-rsa2048-public.pem")]);

  const vectors = JSON.parse(readFileSync(join(folder, "vectors.json"), "utf8")) as {
    name: string;
    request_hex: string;
  }[];
  const hex = vectors.find(({ name }) => name === "signed2048-incr")?.request_hex as string;
  const valid = Buffer.from(hex, "hex").toString("latin1");

  const random = new SeededRandom(seed);
  const send = async (bytes: string) => {
    using client = await RawClient.open(daemon.port);
    client.send(bytes);
    client.socket.end();
    return await client.readToClose();
  };

  for (let i = 0; i < SIGNED_FRAMES; i++) {
    const at = random.below(valid.length);
    const byte = String.fromCharCode((valid.charCodeAt(at) + random.between(1, 255)) % 256);
    const answer = await send(valid.slice(0, at) + byte + valid.slice(at + 1));
    // Spaces and plus signs are permitted before a length, so only a change there may be accepted.
    if (answer !== "")
      assert.ok(at < "ds:268:ds:7:".length, `byte ${at} became ${byte.charCodeAt(0)}, and was accepted`);
  }

  assert.match(await send(valid), /^ds:10:redis:2:\d\0$/);
  assert.deepEqual(exceptionsIn(daemon), []);
});
