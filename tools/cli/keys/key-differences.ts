/** Compares the key rings of daemons. */
import type { DaemonRing, RingKey } from "./fetch-key-rings.js";

/** Number of hexadecimal digits of an id in a table, enough to identify the key. */
export const SHORT_DIGITS = 16;

interface KeyDifference {
  readonly id: string;
  readonly label: string;
  /** Addresses of the daemons that do not know the key. */
  readonly missingOn: readonly string[];
  /** The fields that differ between the remaining daemons, with their values; empty if no field differs. */
  readonly held: readonly { readonly address: string; readonly differing: Partial<RingKey> }[];
}

/** Returns the keys that some daemons do not know, or that have different fields on different daemons. */
export function differencesOf(rings: readonly DaemonRing[]): KeyDifference[] {
  const ids = new Set(rings.flatMap(({ keys }) => keys.map(({ id }) => id)));
  return [...ids].flatMap((id) => {
    const records = rings.map(({ address, keys }) => ({ address, key: keys.find((key) => key.id === id) }));
    const holders = records.flatMap(({ address, key }) => (key === undefined ? [] : [{ address, key }]));
    const missingOn = records.filter(({ key }) => key === undefined).map(({ address }) => address);
    const names = differingNames(holders.map(({ key }) => key));
    if (missingOn.length === 0 && names.length === 0) return [];
    const held =
      names.length === 0
        ? []
        : holders.map(({ address, key }) => ({ address, differing: pickFields(key, names) }));
    return [{ id, label: holders[0]?.key.label ?? "", missingOn, held }];
  });
}

/** Formats differences as lines for a terminal. */
export function differenceLines(differences: readonly KeyDifference[]): string[] {
  return differences.flatMap(({ id, label, missingOn, held }) => {
    const key = `${id.slice(0, SHORT_DIGITS)}${label === "" ? "" : ` (${label})`}`;
    const lines = missingOn.length === 0 ? [] : [`${key}: unknown to ${missingOn.join(", ")}`];
    for (const { address, differing } of held) {
      const fields = Object.entries(differing).map(([name, value]) => `${name} ${shown(value)}`);
      lines.push(`${key}: on ${address} ${fields.join(", ")}`);
    }
    return lines;
  });
}

function differingNames([first, ...remaining]: readonly RingKey[]): (keyof RingKey)[] {
  if (first === undefined) return [];
  const text = (key: RingKey, name: keyof RingKey) => JSON.stringify(key[name]);
  return (Object.keys(first) as (keyof RingKey)[]).filter((name) =>
    remaining.some((other) => text(other, name) !== text(first, name)),
  );
}

function pickFields(key: RingKey, names: readonly (keyof RingKey)[]): Partial<RingKey> {
  return Object.fromEntries(names.map((name) => [name, key[name]]));
}

function shown(value: unknown): string {
  return Array.isArray(value) ? value.join(" ") : String(value ?? "none");
}
