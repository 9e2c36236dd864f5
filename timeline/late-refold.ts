/** What a refold takes in that late entries have made necessary, beside the fold that serves. */
import type { Entry } from "./entries/entry.js";
import type { Fold } from "./fold/fold.js";
import type { Horizon } from "./horizon.js";
import type { RefoldingPlan } from "./refolding.js";
import type { Waiting } from "./waiting.js";

export interface LateRefoldParts {
  readonly waiting: Pick<Waiting, "takeDue" | "lateFrom">;
  readonly horizon: Pick<Horizon, "of" | "dueUntil">;
  readonly tailBytes: number;
  /** The one that serves. */
  readonly fold: () => Fold;
  /** The greatest date that it has. */
  readonly newest: number;
}

/** @returns how it goes, and with the late ones those that are due by now */
export function planLateRefold(
  late: readonly Entry[],
  { waiting, horizon, tailBytes, fold, newest }: LateRefoldParts,
): { readonly plan: RefoldingPlan; readonly entries: readonly Entry[] } {
  // Never below the old end of the tail: which ids are dated there is forgotten.
  const end = Math.max(fold().cutAt, horizon.of(newest));
  // What the fold that serves has, the new one has to have, wherever the clock stands now.
  const until = late.reduce(
    (latest, { envelope: { at } }) => Math.max(latest, at),
    Math.max(end, horizon.dueUntil, newest),
  );
  const entries = [...late, ...waiting.takeDue(until)];
  // Clients' entries that come meanwhile are later than the end of the tail that serves; members' wait.
  const cutTo = () => Math.min(fold().cutAt, waiting.lateFrom - 1);
  return { plan: { index: null, horizon: end, until, tailBytes, cutTo, found: () => {} }, entries };
}
