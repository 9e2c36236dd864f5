/** What must hold when a run's faults are over: every way in which daemons could differ, lose, double or break their word. */
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { DATABASES_DEFAULT, type Database } from "../../store/database.js";
import { canonicalState } from "../../store/digest.js";
import type { KeyRing } from "../../store/key-ring.js";
import { type Entry, placeOf, readPlace, writePlace } from "../../timeline/entry.js";
import { ringOf, shortId } from "./cast.js";
import { type NaiveState, naiveFold } from "./naive-fold.js";
import { EPOCH, type Host, type World } from "./world.js";

/** Why the daemons are not level yet; null: all have the same entries, on disk, and serve. */
export function unlevel({ hosts }: World): string | null {
  const first = hosts[0] as Host;
  const expected = first.disk.held().join("");
  for (const host of hosts) {
    const { daemon } = host;
    if (daemon === null) return `${host.name} is down`;
    if (!daemon.isLive) {
      const { failure, state } = daemon.timeline;
      return `${host.name} is not live: timeline ${failure ?? state}, peering ${daemon.peering.state}`;
    }
    if (host.disk.rotten.size > 0) return `${host.name} has ${host.disk.rotten.size} rotten entries`;
    const held = host.disk.held();
    if (held.join("") !== expected) return differingPlaces(first, host);
    const { ring, data } = totals(daemon.timeline.index);
    if (ring + data !== held.length)
      return `${host.name} counts ${ring} and ${data} entries, and has ${held.length}`;
  }
  return null;
}

const totals = (index: { total(set: "ring" | "data"): { count: number } }) => ({
  ring: index.total("ring").count,
  data: index.total("data").count,
});

function differingPlaces(one: Host, other: Host): string {
  const missing = (from: Host, to: Host) =>
    from.disk
      .held()
      .filter((place) => !to.disk.holds(place))
      .map((place) => shownPlace(place));
  return `only ${one.name} has ${missing(one, other)}; only ${other.name} has ${missing(other, one)}`;
}

const shownPlace = (place: ByteString): string => {
  const { at, id } = readPlace(Buffer.from(place, "latin1"));
  return `${shortId(id)}@${at - EPOCH}`;
};

/** The entries that all daemons have; only when they are level. */
export function finalEntries({ hosts, ledger }: World): Entry[] {
  const entries: Entry[] = [];
  for (const place of (hosts[0] as Host).disk.held()) {
    const sent = ledger.sent.get(place.slice(10));
    if (sent === undefined) ledger.violate(`${shownPlace(place)} was never sent`);
    else entries.push(sent.entry);
  }
  return entries;
}

export function oracleOf(entries: readonly Entry[], { genesis }: World): NaiveState {
  return naiveFold(entries, ringOf(genesis), DATABASES_DEFAULT);
}

/** How states differ from what the entries must come to; null: not at all. */
export function stateDifference({ hosts, scheduler }: World, oracle: NaiveState): string | null {
  // No clock is that far: all see the same keys as expired.
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
    return `${name} has ${only(found, expected).join(", ")}\n  and not ${only(expected, found).join(", ")} (${more})`;
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

/** The promises of the run, held against what everybody has in the end. */
export function brokenPromises(world: World, entries: readonly Entry[], oracle: NaiveState): string[] {
  const { ledger, hosts } = world;
  const problems = [...ledger.violations];
  const kept = new Map(entries.map((entry) => [bytesOf(writePlace(placeOf(entry))), entry]));
  const ids = new Set(entries.map(({ id }) => id));
  for (const [id, host] of ledger.acknowledged) {
    const { entry } = ledger.sent.get(id) ?? { entry: null };
    const place = entry === null ? "" : bytesOf(writePlace(placeOf(entry)));
    if (!ids.has(id) && !ledger.lost.has(place))
      problems.push(`${host} acknowledged ${shortId(id)}, which nobody has`);
  }
  for (const { entry, outcomes, isRead } of ledger.sent.values()) {
    if (!ids.has(entry.id)) continue;
    if (isRead) problems.push(`${shortId(entry.id)} only reads and was recorded`);
    if (entry.envelope.only !== null)
      problems.push(`${shortId(entry.id)} is for one daemon only and was recorded`);
    if (outcomes.length > 0 && outcomes.every(({ kind }) => kind === "not-applied"))
      problems.push(
        `${shortId(entry.id)} was refused everywhere (${outcomes.map(({ host }) => host)}), and was recorded`,
      );
  }
  for (const { host, at, places } of ledger.stable) {
    for (const place of places)
      if (!kept.has(place) && !ledger.lost.has(place))
        problems.push(`${host} said stable up to ${at - EPOCH}: ${shownPlace(place)} is gone`);
    for (const [place, entry] of kept)
      if (entry.envelope.at <= at && !places.has(place))
        problems.push(`${host} said stable up to ${at - EPOCH}, then came ${shownPlace(place)}`);
  }
  problems.push(...effectsOfNothing(hosts, oracle));
  return problems;
}

/** Keys whose last writer is a unit that was not to have any effect. */
function effectsOfNothing(hosts: readonly Host[], { units }: NaiveState): string[] {
  return hosts.flatMap(({ name, daemon }) =>
    (daemon?.timeline.database.keyspaces ?? []).flatMap(({ entries }) =>
      entries
        .filter(({ writer }) => units.get(writer)?.isVoid !== false)
        .map(
          ({ key, writer }) =>
            `${name}: ${JSON.stringify(key)} was written by ${shortId(writer)}, which had no right to`,
        ),
    ),
  );
}
