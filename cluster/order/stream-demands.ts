/**
 * The requirements of a stream that orders writes: it takes each message once, acknowledges it, and forgets none by
 * itself.
 */
import type { StreamConfig } from "@nats-io/jetstream";

/** No limit, as NATS has it. */
const NO_LIMIT = 0;

interface Demand {
  readonly fails: (config: StreamConfig, subject: string) => boolean;
  /** A description that continues a sentence after the stream's name. */
  readonly is: (config: StreamConfig, subject: string) => string;
  /** The action for an operator. */
  readonly cure: string;
}

const ANOTHER = "name another stream";
const forgets = (what: string) => `forgets messages by itself (${what})`;
const limit = (value: number | undefined): boolean => (value ?? NO_LIMIT) > NO_LIMIT;

const DEMANDS: readonly Demand[] = [
  {
    fails: ({ mirror, sources = [] }) => mirror !== undefined || sources.length > 0,
    is: () => "is filled from other streams",
    cure: ANOTHER,
  },
  {
    fails: ({ subjects = [] }, subject) => !subjects.includes(subject),
    is: (_, subject) => `does not take the subject ${subject}`,
    cure: `add it, or ${ANOTHER}`,
  },
  {
    fails: ({ retention }) => retention !== undefined && retention !== "limits",
    is: ({ retention }) => forgets(`retention ${retention}`),
    cure: ANOTHER,
  },
  {
    fails: ({ max_age }) => limit(max_age),
    is: () => forgets("max_age"),
    cure: `set it to 0, or ${ANOTHER}`,
  },
  {
    fails: ({ max_msgs, max_bytes, discard }) => discard !== "new" && (limit(max_msgs) || limit(max_bytes)),
    is: ({ max_msgs }) => forgets(`${limit(max_msgs) ? "max_msgs" : "max_bytes"} with discard old`),
    cure: "let it discard new, so that a full stream refuses writes, or remove the limit",
  },
  {
    fails: ({ max_msgs_per_subject, discard, discard_new_per_subject }) =>
      limit(max_msgs_per_subject) && !(discard === "new" && discard_new_per_subject === true),
    is: () => forgets("max_msgs_per_subject"),
    cure: "remove that limit",
  },
  {
    fails: ({ allow_msg_ttl }) => allow_msg_ttl === true,
    is: () => forgets("allow_msg_ttl"),
    cure: ANOTHER,
  },
  {
    fails: ({ no_ack }) => no_ack === true,
    is: () => "acknowledges nothing (no_ack)",
    cure: "set it to false",
  },
  { fails: ({ sealed }) => sealed === true, is: () => "is sealed: it takes no messages", cure: ANOTHER },
];

/** Why writes cannot be ordered by it, and what to do, as a sentence; null: they can. */
export function misfitOf(config: StreamConfig, subject: string): string | null {
  const failed = DEMANDS.find(({ fails }) => fails(config, subject));
  if (failed === undefined) return null;
  return `the stream ${config.name} ${failed.is(config, subject)}: ${failed.cure}.`;
}
