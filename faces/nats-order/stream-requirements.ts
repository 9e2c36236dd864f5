/** The requirements that the configuration of a stream must meet so that it can order writes. */
import type { StreamConfig } from "@nats-io/jetstream";

/** The value for no limit in NATS's configuration. */
const NO_LIMIT = 0;

interface Requirement {
  readonly isUnmet: (config: StreamConfig, subject: string) => boolean;
  /** Returns the problem, as the rest of a sentence that begins with the stream's name. */
  readonly problem: (config: StreamConfig, subject: string) => string;
  /** The remedy, for an operator. */
  readonly remedy: string;
}

const SPECIFY_ANOTHER = "specify another stream";
const dropsBy = (what: string) => `drops messages on its own (${what})`;
const isLimited = (value: number | undefined): boolean => (value ?? NO_LIMIT) > NO_LIMIT;

const REQUIREMENTS: readonly Requirement[] = [
  {
    isUnmet: ({ mirror, sources = [] }) => mirror !== undefined || sources.length > 0,
    problem: () => "is filled from other streams",
    remedy: SPECIFY_ANOTHER,
  },
  {
    isUnmet: ({ subjects = [] }, subject) => !subjects.includes(subject),
    problem: (_, subject) => `does not accept the subject ${subject}`,
    remedy: `add it, or ${SPECIFY_ANOTHER}`,
  },
  {
    isUnmet: ({ retention }) => retention !== undefined && retention !== "limits",
    problem: ({ retention }) => dropsBy(`retention ${retention}`),
    remedy: SPECIFY_ANOTHER,
  },
  {
    isUnmet: ({ max_age }) => isLimited(max_age),
    problem: () => dropsBy("max_age"),
    remedy: `set it to 0, or ${SPECIFY_ANOTHER}`,
  },
  {
    isUnmet: ({ max_msgs, max_bytes, discard }) =>
      discard !== "new" && (isLimited(max_msgs) || isLimited(max_bytes)),
    problem: ({ max_msgs }) => dropsBy(`${isLimited(max_msgs) ? "max_msgs" : "max_bytes"} with discard old`),
    remedy: "set discard to new, so that a full stream refuses writes, or remove the limit",
  },
  {
    isUnmet: ({ max_msgs_per_subject, discard, discard_new_per_subject }) =>
      isLimited(max_msgs_per_subject) && !(discard === "new" && discard_new_per_subject === true),
    problem: () => dropsBy("max_msgs_per_subject"),
    remedy: "remove that limit",
  },
  {
    isUnmet: ({ allow_msg_ttl }) => allow_msg_ttl === true,
    problem: () => dropsBy("allow_msg_ttl"),
    remedy: SPECIFY_ANOTHER,
  },
  {
    isUnmet: ({ no_ack }) => no_ack === true,
    problem: () => "acknowledges nothing (no_ack)",
    remedy: "set it to false",
  },
  {
    isUnmet: ({ sealed }) => sealed === true,
    problem: () => "is sealed: it accepts no messages",
    remedy: SPECIFY_ANOTHER,
  },
];

/**
 * Returns why a stream cannot order writes, and the remedy, as a sentence, or null if it can. It must accept each
 * message only once, acknowledge it, and never drop a message on its own.
 */
export function unmetRequirement(config: StreamConfig, subject: string): string | null {
  const unmet = REQUIREMENTS.find(({ isUnmet }) => isUnmet(config, subject));
  if (unmet === undefined) return null;
  return `the stream ${config.name} ${unmet.problem(config, subject)}: ${unmet.remedy}.`;
}
