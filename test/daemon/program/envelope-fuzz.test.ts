/**
 * Sends changed envelopes: some with each of their bits flipped in turn, and many with random changes. The daemon must
 * refuse all of them, continue to run and leak no memory. DBSYNC_SEED repeats a run, and DBSYNC_FRAMES sets the number
 * of envelopes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { REFUSALS } from "../../../daemon/engine/answers/refusals.js";
import { NO_OBSERVER } from "../../../daemon/engine/pipeline/pipeline-parts.js";
import type { DaemonSocketHost } from "../../../daemon/listener/daemon-listener.js";
import { SessionV2 } from "../../../daemon/listener/dbsync-dialect.js";
import { DbsyncServer } from "../../../daemon/listener/dbsync-server.js";
import { ConnectionRegistry } from "../../../daemon/net/connections/connection-registry.js";
import { FrameParser } from "../../../protocol/frame.js";
import { readDaemonMessage } from "../../../protocol/version-2/messages-v2.js";
import { amount } from "../../support/amount.js";
import { frameOf, makeKeyPair, type SignedEnvelope } from "../../support/envelope-client.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { defaultLimits } from "./in-process.js";
import { NOWHERE } from "./no-connection.js";
import { log, makeScene, type Scene } from "./scene.js";

const FRAMES = Number(process.env["DBSYNC_FRAMES"] ?? amount(4_000, 30_000));
const REQUEST_BYTES = 1 << 20;
const GROWTH_MAX = 16 << 20;

const rsa = makeKeyPair("rsa");
const ed25519 = makeKeyPair();

function sessionOf(scene: Scene): SessionV2 {
  const host: DaemonSocketHost = new ConnectionRegistry("dbsync", {
    environment: scene.environment,
    log,
    observer: NO_OBSERVER,
    limits: { ...defaultLimits, maxBufferedBytes: REQUEST_BYTES },
    refusals: REFUSALS,
  });
  const service = {
    pipeline: scene.pipeline,
    daemon: scene.daemon,
    members: null,
    events: null,
    condition: () => scene.pipeline.recording,
    slowLog: null,
    takesVersion1: true,
    closeAfterAnswer: false,
  };
  return new SessionV2(new DbsyncServer(host, service, 0), NOWHERE);
}

/** Returns the codes of the answers that the session sends for the bytes of a stream. */
function codesOf(session: SessionV2, bytes: Buffer): string[] {
  const parser = new FrameParser(REQUEST_BYTES, 2);
  return parser.split(bytes).map((payload) => {
    const spoken = session.serve(payload);
    assert.ok(!(spoken instanceof Promise), "a changed envelope must not wait");
    assert.ok(typeof spoken === "string" || "lastBytes" in spoken, "no connection is handed over to members");
    const frame = typeof spoken === "string" ? spoken : (spoken.lastBytes as string);
    const [received] = new FrameParser(REQUEST_BYTES, 2).split(Buffer.from(frame, "latin1"));
    const message = readDaemonMessage(received as Buffer);
    return message.kind === "refused" ? message.code : message.kind;
  });
}

const COMMANDS = [
  [["SET", "key", "value"]],
  [["GET", "key"]],
  [["INCR", "n"], ["LPUSH", "l", "a", "b"], ["PING"]],
];

for (const pair of [rsa, ed25519]) {
  test(`no envelope with a flipped bit is accepted, ${pair === rsa ? "RSA" : "Ed25519"}`, () => {
    const clock = { now: 1_790_000_000_000 };
    const scene = makeScene({ clock, pair });
    const session = sessionOf(scene);
    clock.now++;
    const { body, signature } = scene.sign([["SET", "key", "value"]], { db: 3, multi: true });
    const parts = [body, signature] as const;

    let flips = 0;
    for (const part of parts) {
      for (let bit = 0; bit < part.length * 8; bit++) {
        part[bit >> 3] = (part[bit >> 3] as number) ^ (1 << (bit & 7));
        const codes = codesOf(session, Buffer.from(frameOf(body, signature), "latin1"));
        assert.ok(!codes.includes("result"), `bit ${bit} of ${part === body ? "the body" : "the signature"}`);
        part[bit >> 3] = (part[bit >> 3] as number) ^ (1 << (bit & 7));
        flips++;
      }
    }

    assert.ok(flips > 2000);
    assert.equal(scene.pipeline.seen.size, 0);
    assert.deepEqual(codesOf(session, Buffer.from(frameOf(body, signature), "latin1")), ["result"]);
  });
}

test(`${FRAMES} changed envelopes are refused, break nothing and leak no memory`, () => {
  const seed = seedOfRun();
  console.log(`DBSYNC_SEED=${seed}`);
  const random = new SeededRandom(seed);

  const clock = { now: 1_790_000_000_000 };
  const scene = makeScene({ clock, pair: rsa });
  const session = sessionOf(scene);
  clock.now++;
  const originals = COMMANDS.map((commands) => scene.sign(commands));

  let framed = 0;
  const codes = new Set<string>();
  const run = (frames: number) => {
    for (let i = 0; i < frames; i++) {
      const original = random.oneOf(originals);
      const bytes = changed(random, original);
      if (bytes.includes(original.body) && bytes.includes(original.signature)) continue;
      const found = codesOf(session, bytes);
      if (found.length > 0) framed++;
      for (const code of found) codes.add(code);
    }
  };

  run(FRAMES / 10);
  const before = heapUsed();
  run(FRAMES - FRAMES / 10);

  assert.ok(!codes.has("result"));
  for (const code of ["malformed", "unknown-key", "bad-signature"]) assert.ok(codes.has(code), code);
  assert.ok(framed >= FRAMES / 2, `${framed} passed framing`);
  assert.ok(heapUsed() - before < GROWTH_MAX, "memory grew");
  assert.equal(scene.pipeline.seen.size, 0);
});

/** Changes the message, and in most cases corrects the length of the frame. */
function changed(random: SeededRandom, original: SignedEnvelope): Buffer {
  const kind = random.below(10);
  if (kind < 3) return Buffer.from(frameOf(mutated(random, original.body), original.signature), "latin1");
  if (kind < 4) return Buffer.from(frameOf(original.body, mutated(random, original.signature)), "latin1");
  const frame = Buffer.from(original.frame, "latin1");
  if (kind > 7) return mutated(random, frame);
  const payload = mutated(random, frame.subarray(frame.indexOf(":", 4) + 1));
  return Buffer.concat([Buffer.from(`ds2:${payload.length}:`), payload]);
}

/** Changes, removes or adds one to three bytes. */
function mutated(random: SeededRandom, bytes: Buffer): Buffer {
  for (let times = random.between(1, 3); times > 0; times--) {
    const at = random.below(bytes.length + 1);
    const more = Buffer.from(Array.from({ length: random.below(3) }, () => random.below(256)));
    bytes = Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at + random.below(3))]);
  }
  return bytes;
}

function heapUsed(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}
