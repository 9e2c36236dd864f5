/**
 * Replays recorded envelopes within the window and after it, before and after a restart, and with a clock that is
 * set forward and back.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../../support/amount.js";
import { makeKeyPair, type SignedEnvelope, signCommands } from "../../support/envelope-client.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { makeScene, type Scene } from "./scene.js";

const RECORDED = amount(200, 4_000);
const START = 1_790_000_000_000;
const SECOND = 1000;

const pair = makeKeyPair();

/** Sends envelopes. @returns the number of each outcome */
function play(scene: Scene, envelopes: readonly SignedEnvelope[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const envelope of envelopes) {
    const code = scene.codeOf(envelope);
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}

test(`${RECORDED} recorded envelopes are applied once, and never in another cluster`, () => {
  const clock = { now: START };
  const scene = makeScene({ clock, pair });
  const envelopes: SignedEnvelope[] = [];
  for (let i = 0; i < RECORDED; i++) {
    if (i % 2 === 0) clock.now++;
    envelopes.push(scene.sign([["INCR", "n"]], { seq: i % 2 }));
  }
  const firstAnswers = envelopes.map((envelope) => scene.take(envelope));
  assert.equal(scene.get("n"), String(RECORDED));

  assert.deepEqual(
    envelopes.map((envelope) => scene.take(envelope)),
    firstAnswers,
    "within the window, each envelope receives its first answer",
  );
  const elsewhere = makeScene({ clock: { now: START }, pair, clusterName: "another" });
  assert.deepEqual(play(elsewhere, envelopes), { "wrong-cluster": RECORDED });

  const restarted = makeScene({ clock, pair });
  assert.deepEqual(
    play(restarted, envelopes),
    { "too-old": RECORDED },
    "a starting daemon accepts no earlier dates",
  );
  assert.equal(restarted.get("n"), null);

  clock.now += 60 * SECOND;
  assert.deepEqual(play(scene, envelopes), { skew: RECORDED }, "the window is over");
  assert.deepEqual(play(restarted, envelopes), { skew: RECORDED });
  assert.equal(scene.codeOf(scene.sign([["GET", "n"]])), "result");
  assert.equal(scene.pipeline.seen.size, 1, "ids outside the window are forgotten");

  clock.now -= 60 * SECOND;
  assert.deepEqual(
    play(scene, envelopes),
    { "too-old": RECORDED },
    "nothing is accepted again if the clock is set back",
  );
  assert.equal(scene.get("n"), String(RECORDED));
});

test("a repeated envelope whose answer is no longer stored is not applied again", () => {
  const clock = { now: START };
  const scene = makeScene({ clock, pair, parts: { seenLimits: { max: 1000, maxBytes: 2000 } } });
  clock.now++;
  const envelopes = Array.from({ length: 100 }, () => scene.sign([["INCR", "n"]]));
  assert.deepEqual(play(scene, envelopes), { result: 100 });
  const again = play(scene, envelopes);
  assert.equal((again["answer-not-kept"] ?? 0) + (again["result"] ?? 0), 100);
  assert.ok((again["answer-not-kept"] ?? 0) > 80 && (again["result"] ?? 0) > 5, JSON.stringify(again));
  assert.ok(scene.pipeline.seen.bytes <= 2000);
  assert.equal(scene.get("n"), "100");
});

test("if no more ids can be remembered, the oldest envelopes are refused by their dates", () => {
  const clock = { now: START };
  const scene = makeScene({ clock, pair, parts: { seenLimits: { max: 50, maxBytes: 1 << 20 } } });
  const envelopes: SignedEnvelope[] = [];
  for (let i = 0; i < 300; i++) {
    clock.now += 100;
    envelopes.push(scene.sign([["INCR", "n"]]));
    assert.equal(scene.codeOf(envelopes.at(-1) as SignedEnvelope), "result");
  }
  assert.ok(scene.pipeline.seen.size <= 50);
  assert.ok(scene.pipeline.seen.floor <= clock.now, "the floor is never ahead of the clock");
  play(scene, envelopes);
  assert.equal(scene.get("n"), "300");
  const flood = Array.from({ length: 60 }, () => scene.sign([["INCR", "m"]], { at: clock.now + 3000 }));
  assert.ok((play(scene, flood)["memory-full"] ?? 0) > 0, "envelopes with future dates are remembered");
});

test("an envelope that was refused as not applied is not applied later, when its date or rate would be valid", async () => {
  const clock = { now: START };
  const scene = makeScene({ clock, pair });
  const early = scene.sign([["INCR", "n"]], { at: START + 10 * SECOND });
  assert.equal(scene.codeOf(early), "skew");
  clock.now += 8 * SECOND;
  assert.equal(scene.codeOf(early), "skew");
  const late = scene.sign([["INCR", "n"]], { at: clock.now - 1 });
  clock.now += 40 * SECOND;
  assert.equal(scene.codeOf(late), "skew");
  clock.now -= 40 * SECOND;
  assert.equal(scene.codeOf(late), "too-old");
  assert.equal(scene.get("n"), null);
});

const outcomesOf = (scene: Scene, envelopes: readonly SignedEnvelope[]) =>
  envelopes.map((envelope) => {
    const answer = scene.take(envelope);
    assert.ok(!(answer instanceof Promise));
    return answer.kind === "result" ? "result" : `${answer.code} ${answer.effect}`;
  });

test("a key that signs many envelopes for the future exhausts only its own share of the memory", () => {
  const clock = { now: START };
  const root = makeKeyPair();
  const parts = { seenLimits: { max: 160, maxBytes: 1 << 20 } };
  const scene = makeScene({ clock, pair, root, parts });

  const early = { cluster: scene.cluster, at: START + 60 * SECOND };
  const flood = Array.from({ length: 30 }, () => scene.sign([["INCR", "n"]], early));
  const others = Array.from({ length: 5 }, () => signCommands(root, [["INCR", "m"]], early));

  const outcomes = outcomesOf(scene, flood);
  assert.deepEqual(outcomes.slice(0, 10), Array(10).fill("skew not-applied"));
  assert.deepEqual(outcomes.slice(10), Array(20).fill("skew unknown"));
  assert.deepEqual(outcomesOf(scene, others), Array(5).fill("skew not-applied"));

  clock.now = early.at;
  play(scene, [...flood.slice(0, 10), ...others]);
  assert.deepEqual([scene.get("n"), scene.get("m")], [null, null], "refused envelopes are not applied");

  clock.now += 60 * SECOND;
  assert.equal(scene.codeOf(scene.sign([["PING"]])), "result");
  const next = { cluster: scene.cluster, at: clock.now + 60 * SECOND };
  assert.deepEqual(
    outcomesOf(scene, [scene.sign([["PING"]], next)]),
    ["skew not-applied"],
    "the memory of the refused envelopes was released",
  );
});

test("a key that exceeds its rate does not cause refusals for other keys", () => {
  const clock = { now: START };
  const [root, limited] = [makeKeyPair(), makeKeyPair()];
  const scene = makeScene({ clock, pair, root, parts: { seenLimits: { max: 80, maxBytes: 1 << 20 } } });
  const { cluster, pipeline } = scene;

  clock.now += 2 * SECOND;
  const add = ["KEY", "ADD", limited.pem, "RATE", "1", "RULES", "+@all", "~*"];
  assert.equal(scene.codeOf(signCommands(root, [add], { cluster, at: clock.now })), "result");

  const delayed = scene.sign([["INCR", "n"]]);
  clock.now += 2 * SECOND;
  const at = clock.now;
  const flood = Array.from({ length: 200 }, () => signCommands(limited, [["INCR", "m"]], { cluster, at }));
  const outcomes = outcomesOf(scene, flood);
  assert.deepEqual(
    [outcomes[0], outcomes[1], outcomes.at(-1)],
    ["result", "over-rate not-applied", "over-rate unknown"],
  );
  assert.ok(pipeline.seen.size < 10);

  clock.now += 3 * SECOND;
  play(scene, flood.slice(0, 6));
  assert.equal(scene.get("m"), "1", "a refused envelope is not applied later, when the rate would permit it");

  const accepted = Array.from({ length: 77 }, () => scene.sign([["PING"]]));
  assert.deepEqual(play(scene, accepted), { result: 77 });
  assert.equal(pipeline.seen.floor, START);
  assert.equal(scene.codeOf(delayed), "result", "the refused envelopes used no memory of other keys");
});

test("with random clock steps, repetitions and few ids, nothing is applied twice", () => {
  const seed = seedOfRun();
  console.log(`DBSYNC_SEED=${seed}`);
  for (let round = 0; round < amount(8, 20); round++) {
    const random = new SeededRandom(seed, round);
    const clock = { now: START };
    const max = random.oneOf([20, 100, 10_000]);
    const scene = makeScene({
      clock,
      pair,
      parts: { seenLimits: { max, maxBytes: random.oneOf([0, 5000, 1 << 20]) } },
    });
    const envelopes: SignedEnvelope[] = [];
    for (let step = 0; step < 400; step++) {
      clock.now += random.chance(0.05) ? random.between(-100_000, 100_000) : random.between(0, 500);
      if (envelopes.length === 0 || random.chance(0.4)) {
        const at = clock.now + random.between(-40_000, 15_000);
        envelopes.push(scene.sign([["INCR", `n${envelopes.length}`]], { at }));
      }
      scene.codeOf(random.chance(0.5) ? (envelopes.at(-1) as SignedEnvelope) : random.oneOf(envelopes));
    }
    for (let i = 0; i < envelopes.length; i++) {
      assert.ok(["1", null].includes(scene.get(`n${i}`)), `round ${round}: envelope ${i} was applied twice`);
    }
  }
});
