/**
 * Checks what must hold after a run's faults: the daemons are equal, have neither lost nor duplicated an entry, and
 * have kept their promises.
 */

import { canonicalState } from "../../daemon/store/canonical-state.js";
import { DATABASES_DEFAULT, type Database } from "../../daemon/store/database.js";
import type { KeyRing } from "../../daemon/store/key-ring.js";
import { type Entry, orderKeyOf, readOrderKey, writeOrderKey } from "../../daemon/timeline/entries/entry.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { wrongAcknowledgements } from "./acknowledged.js";
import { firstKeys, ringOf, shortId } from "./cast.js";
import type { Outcomes } from "./decisions.js";
import { isOnlyOnRemoved } from "./lists/list-checks.js";
import { wrongVoidLetters } from "./lists/simulated-dead-letters.js";
import { type NaiveState, naiveFold } from "./naive-fold.js";
import { wrongOnDecidedKeys } from "./patterns.js";
import { isExcused } from "./stable-promises.js";
import { namedBy, orphanedByFaults, unverifiableOrderKeys } from "./unverifiable.js";
import { EPOCH, type Host, type World } from "./world.js";

/** Returns why the daemons are not equal yet, or null if all have the same entries on disk and serve clients. */
export function unlevel(world: World): string | null {
  const { honest: hosts } = world;
  const first = hosts[0] as Host;
  const expected = heldOf(first, world).join("");

  for (const host of hosts) {
    const { daemon } = host;
    if (daemon === null) return `${host.name} is down`;
    // If there are only two members, the byzantine member may prevent the honest member from going live.
    if (!daemon.isLive && hosts.length > 1) {
      const { failure, state } = daemon.timeline;
      return `${host.name} is not live: timeline ${failure ?? state}, peering ${daemon.peering.state}`;
    }
    if (daemon.isStoring) return `${host.name} has entries that are not on its disk yet`;
    // A daemon pauses between two merges of late entries. A decision may be on the disk of one daemon only until then.
    if (!daemon.timeline.waiting.hasOnlyFuture)
      return `${host.name} has late entries that are not part of its state`;

    const rotten = host.disk.rotten.size - lostRotten(host, world).size;
    if (rotten > 0) return `${host.name} has ${rotten} rotten entries`;
    const held = heldOf(host, world);
    if (held.join("") !== expected) return differingOrderKeys(first, host);
    const count = countOf(daemon.timeline.index) - orphanedBy(host, world).length;
    if (count !== held.length) return `${host.name} counts ${count} entries, but has ${held.length}`;
  }
  return null;
}

/** Returns the order keys of rotten entries that no peer can send, because no honest daemon has another copy. */
function lostRotten({ disk }: Host, { honest }: World): Set<ByteString> {
  return new Set([...disk.rotten].filter((orderKey) => !honest.some((other) => other.stores(orderKey))));
}

/** Returns the order keys of the entries that make up a host's state. */
function heldOf(host: Host, world: World): readonly ByteString[] {
  const orphaned = new Set(orphanedBy(host, world));
  return readableOf(host, world).filter((orderKey) => !orphaned.has(orderKey));
}

function readableOf(host: Host, world: World): readonly ByteString[] {
  const lost = lostRotten(host, world);
  return lost.size === 0 ? host.disk.held() : host.disk.held().filter((orderKey) => !lost.has(orderKey));
}

/**
 * Returns a host's entries whose signers' keys were added by entries that are lost everywhere. These entries have no
 * effect, and no other daemon can verify them.
 */
function orphanedBy(host: Host, world: World): readonly ByteString[] {
  if (!world.settings.faults.has("rot")) return [];
  const orphaned = new Set(unverifiableOrderKeys(readableOnAny(world), [], world));
  return readableOf(host, world).filter((orderKey) => orphaned.has(orderKey));
}

/**
 * Returns the entries that only some hosts have, because no other host can verify them: faults have destroyed the
 * entries that added their signers' keys. Until administrators add these keys again, nothing becomes final.
 * Source: docs/consistency.md "A damaged entry".
 */
export function partlyOrphaned(world: World): Entry[] {
  const orphaned = new Set(world.honest.flatMap((host) => orphanedBy(host, world)));
  return [...orphaned]
    .filter((orderKey) => world.honest.some(({ disk }) => !disk.holds(orderKey)))
    .flatMap((orderKey) => world.ledger.sent.get(orderKey.slice(10))?.entry ?? []);
}

/** Returns the order keys of the entries that at least one host can read. */
const readableOnAny = (world: World): ReadonlySet<ByteString> =>
  new Set(world.honest.flatMap((host) => readableOf(host, world)));

/**
 * Returns the order keys of entries that may be missing from the final state: faults destroyed their last sound
 * copies, or the last sound copies of the entries that added their signers' keys.
 * Source: docs/consistency.md "A damaged entry".
 */
function lostToFaults(world: World): ReadonlySet<ByteString> {
  const { ledger, settings } = world;
  const orphaned = settings.faults.has("rot") ? orphanedByFaults(readableOnAny(world), world) : [];
  return new Set([...ledger.lost, ...orphaned]);
}

/** Returns the number of entries in a daemon's index. */
export const countOf = (index: { total(set: "ring" | "data"): { count: number } }): number =>
  index.total("ring").count + index.total("data").count;

function differingOrderKeys(one: Host, other: Host): string {
  const missing = (from: Host, to: Host) =>
    from.disk
      .held()
      .filter((orderKey) => !to.disk.holds(orderKey))
      .map((orderKey) => shownOrderKey(orderKey));
  return `only ${one.name} has ${missing(one, other)}; only ${other.name} has ${missing(other, one)}`;
}

const shownOrderKey = (orderKey: ByteString): string => {
  const { at, id } = readOrderKey(Buffer.from(orderKey, "latin1"));
  return `${shortId(id)}@${at - EPOCH}`;
};

/** Returns the entries that all daemons have. Valid only while the daemons are equal. */
export function finalEntries(world: World): Entry[] {
  const { honest: hosts, ledger } = world;
  const entries: Entry[] = [];
  for (const orderKey of heldOf(hosts[0] as Host, world)) {
    const sent = ledger.sent.get(orderKey.slice(10));
    if (sent === undefined) ledger.violate(`${shownOrderKey(orderKey)} was never sent`);
    else entries.push(sent.entry);
  }
  return entries;
}

export function oracleOf(entries: readonly Entry[], { genesis }: World): NaiveState {
  return naiveFold(entries, ringOf(genesis), DATABASES_DEFAULT);
}

/** Returns how the states differ from the oracle's, or null if they are equal. */
export function stateDifference({ honest: hosts, scheduler }: World, oracle: NaiveState): string | null {
  // This date is later than every clock, so all daemons see the same keys as expired.
  const now = Math.max(...hosts.map((host) => host.clock()), EPOCH + scheduler.time) + 1_000;
  const expected = [...stateLines(oracle.database, now), ...ringLines(oracle.ring)];
  for (const host of hosts) {
    const { name, daemon } = host;
    if (daemon === null) return `${name} is down`;
    const found = [...stateLines(daemon.timeline.database, now), ...ringLines(daemon.timeline.ring)];
    if (found.join("\n") === expected.join("\n")) continue;
    const only = (some: readonly string[], others: readonly string[]) =>
      some.filter((line) => !others.includes(line));
    const { waiting } = daemon.timeline.figures;
    const more = `${waiting} entries wait, at ${host.clock() - EPOCH}`;
    return `${name} has ${only(found, expected).join(", ")}\n  but is missing ${only(expected, found).join(", ")} (${more})`;
  }
  return null;
}

function stateLines(database: Database, now: number): string[] {
  return canonicalState(database).flatMap((line) => {
    const [db, key, type, expire, writer, value] = JSON.parse(line) as [
      number,
      string,
      string,
      number,
      string,
      unknown,
    ];
    if (expire !== 0 && expire < now) return [];
    const until = expire === 0 ? "" : ` until ${expire - EPOCH}`;
    return [
      `${db} ${JSON.stringify(key)}${until} by ${shownUnitId(writer)}: ${type} ${JSON.stringify(value)}`,
    ];
  });
}

const shownUnitId = (id: ByteString) =>
  `${shortId(id)}#${Buffer.from(id.slice(32), "latin1").toString("hex")}`;

function ringLines(ring: KeyRing): string[] {
  const patterns = ring.patterns.all.map((pattern) => JSON.stringify(pattern)).sort();
  return [...patterns, ...keyLines(ring)];
}

function keyLines(ring: KeyRing): string[] {
  return [...ring.all()]
    .map(({ id, role, label, rules, notBefore, notAfter, revokedAt, addedAt, addedBy, version, rate }) => {
      const by = addedBy === null ? null : shortId(addedBy);
      return JSON.stringify([
        shortId(id),
        role,
        label,
        rules,
        notBefore,
        notAfter,
        revokedAt,
        addedAt,
        by,
        version,
        rate,
      ]);
    })
    .sort();
}

/** Returns which entries are part of the final state, and which ones may be missing from it. */
export function outcomesOf(world: World, entries: readonly Entry[]): Outcomes {
  const lost = lostToFaults(world);
  return {
    ids: new Set(entries.map(({ id }) => id)),
    isLost: (orderKey) => lost.has(orderKey) || isOnlyOnRemoved(world, orderKey),
  };
}

/** Returns the promises of the run that the final entries break. */
export function brokenPromises(world: World, entries: readonly Entry[], oracle: NaiveState): string[] {
  const { ledger, honest: hosts, settings } = world;
  const problems = [...ledger.violations];
  const kept = new Map(entries.map((entry) => [bytesOf(writeOrderKey(orderKeyOf(entry))), entry]));
  const ids = new Set(entries.map(({ id }) => id));
  const lost = lostToFaults(world);

  for (const [id, host] of ledger.acknowledged) {
    const { entry } = ledger.sent.get(id) ?? { entry: null };
    const orderKey = entry === null ? "" : bytesOf(writeOrderKey(orderKeyOf(entry)));
    if (!ids.has(id) && !lost.has(orderKey) && !isOnlyOnRemoved(world, orderKey))
      problems.push(`${host} acknowledged ${shortId(id)}, which no daemon has`);
  }

  for (const { entry, outcomes, isRead } of ledger.sent.values()) {
    if (!ids.has(entry.id)) continue;
    if (isRead) problems.push(`${shortId(entry.id)} only reads, but was recorded`);
    if (entry.envelope.only !== null)
      problems.push(`${shortId(entry.id)} is for one daemon only, but was recorded`);
    if (outcomes.length > 0 && outcomes.every(({ kind }) => kind === "not-applied"))
      problems.push(
        `${shortId(entry.id)} was refused by all hosts (${outcomes.map(({ host }) => host)}), but was recorded`,
      );
  }

  for (const promise of ledger.stable) {
    const { host, at, orderKeys } = promise;
    for (const orderKey of orderKeys)
      if (!kept.has(orderKey) && !lost.has(orderKey))
        problems.push(`${host} reported stable up to ${at - EPOCH}: ${shownOrderKey(orderKey)} is missing`);
    // A byzantine member can withhold entries that it claims not to have, so runs with such a member are not checked.
    for (const [orderKey, entry] of settings.byzantine === null ? kept : [])
      if (entry.envelope.at <= at && !orderKeys.has(orderKey) && !isExcused(world, promise, entry.id))
        problems.push(
          `${host} reported stable up to ${at - EPOCH}, but ${shownOrderKey(orderKey)} arrived later`,
        );
  }

  for (const host of hosts)
    for (const orderKey of lostRotten(host, world))
      if (!host.disk.reportedRotten.has(hexOf(orderKey.slice(10))))
        problems.push(
          `${host.name} has lost the last copy of ${shownOrderKey(orderKey)} without reporting it`,
        );

  const outcomes = outcomesOf(world, entries);
  problems.push(...ledger.decisions.broken(outcomes, settings.byzantine !== null));
  problems.push(...wrongAcknowledgements(world, entries, oracle, lost));
  problems.push(...wrongOnDecidedKeys(world, entries, oracle, outcomes));
  problems.push(...wrongVoidLetters(world, entries, oracle));
  problems.push(...effectsOfNothing(hosts, oracle), ...foreignKeys(world));
  return problems;
}

/** Returns keys in a key ring that no signed envelope adds. */
export function foreignKeys({ genesis, ledger, honest }: World): string[] {
  const known = firstKeys(genesis);
  for (const { entry } of ledger.sent.values()) for (const id of namedBy(entry.envelope)) known.add(id);
  return honest.flatMap(({ name, daemon }) =>
    [...(daemon?.timeline.ring.all() ?? [])]
      .filter(({ id }) => !known.has(id))
      .map(({ id }) => `${name} has the key ${shortId(id)} in its ring, which no envelope adds`),
  );
}

/** Returns the keys whose last writer is a unit that must not have any effect. */
function effectsOfNothing(hosts: readonly Host[], { units }: NaiveState): string[] {
  return hosts.flatMap(({ name, daemon }) =>
    (daemon?.timeline.database.keyspaces ?? []).flatMap(({ entries }) =>
      entries
        .filter(({ writer }) => units.get(writer)?.isVoid !== false)
        .map(
          ({ key, writer }) =>
            `${name}: ${JSON.stringify(key)} was written by ${shortId(writer)}, which must not have any effect`,
        ),
    ),
  );
}
