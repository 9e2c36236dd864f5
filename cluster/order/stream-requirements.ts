/**
 * The requirements for a stream that orders writes: it must accept each message only once, acknowledge it, and never
 * drop a message on its own.
 */
import type { StreamConfig } from "@nats-io/jetstream";

/** The value for no limit in NATS's configuration. */
const NO_LIMIT = 0;

interface Demand {
  readonly fails: (config: StreamConfig, subject: string) => boolean;
  /** Returns the problem, as the rest of a sentence that begins with the stream's name. */
  readonly is: (config: StreamConfig, subject: string) => string;
  /** The remedy, for an operator. */
  readonly cure: string;
}

const ANOTHER = "name another stream";
const drops = (what: string) => `drops messages on its own (${what})`;
const limit = (value: number | undefined): boolean => (value ?? NO_LIMIT) > NO_LIMIT;

const DEMANDS: readonly Demand[] = [
  {
    fails: ({ mirror, sources = [] }) => mirror !== undefined || sources.length > 0,
    is: () => "is filled from other streams",
    cure: ANOTHER,
  },
  {
    fails: ({ subjects = [] }, subject) => !subjects.includes(subject),
    is: (_, subject) => `does not accept the subject ${subject}`,
    cure: `add it, or ${ANOTHER}`,
  },
  {
    fails: ({ retention }) => retention !== undefined && retention !== "limits",
    is: ({ retention }) => drops(`retention ${retention}`),
    cure: ANOTHER,
  },
  {
    fails: ({ max_age }) => limit(max_age),
    is: () => drops("max_age"),
    cure: `set it to 0, or ${ANOTHER}`,
  },
  {
    fails: ({ max_msgs, max_bytes, discard }) => discard !== "new" && (limit(max_msgs) || limit(max_bytes)),
    is: ({ max_msgs }) => drops(`${limit(max_msgs) ? "max_msgs" : "max_bytes"} with discard old`),
    cure: "set discard to new, so that a full stream refuses writes, or remove the limit",
  },
  {
    fails: ({ max_msgs_per_subject, discard, discard_new_per_subject }) =>
      limit(max_msgs_per_subject) && !(discard === "new" && discard_new_per_subject === true),
    is: () => drops("max_msgs_per_subject"),
    cure: "remove that limit",
  },
  {
    fails: ({ allow_msg_ttl }) => allow_msg_ttl === true,
    is: () => drops("allow_msg_ttl"),
    cure: ANOTHER,
  },
  {
    fails: ({ no_ack }) => no_ack === true,
    is: () => "acknowledges nothing (no_ack)",
    cure: "set it to false",
  },
  { fails: ({ sealed }) => sealed === true, is: () => "is sealed: it accepts no messages", cure: ANOTHER },
];

/** Returns why a stream cannot order writes, and the remedy, as a sentence, or null if it can. */
export function unmetRequirement(config: StreamConfig, subject: string): string | null {
  const failed = DEMANDS.find(({ fails }) => fails(config, subject));
  if (failed === undefined) return null;
  return `the stream ${config.name} ${failed.is(config, subject)}: ${failed.cure}.`;
}
