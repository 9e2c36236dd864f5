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
const FRAMES_SIGNED = amount(100, 2_000);
const FRAMES_PER_CONNECTION = 40;
const CONNECTIONS = 8;
const MEMORY_MORE = 10 * 1024 * 1024;

interface FuzzFrame {
  readonly bytes: string;
  /** Whether the bytes are a well-formed frame. */
  readonly framed: boolean;
}

const frameOf = (payload: string) => `ds:${payload.length}:${payload}`;

/** Names with arguments that are mostly valid: `k` is a key, `n` a number, `v` any bytes. */
const PATTERNS = [
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

class FrameMaker {
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
    if (kind < 76) return { bytes: frameOf(`${this.#command()}\0`), framed: true };
    if (kind < 88) return { bytes: frameOf(this.#mutated(`${this.#command()}\0`)), framed: true };
    if (kind < 94) return { bytes: this.#mutated(frameOf(`${this.#command()}\0`)), framed: false };
    return { bytes: this.bytes(this.#random.between(1, 60)), framed: false };
  }

  /** Returns random bytes of all values. */
  bytes(length: number): string {
    let bytes = "";
    for (let i = 0; i < length; i++) bytes += String.fromCharCode(this.#random.below(256));
    return bytes;
  }

  #command(): string {
    return this.#random
      .oneOf(PATTERNS)
      .map((part) => this.#argument(part))
      .join(" ");
  }

  #argument(part: string): string {
    if (part === "n") return String(this.#random.between(-3, 1000));
    if (part === "v")
      return this.bytes(this.#random.between(1, 24)).replaceAll("\0", "0").replaceAll(" ", "_");
    return part.endsWith("k") ? `${part}${this.#random.below(20)}` : part;
  }

  /** Changes, removes, adds or swaps one to three bytes. */
  #mutated(bytes: string): string {
    for (let times = this.#random.between(1, 3); times > 0; times--) {
      const at = this.#random.below(bytes.length + 1);
      const cut = this.#random.below(3);
      bytes = bytes.slice(0, at) + this.bytes(this.#random.below(3)) + bytes.slice(at + cut);
    }
    return bytes;
  }
}

/** Number of frames before the first measurement. */
const WARM_UP = amount(3_000, 10_000);
/** Number of garbage collections after which the memory must have been released. */
const READINGS_MAX = 20;

interface Tally {
  frames: number;
  framed: number;
}

/** Sends frames on one connection until the daemon closes it or has answered all. */
async function sendFrames(port: number, maker: FrameMaker, tally: Tally): Promise<void> {
  using client = await RawClient.open(port);
  const frames = Array.from({ length: FRAMES_PER_CONNECTION }, () => maker.next());
  client.send(frames.map(({ bytes }) => bytes).join(""));
  client.socket.end();
  const answers = (await client.rest()).match(/ds:\d+:(?=redis:|\0)/g)?.length ?? 0;
  // The daemon refused the frame after the last answer, and has not read the following ones.
  const seen = frames.slice(0, answers + 1);
  tally.frames += seen.length;
  tally.framed += seen.filter(({ framed }) => framed).length;
}

/** Returns the bytes that remain resident after a forced garbage collection. */
async function residentBytes(daemon: DaemonProcess): Promise<number> {
  const before = daemon.log.length;
  daemon.kill("SIGUSR2");
  const line = await daemon.logged((one) => one.msg === "memory" && daemon.log.indexOf(one) >= before);
  return line["rss"] as number;
}

/**
 * Returns log lines about exceptions, which must be caused by bugs of the daemon. For bad input, the daemon logs a code
 * at a lower level.
 */
function mistakesIn({ log }: DaemonProcess): readonly LogLine[] {
  return log.filter(
    ({ level, reason }) => level === "error" || level === "fatal" || reason === "internal-error",
  );
}

async function ask(port: number, line: string): Promise<string> {
  using client = await RawClient.open(port);
  return await client.ask(line);
}

test(`${FRAMES} random and mutated frames neither end the daemon nor leak memory`, async () => {
  const seed = seedOfRun();
  console.log(`replay with DBSYNC_SEED=${seed}`);
  const program = join(buildRoot, "test", "daemon", "program", "fuzz-subject.js");
  await using daemon = await startDaemon([], { execArgv: ["--expose-gc"], program });
  const tally: Tally = { frames: 0, framed: 0 };
  const fuzz = async (lane: number, until: number) => {
    const maker = new FrameMaker(new SeededRandom(seed, lane, until));
    while (tally.frames < until) await sendFrames(daemon.port, maker, tally);
  };
  const lanes = (until: number) =>
    Promise.all(Array.from({ length: CONNECTIONS }, (_, lane) => fuzz(lane, until)));
  // During the first thousands of frames V8 compiles code and sizes its heap.
  await lanes(WARM_UP);
  await ask(daemon.port, "FLUSHALL");
  const before = await residentBytes(daemon);
  await lanes(WARM_UP + FRAMES);
  assert.equal(await ask(daemon.port, "FLUSHALL"), "OK");
  let after = await residentBytes(daemon);
  // The allocator returns freed pages gradually.
  for (let i = 0; i < READINGS_MAX && after > before + MEMORY_MORE; i++) after = await residentBytes(daemon);
  console.log(
    `${tally.frames} frames, ${tally.framed} well framed; resident ${before >> 20} → ${after >> 20} MiB`,
  );
  assert.ok(tally.framed >= tally.frames / 2, `${tally.framed} of ${tally.frames} frames passed framing`);
  assert.ok(after <= before + MEMORY_MORE, `resident memory went from ${before} to ${after} bytes`);
  assert.equal((await daemon.stop()).code, 0);
  assert.deepEqual(mistakesIn(daemon), []);
});

test(`${FRAMES_SIGNED} mutated signed frames are refused, and a correct one is answered`, async () => {
  const seed = seedOfRun();
  console.log(`replay with DBSYNC_SEED=${seed}`);
  const folder = join(repositoryRoot, "test", "vectors", "php-dbsync");
  await using daemon = await startDaemon(["-s", join(folder, "test-rsa2048-public.pem")]);

  const vectors = JSON.parse(readFileSync(join(folder, "vectors.json"), "utf8")) as {
    name: string;
    request_hex: string;
  }[];
  const hex = vectors.find(({ name }) => name === "signed2048-incr")?.request_hex as string;
  const good = Buffer.from(hex, "hex").toString("latin1");
  const random = new SeededRandom(seed);
  const send = async (bytes: string) => {
    using client = await RawClient.open(daemon.port);
    client.send(bytes);
    client.socket.end();
    return await client.rest();
  };
  for (let i = 0; i < FRAMES_SIGNED; i++) {
    const at = random.below(good.length);
    const byte = String.fromCharCode((good.charCodeAt(at) + random.between(1, 255)) % 256);
    const answer = await send(good.slice(0, at) + byte + good.slice(at + 1));
    // Spaces and plus signs are permitted before a length, so a change there may be accepted. No other change may be
    // accepted.
    if (answer !== "")
      assert.ok(at < "ds:268:ds:7:".length, `byte ${at} became ${byte.charCodeAt(0)}, and was accepted`);
  }
  assert.match(await send(good), /^ds:10:redis:2:\d\0$/);
  assert.deepEqual(mistakesIn(daemon), []);
});
