/**
 * Tests when clients are answered at a member that receives nothing from the others: their processes are suspended, and
 * their connections are open. Source: docs/consistency.md "What a decision guarantees".
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EnvelopeAnswer } from "../../daemon/engine/answers/request.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { randomBytes } from "./cast.js";
import { sign } from "./signatures.js";
import { startMembers } from "./started-members.js";
import type { Host, World } from "./world.js";

/** Milliseconds of `--standstill`, by default and longer, and of an interval between two statuses. */
const STANDSTILLS = [3_000, 5_000];
const STATUS_MS = 2_000;

/** Sends a member an envelope. @returns a function that returns its answer; null: there is none yet */
function sendTo(
  { genesis, ledger }: World,
  host: Host,
  { argv, decide, random }: { argv: readonly ByteString[]; decide: boolean; random: SeededRandom },
): () => EnvelopeAnswer | null {
  let found: EnvelopeAnswer | null = null;
  const key = genesis.contender ?? assert.fail();
  const nonce = randomBytes(random, 16);
  const entry = sign(key, { cluster: genesis.cluster, nonce, at: host.clock(), seq: 0, decide }, [argv]);
  ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
  host.send(entry, undefined, (answer) => {
    found = answer;
  });
  return () => found;
}

const shown = (answer: EnvelopeAnswer | null): string =>
  answer?.kind === "refused" ? `${answer.code} ${answer.effect}` : (answer?.kind ?? "none");

const seed = seedOfRun();
for (const standstillMs of STANDSTILLS)
  test(`with --standstill ${standstillMs} ms, a member that hears no majority answers after 2 s more, and refuses what follows (seed ${seed})`, async () => {
    const world = await startMembers(seed, [0, 0, 0], { standstillMs });
    const givenUpMs = standstillMs + STATUS_MS;
    const { scheduler, hosts } = world;
    const [host, ...others] = hosts as [Host, Host, Host];
    const random = new SeededRandom(seed, 21);
    const send = (argv: readonly ByteString[], decide = true) =>
      sendTo(world, host, { argv, decide, random });
    const runFor = (milliseconds: number) => scheduler.runUntil(scheduler.time + milliseconds);

    const before = send(["SET", "lock", "first", "NX"]);
    await runFor(2_000);
    assert.equal(shown(before()), "result");

    const resumedAt = scheduler.time + givenUpMs + 3_000;
    for (const { processor } of others) processor.busyUntil = resumedAt;
    const waiting = send(["INCR", "counter"]);
    // The last message may be as old as the interval between two.
    await runFor(standstillMs - 100);
    assert.equal(shown(waiting()), "none", "the members may only be slow");
    await runFor(STATUS_MS + 200);
    assert.equal(shown(waiting()), "undecided unknown");

    const refused = send(["INCR", "counter"]);
    const plain = send(["INCR", "plain"], false);
    await runFor(100);
    assert.equal(shown(refused()), "cannot-decide not-applied");
    assert.equal(shown(plain()), "result");

    await scheduler.runUntil(resumedAt + 3_000);
    const after = send(["INCR", "counter"]);
    await runFor(2_000);
    assert.equal(shown(after()), "result");
  });
