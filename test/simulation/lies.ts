/** The lies of a byzantine member. Each run uses only some of them. */
export const LIES = [
  "counts",
  "pruned",
  "state",
  "clock",
  "watermark",
  "gap",
  "snapshot",
  "votes",
  "withhold",
  "mute",
  "replay",
  "forge",
  "history",
] as const;

/**
 * The lies that also occur in runs with member lists. The other lies may need an operator before honest members are
 * live, and administrators sign no list without a live member.
 */
export const LISTED_LIES: ReadonlySet<Lie> = new Set([
  "clock",
  "watermark",
  "withhold",
  "mute",
  "replay",
  "forge",
]);

/** The lies of a byzantine member of a list about decisions. */
export const DECISION_LIES = [
  "votes-twice",
  "invents-votes",
  "invents-ballots",
  "takes-turns",
  "objects",
  "wrong-last",
  "hides-decisions",
  "repeats-decisions",
] as const;

export type DecisionLie = (typeof DECISION_LIES)[number];
export type Lie = (typeof LIES)[number] | DecisionLie;
