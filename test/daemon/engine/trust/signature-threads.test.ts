/** Tests that threads accept and refuse the same signatures as the main thread. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Logger } from "pino";
import { entryCheck } from "../../../../daemon/cluster/replica/check-entry.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { signatureThreads, VerifyThreads } from "../../../../daemon/engine/trust/signature-threads.js";
import type { PackedEntry } from "../../../../protocol/members/member-elements.js";
import { double } from "../../../support/double.js";
import { makeKeyPair, signCommands } from "../../../support/envelope-client.js";
import { log } from "../../program/scene.js";

const rsa = makeKeyPair("rsa");
const ed25519 = makeKeyPair();
const unknownPair = makeKeyPair();
const signers = loadSigners({ signKey: [rsa.file, ed25519.file], rootKey: [], clusterName: "dbsync" }, log);
const { cluster } = signers;
const check = entryCheck(signers, null);
const timeline = { holds: () => false, hasRoom: () => true };

const warned: unknown[] = [];
const started: { stop(): void }[] = [];
function start(count: number) {
  const threads = signatureThreads(
    signers,
    double<Logger>({ warn: (fields: unknown) => warned.push(fields) }),
    count,
  );
  assert.ok(threads !== null);
  started.push(threads);
  return threads;
}
after(() => {
  for (const threads of started) threads.stop();
});

const sign = (pair: typeof rsa, number: number) =>
  signCommands(pair, [["SET", `k${number}`, "v"]], { cluster, at: 5, seq: number });

/** Returns valid signatures of both kinds of keys, mixed with every kind of invalid signature. */
function mixed(): { readonly entry: PackedEntry; readonly isGood: boolean }[] {
  return Array.from({ length: 70 }, (_, i) => {
    const pair = i % 2 === 0 ? rsa : ed25519;
    const good = sign(pair, i);
    const { body, signature } = good;
    const flipped = Buffer.from(signature);
    flipped[i % flipped.length] = (flipped[i % flipped.length] as number) ^ 1;
    const longer = Buffer.from(body);
    longer[longer.length - 3] = 0x78;

    const bad: readonly PackedEntry[] = [
      { body, signature: flipped },
      { body: longer, signature },
      { body, signature: Buffer.alloc(0) },
      { body, signature: sign(pair, i + 1000).signature },
      { body, signature: sign(pair === rsa ? ed25519 : rsa, i).signature },
      sign(unknownPair, i),
      { body: Buffer.from("*0\r\n"), signature },
    ];

    const isGood = i % 3 !== 0;
    return { entry: isGood ? good : (bad[(i / 3) % bad.length] as PackedEntry), isGood };
  });
}

test("threads return the ids of entries with valid signatures, in order, and null for the others", async () => {
  const entries = mixed();
  for (const count of [1, 3]) {
    const threads = start(count);
    const found = await Promise.all(
      [0, 35].map((i) => threads.prove(entries.slice(i, i + 35).map(({ entry }) => entry))),
    );
    for (const [i, proved] of found.flat().entries()) {
      const { entry, isGood } = entries[i] as (typeof entries)[number];
      assert.equal(proved !== null, isGood, `${i}`);
      const judged = check(entry.body, entry.signature, timeline, proved);
      assert.deepEqual(judged, check(entry.body, entry.signature, timeline), `${i}`);
    }
  }
  assert.deepEqual(warned, []);
});

test("an entry that was verified with a different key from the one in the ring is checked again", () => {
  const { body, signature, id } = sign(rsa, 1);
  const spki = signers.ring.find(ed25519.id)?.spki ?? assert.fail();
  const forged = Buffer.alloc(signature.length);
  assert.deepEqual(check(body, forged, timeline, { id, spki }), { refused: "bad-signature" });
  assert.ok("id" in (check(body, signature, timeline, { id, spki }) as object));
});

test("stopped threads return null for each entry of running and later tasks", async () => {
  const threads = start(2);
  const entries = mixed().map(({ entry }) => entry);
  const underWay = threads.prove(entries);
  threads.stop();
  const none = entries.map(() => null);
  assert.deepEqual(await underWay, none);
  assert.deepEqual(await threads.prove(entries), none);
  assert.deepEqual(warned, []);
});

test("there are no threads if none are requested", () => {
  assert.equal(signatureThreads(signers, log, 0), null);
});

test("threads that the system does not start are reported once, and no entry is verified", async () => {
  const problems: string[] = [];
  const failed = ({ message }: Error) => void problems.push(message);
  const threads = new VerifyThreads(2, failed, () => {
    throw new Error("EAGAIN");
  });
  const { body, signature } = sign(rsa, 1);
  const signed = { body, signature, key: { id: rsa.id, spki: signers.ring.find(rsa.id)?.spki ?? "" } };
  for (let i = 0; i < 2; i++) assert.deepEqual(await threads.check([signed]), []);
  assert.deepEqual(problems, ["EAGAIN"]);
});
