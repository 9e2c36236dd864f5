/** A fold, and a short notation for its entries: dates count from AT, units have the entry's name. */

import { canonicalRing, canonicalState } from "../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../daemon/store/database.js";
import { pemOfSpki } from "../../../../daemon/store/rights/spki.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { Fold, type UnitAnswer } from "../../../../daemon/timeline/fold/fold.js";
import { type ByteString, bytesOfText } from "../../../../protocol/byte-string.js";
import { type Envelope, hexOf } from "../../../../protocol/version-2/envelope.js";
import { unitId } from "../../../../protocol/version-2/unit-names.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { naiveFold } from "./naive-fold.js";
import { entryOf, genesisRing, KEY_IDS, SPKIS } from "./random-timeline.js";

export const AT = 1_790_000_000_000;
export const key = (number: number): ByteString => KEY_IDS[number] as ByteString;
export const hexId = (number: number): ByteString => hexOf(key(number));
export const pem = (number: number): ByteString => pemOfSpki(SPKIS[number] as ByteString);
export const [APPLICATION, ROOT] = [0, 1] as const;

/** Pads a name to an entry's id. */
export const idOf = (name: string): ByteString => bytesOfText(name).padEnd(32, "\0");
export const unitOf = (name: string, index = 0): ByteString => unitId(idOf(name), index);

type Fields = Partial<Omit<Envelope, "commands">>;

/** Returns an entry. @param lines  commands, as text with spaces or as arrays of arguments */
export function entry(
  name: string,
  at: number,
  lines: readonly (string | readonly string[])[],
  fields: Fields = {},
): Entry {
  const commands = lines.map((line) => (typeof line === "string" ? line.split(" ") : line));
  return entryOf({ ...fields, at: AT + at, commands }, idOf(name));
}

export class Subject {
  readonly #hasRoots: boolean;
  readonly fold: Fold;
  readonly #all: Entry[] = [];

  constructor({ hasRoots = true }: { hasRoots?: boolean } = {}) {
    this.#hasRoots = hasRoots;
    const ring = genesisRing({ hasRoots });
    this.fold = new Fold({ database: new Database(), ring, cutAt: AT });
  }

  /** Merges entries in one batch. @returns all their answers */
  merge(...entries: readonly Entry[]): UnitAnswer[] {
    this.#all.push(...entries);
    return this.fold.merge(entries).flatMap(({ answers }) => answers);
  }

  replies(...entries: readonly Entry[]): string[] {
    return this.merge(...entries).map(({ reply }) => shown(reply));
  }

  /** Runs a read on the present state. @returns the reply as text */
  ask(line: string, at = 1_000_000): string {
    return shown(this.fold.database.execute(line.split(" "), { at: AT + at, db: 0, id: "ask" }));
  }

  /** The state and key ring of the fold, and of the naive fold. */
  get states(): [string[], string[]] {
    const naive = naiveFold(this.#all, genesisRing({ hasRoots: this.#hasRoots }), 16);
    return [
      [...canonicalState(this.fold.database), ...canonicalRing(this.fold.ring)],
      [...canonicalState(naive.database), ...canonicalRing(naive.ring)],
    ];
  }
}
