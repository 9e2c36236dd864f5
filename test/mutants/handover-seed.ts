/**
 * Tests only the adoption of a member's snapshot. Entries add chains of keys, and these keys sign further entries.
 * When the daemon adopts the snapshot, it drops some of these entries. The oracle of the simulation decides which
 * entries the daemon must retain. Complete runs rarely produce such combinations.
 */
import assert from "node:assert/strict";
import { dateOf, type Entry, orderKeyOf, writeOrderKey } from "../../daemon/timeline/entries/entry.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { KEY_IDS, SPKIS } from "../daemon/timeline/support/random-timeline.js";
import { entryAt, MEMBER, TimelineSubject } from "../daemon/timeline/support/timeline-subject.js";
import { unverifiableOrderKeys } from "../simulation/unverifiable.js";
import type { World } from "../simulation/world.js";
import { SeededRandom } from "../support/seeded-random.js";
import { until } from "../support/until.js";

const OPTIONS = { every: 10, limits: { retainMs: 100_000 } };
const GIVEN = 60;
const GIVEN_EVERY_MS = 5000;
const ENTRIES_MAX = 30;
/** The initial keys. Entries with `KEY ADD` add all other keys. */
const [APPLICATION, ROOT] = KEY_IDS as [ByteString, ByteString];
const ADDED = [3, 4, 5, 6, 7] as const;

/** Runs a seed. @returns the differences, or an empty list if there are none */
export async function handoverSeed(seed: number): Promise<string[]> {
  try {
    return await differences(new SeededRandom(seed));
  } catch (problem) {
    return [`thrown: ${problem instanceof Error ? problem.stack : problem}`];
  }
}

async function differences(random: SeededRandom): Promise<string[]> {
  const sender = await new TimelineSubject(OPTIONS).open();
  const known = random.oneOf(ADDED);
  await sender.writes(GIVEN, GIVEN_EVERY_MS, (i) =>
    i === 1 && random.chance(0.5) ? adding(known) : `SET k${i} v`,
  );
  const { prunedTo } = sender.timeline;
  assert.ok(prunedTo > 0);
  const receiver = await new TimelineSubject({ ...OPTIONS, now: sender.now }).open();
  const ownEntries = Array.from({ length: random.between(2, ENTRIES_MAX) }, () => {
    const at = prunedTo + random.between(-20_000, sender.now - prunedTo - 10_000);
    return entryAt(at, random.chance(0.5) ? adding(random.oneOf(ADDED)) : "SET own v", signerOf(random));
  });
  receiver.timeline.receive(ownEntries, MEMBER);
  await receiver.pass(1000);
  await adopt(receiver, sender);
  const [before, after] = [sender.announced, ownEntries].map((entries) => entries.map(orderKeyBytes));
  const contents = (before as ByteString[]).filter((orderKey) => dateIn(orderKey) <= prunedTo);
  const later = (after as ByteString[]).filter((orderKey) => dateIn(orderKey) > prunedTo);
  const dropped = new Set(
    unverifiableOrderKeys(later, contents, worldOf([...sender.announced, ...ownEntries])),
  );
  const expected = later.filter((orderKey) => !dropped.has(orderKey)).sort();
  const found = [...receiver.storage.orderKeys(null, null)]
    .map((orderKey) => bytesOf(orderKey))
    .filter((p) => dateIn(p) > prunedTo);
  const datesOf = (orderKeys: readonly ByteString[]) =>
    orderKeys.map((orderKey) => dateIn(orderKey) - prunedTo).join(" ");
  return found.join() === expected.join()
    ? []
    : [`it keeps ${datesOf(found)}, but must keep ${datesOf(expected)}`];
}

const signerOf = (random: SeededRandom): ByteString =>
  random.chance(0.4) ? random.oneOf([APPLICATION, ROOT]) : (KEY_IDS[random.oneOf(ADDED)] as ByteString);

const adding = (number: number): string =>
  `KEY ADD ${Buffer.from(SPKIS[number] as string, "latin1").toString("base64")} RULES +@all ~*`;

const orderKeyBytes = (entry: Entry): ByteString => bytesOf(writeOrderKey(orderKeyOf(entry)));
const dateIn = (orderKey: ByteString): number => dateOf(Buffer.from(orderKey, "latin1"));

/** Returns the part of a simulated world that the oracle reads. */
function worldOf(entries: readonly Entry[]): Pick<World, "genesis" | "ledger"> {
  const sent = new Map(entries.map((entry) => [entry.id, { entry }]));
  const genesis = { applications: [{ id: APPLICATION }], roots: [{ id: ROOT }] };
  return { genesis, ledger: { sent } } as unknown as Pick<World, "genesis" | "ledger">;
}

async function adopt(receiver: TimelineSubject, sender: TimelineSubject): Promise<void> {
  const snapshotTransfer =
    sender.timeline.snapshotTransfer.sendable(sender.timeline.prunedTo) ?? assert.fail();
  const staged = receiver.timeline.snapshotTransfer.stage(snapshotTransfer.cutAt);
  for (const chunk of snapshotTransfer.chunks) staged.write(chunk);
  let isOver = false;
  let failure: Error | null = null;
  receiver.timeline.snapshotTransfer.adopt(staged, staged.seal, {
    isWanted: () => true,
    onAside: () => {},
    onOrphaned: () => {},
    onAdopted: () => void (isOver = true),
    onFailed: (problem) => {
      failure = problem;
      isOver = true;
    },
  });
  await until("the handover ends", () => isOver, { pause: () => receiver.turns(1) });
  if (failure !== null) throw failure;
}
