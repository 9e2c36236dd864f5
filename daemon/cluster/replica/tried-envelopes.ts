/** Divides the units of a tried group that have written into envelopes, each of which is signed once. */
import { type Choice, COMMANDS_MAX, type Envelope } from "../../../protocol/version-2/envelope.js";
import type { TriedUnit, WritingUnit } from "./tried-units.js";
import { GROUP_BYTES } from "./waiting-group.js";

/** Units that are recorded as one envelope. */
export interface TriedEnvelope {
  readonly db: number;
  /** The indexes of the units in the group. */
  readonly indexes: number[];
  readonly units: WritingUnit[];
  readonly commands: Envelope["commands"][number][];
  readonly choices: Map<number, Choice>;
  readonly expiries: Map<number, number>;
  bytes: number;
  steps: number;
}

/** Divides the units that have written into envelopes. @param stepsMax  the maximum number of steps of an envelope */
export function envelopesOf(tried: readonly TriedUnit[], stepsMax: number): readonly TriedEnvelope[] {
  const envelopes: TriedEnvelope[] = [];
  for (const [index, unit] of tried.entries()) {
    if (unit.kind !== "writes") continue;

    let envelope = envelopes.at(-1);
    if (envelope === undefined || !fits(envelope, unit, stepsMax)) {
      const chosen = { choices: new Map(), expiries: new Map() };
      envelope = { db: unit.db, indexes: [], units: [], commands: [], ...chosen, bytes: 0, steps: 0 };
      envelopes.push(envelope);
    }

    const first = envelope.commands.length;
    for (const argv of unit.commands) envelope.commands.push(argv);
    for (const [step, choice] of unit.chosen.choices ?? []) envelope.choices.set(first + step, choice);
    for (const [step, expiry] of unit.chosen.expiries ?? []) envelope.expiries.set(first + step, expiry);

    envelope.indexes.push(index);
    envelope.units.push(unit);
    envelope.bytes += unit.bytes;
    envelope.steps += unit.steps;
  }
  return envelopes;
}

const fits = (envelope: TriedEnvelope, unit: WritingUnit, stepsMax: number): boolean =>
  envelope.db === unit.db &&
  envelope.commands.length + unit.commands.length <= COMMANDS_MAX &&
  envelope.bytes + unit.bytes <= GROUP_BYTES &&
  envelope.steps + unit.steps <= stepsMax;
