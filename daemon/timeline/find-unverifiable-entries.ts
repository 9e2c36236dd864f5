/**
 * Finds entries that no other daemon could verify any longer: a member's snapshot replaces the entries that named their
 * signers' keys, and does not contain these keys. Like members that check entries, the search uses only
 * the bytes of entries, not their senders or their times of arrival.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Steps } from "../../protocol/steps.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import { isKeyCommand, type KeyRing } from "../store/key-ring.js";
import { type Entry, firstOrderKeyBytes, readOrderKey } from "./entries/entry.js";
import { viewEntry } from "./entries/stored-value.js";
import { unitsOf } from "./fold/fold-unit.js";
import type { TimelineParts } from "./timeline-environment.js";

/** The number of entries to check between two turns of the event loop, which takes a few milliseconds. */
const ENTRIES_PER_STEP = 64;

/** The order keys of the found entries, in order. */
export interface Unverifiable {
  readonly unknown: readonly Buffer[];
  /** Damaged entries, whose signers cannot be determined; members that have them send them again. */
  readonly damaged: readonly Buffer[];
}

/** The parts of an entry that show its signer and the keys that it names. */
interface Signed extends Pick<Envelope, "key" | "at" | "commands"> {
  readonly orderKey: Buffer;
  /** Whether a client has signed it: no client has signed a decision that only closes earlier member lists. */
  readonly isSigned: boolean;
  /** The units that may name keys; if there are none, `commands` is empty too. */
  readonly naming: readonly (readonly (readonly ByteString[])[])[];
}

/**
 * Finds the entries that no daemon could verify. Nothing may be written to the storage in the meantime.
 * @param ring   the snapshot's key ring; the keys that the remaining entries name are added to it
 * @param after  only entries dated after this are checked; milliseconds since 1970
 */
export function* findUnverifiable(
  { storage, hash, databases }: TimelineParts,
  ring: KeyRing,
  after: number,
): Steps<Unverifiable> {
  const damaged: Buffer[] = [];
  let unknown: Signed[] = [];
  const isKnown = (signed: Signed): boolean => {
    if (signed.isSigned && ring.spkiOf(signed) === undefined) return false;
    for (const unit of signed.naming) ring.named.addOf(unit);
    return true;
  };
  let next: Buffer | null = firstOrderKeyBytes(after + 1);
  while (next !== null) {
    const from: Buffer = next;
    next = null;
    let count = 0;
    for (const [bytes, value] of storage.entries(from, null)) {
      const orderKey = Buffer.from(bytes);
      if (count++ === ENTRIES_PER_STEP) {
        next = orderKey;
        break;
      }
      const entry = viewEntry(readOrderKey(orderKey), value, hash);
      if (entry === null) damaged.push(orderKey);
      else {
        const signed = signedOf(orderKey, entry, databases);
        if (!isKnown(signed)) unknown.push(signed);
      }
    }
    yield;
  }
  // The entry that names a key may come after an entry signed with that key, or may itself be signed with such a key.
  for (let before = -1; before !== unknown.length; yield) {
    before = unknown.length;
    unknown = unknown.filter((signed) => !isKnown(signed));
  }
  return { unknown: unknown.map(({ orderKey }) => orderKey), damaged };
}

function signedOf(orderKey: Buffer, entry: Entry, databases: number): Signed {
  const { key, at, commands, decided } = entry.envelope;
  const isSigned = decided?.signed !== null;
  if (!commands.some(isKeyCommand)) return { orderKey, isSigned, key, at, naming: [], commands: [] };
  const naming = unitsOf(entry, databases).flatMap((unit) => (unit.kind === "ring" ? [unit.commands] : []));
  return { orderKey, isSigned, key, at, naming, commands };
}
