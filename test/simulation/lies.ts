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

/**
 * The lies of a byzantine member of a list about decided keys: a false latest date in its reports, units about patterns
 * that may not begin or do not exist, and writes to decided keys without a decision.
 */
export const PATTERN_LIES = ["latest", "false-beginnings", "void-writes"] as const;

export type DecisionLie = (typeof DECISION_LIES)[number] | "false-beginnings";
export type Lie = (typeof LIES)[number] | DecisionLie | (typeof PATTERN_LIES)[number];
