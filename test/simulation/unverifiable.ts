/**
 * The oracle for the entries that a daemon drops when it accepts a snapshot, computed from the signed envelopes,
 * independently of daemon/timeline/.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import { firstKeys } from "./cast.js";
import { sha256 } from "./signatures.js";
import type { World } from "./world.js";

type Argv = readonly ByteString[];

/**
 * Returns the order keys of entries that a daemon with only the given data cannot verify.
 * @param kept      order keys of all entries in addition to the snapshot
 * @param contents  order keys of the snapshot's entries
 */
export function unverifiableOrderKeys(
  kept: Iterable<ByteString>,
  contents: Iterable<ByteString>,
  { genesis, ledger }: Pick<World, "genesis" | "ledger">,
): ByteString[] {
  const known = firstKeys(genesis);
  const envelopeAt = (orderKey: ByteString) => ledger.sent.get(orderKey.slice(10))?.entry.envelope;
  const note = (envelope: Envelope) => {
    for (const id of namedBy(envelope)) known.add(id);
  };

  for (const orderKey of contents) {
    const envelope = envelopeAt(orderKey);
    if (envelope !== undefined) note(envelope);
  }

  let unknown = [...kept];
  for (let before = -1; before !== unknown.length; ) {
    before = unknown.length;
    unknown = unknown.filter((orderKey) => {
      const envelope = envelopeAt(orderKey);
      if (envelope === undefined) return true;

      const { key, commands, decided } = envelope;
      if (decided?.signed === null) return false;
      // A daemon may add its own key only if no other key could add it.
      const isNewcomer = genesis.roots.length === 0 && commands.length === 1 && keyIn(commands[0]) === key;
      if (!known.has(key) && !isNewcomer) return true;
      note(envelope);
      return false;
    });
  }
  return unknown;
}

/**
 * Returns the order keys of entries that daemons with the given entries cannot verify, although they could if the
 * faults of the run had not destroyed other entries, which added the signers' keys.
 * @param readable  order keys of all entries that a daemon can read
 */
export function orphanedByFaults(
  readable: ReadonlySet<ByteString>,
  world: Pick<World, "genesis" | "ledger">,
): ByteString[] {
  const otherwise = new Set(unverifiableOrderKeys(readable, world.ledger.lost, world));
  return unverifiableOrderKeys(readable, [], world).filter((orderKey) => !otherwise.has(orderKey));
}

/**
 * Returns the ids of the keys that an envelope adds, even if it is not permitted to add them. A unit that also contains
 * other commands adds no key.
 */
export function namedBy({ commands, multi, if: conditions }: Envelope): ByteString[] {
  if (conditions !== null) return [];
  const units = multi ? [commands] : commands.map((argv) => [argv]);
  return units
    .filter((unit) => unit.every(([name]) => /^(KEY|CLUSTER)$/i.test(name ?? "")))
    .flatMap((unit) => unit.flatMap((argv) => keyIn(argv) ?? []));
}

/** Returns the id of the key that a command adds, or null if it adds none. */
export function keyIn([name = "", subcommand = "", text = ""]: Argv = []): ByteString | null {
  if (!/^(KEY|CLUSTER) ADD$/i.test(`${name} ${subcommand}`)) return null;
  return sha256(Buffer.from(text, "base64"));
}
