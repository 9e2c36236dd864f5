/**
 * Runs the adoption of a member's snapshot alone: chains of keys added by entries that are dropped with it or stay, and
 * entries that these keys have signed. The simulation's oracle decides which entries stay. Complete runs combine this
 * too rarely.
 */
import assert from "node:assert/strict";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { dateOf, type Entry, placeOf, writePlace } from "../../timeline/entries/entry.js";
import { unverifiablePlaces } from "../simulation/unverifiable.js";
import type { World } from "../simulation/world.js";
import { SeededRandom } from "../support/seeded-random.js";
import { KEY_IDS, SPKIS } from "../timeline/support/random-timeline.js";
import { entryAt, MEMBER, TimelineSubject } from "../timeline/support/timeline-subject.js";

const OPTIONS = { every: 10, limits: { retainMs: 100_000 } };
const GIVEN = 60;
const GIVEN_EVERY_MS = 5000;
const ENTRIES_MOST = 30;
/** The initial keys; all other ones are added by `KEY ADD`. */
const [APPLICATION, ROOT] = KEY_IDS as [ByteString, ByteString];
const ADDED = [3, 4, 5, 6, 7] as const;

/** Runs a seed. @returns the differences; empty: all is equal */
export async function handoverSeed(seed: number): Promise<string[]> {
  try {
    return await differences(new SeededRandom(seed));
  } catch (problem) {
    return [`thrown: ${problem instanceof Error ? problem.stack : problem}`];
  }
}

async function differences(random: SeededRandom): Promise<string[]> {
  const giver = await new TimelineSubject(OPTIONS).open();
  const known = random.oneOf(ADDED);
  await giver.writes(GIVEN, GIVEN_EVERY_MS, (i) =>
    i === 1 && random.chance(0.5) ? adding(known) : `SET k${i} v`,
  );
  const { prunedTo } = giver.timeline;
  assert.ok(prunedTo > 0);
  const taker = await new TimelineSubject({ ...OPTIONS, now: giver.now }).open();
  const own = Array.from({ length: random.between(2, ENTRIES_MOST) }, () => {
    const at = prunedTo + random.between(-20_000, giver.now - prunedTo - 10_000);
    return entryAt(at, random.chance(0.5) ? adding(random.oneOf(ADDED)) : "SET own v", signerOf(random));
  });
  taker.timeline.receive(own, MEMBER);
  await taker.pass(1000);
  await adopt(taker, giver);
  const [before, after] = [giver.announced, own].map((entries) => entries.map(placeBytes));
  const contents = (before as ByteString[]).filter((place) => dateIn(place) <= prunedTo);
  const later = (after as ByteString[]).filter((place) => dateIn(place) > prunedTo);
  const gone = new Set(unverifiablePlaces(later, contents, worldOf([...giver.announced, ...own])));
  const expected = later.filter((place) => !gone.has(place)).sort();
  const found = [...taker.storage.places(null, null)]
    .map((place) => bytesOf(place))
    .filter((p) => dateIn(p) > prunedTo);
  const shown = (places: readonly ByteString[]) => places.map((place) => dateIn(place) - prunedTo).join(" ");
  return found.join() === expected.join()
    ? []
    : [`it keeps ${shown(found)}, and is to keep ${shown(expected)}`];
}

const signerOf = (random: SeededRandom): ByteString =>
  random.chance(0.4) ? random.oneOf([APPLICATION, ROOT]) : (KEY_IDS[random.oneOf(ADDED)] as ByteString);

const adding = (number: number): string =>
  `KEY ADD ${Buffer.from(SPKIS[number] as string, "latin1").toString("base64")} RULES +@all ~*`;

const placeBytes = (entry: Entry): ByteString => bytesOf(writePlace(placeOf(entry)));
const dateIn = (place: ByteString): number => dateOf(Buffer.from(place, "latin1"));

/** Returns the part of a world that the oracle reads. */
function worldOf(entries: readonly Entry[]): Pick<World, "genesis" | "ledger"> {
  const sent = new Map(entries.map((entry) => [entry.id, { entry }]));
  const genesis = { applications: [{ id: APPLICATION }], roots: [{ id: ROOT }] };
  return { genesis, ledger: { sent } } as unknown as Pick<World, "genesis" | "ledger">;
}

async function adopt(taker: TimelineSubject, giver: TimelineSubject): Promise<void> {
  const given = giver.timeline.handover.sendable(giver.timeline.prunedTo) ?? assert.fail();
  const staged = taker.timeline.handover.stage(given.cutAt);
  for (const chunk of given.chunks) staged.write(chunk);
  let isOver = false;
  let failure: Error | null = null;
  taker.timeline.handover.adopt(staged, staged.seal, {
    isWanted: () => true,
    onAside: () => {},
    onOrphaned: () => {},
    onAdopted: () => void (isOver = true),
    onFailed: (problem) => {
      failure = problem;
      isOver = true;
    },
  });
  while (!isOver) await taker.turns(1);
  if (failure !== null) throw failure;
}
