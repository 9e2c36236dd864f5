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

export type Lie = (typeof LIES)[number];
