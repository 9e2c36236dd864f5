/** The keys about which a lying keeper lies. */
export const LIES = {
  /** Units that name it are proposed with another value. */
  effects: "d:effects",
  /** Units that name it are proposed with the opposite outcome. */
  outcome: "d:outcome",
  /** Of two units that name it, a colon and the same number, each is proposed to one member as the only one. */
  twice: "d:twice",
  /** The same, and each member receives only the vote for its own one. */
  apart: "d:apart",
} as const;
