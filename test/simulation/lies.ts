/** What a member that has turned bad does: each run has some of it only. */
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
