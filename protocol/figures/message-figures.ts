/** The figures of messages (PUBLISH) between members. /metrics uses this table. */
import type { FigureTable } from "./figure.js";

/**
 * The counts of messages between members since the daemon started. A message is counted once for each member that
 * receives it.
 */
export const MESSAGE_FIGURES = {
  sent: {
    kind: "number",
    help: "Envelopes of messages (PUBLISH) that were sent to a member, each counted once for each member.",
    metric: { name: "dbsyncd_messages_sent_total", type: "counter" },
  },
  dropped: {
    kind: "number",
    help: "Envelopes of messages that were not sent to a member, because more than --max-relay-bytes waited for it, or because they could not be signed.",
    metric: { name: "dbsyncd_messages_dropped_total", type: "counter" },
  },
  delivered: {
    kind: "number",
    help: "Envelopes of messages from members that were delivered to subscribers of this daemon.",
    metric: { name: "dbsyncd_messages_delivered_total", type: "counter" },
  },
  missed: {
    kind: "number",
    help: "Envelopes of messages that members did not send, or that arrived faster than this daemon could check them.",
    metric: { name: "dbsyncd_messages_missed_total", type: "counter" },
  },
  refused: {
    kind: "number",
    help: "Envelopes of messages from members that had no valid signature, were too old or were not permitted.",
    metric: { name: "dbsyncd_messages_refused_total", type: "counter" },
  },
} as const satisfies FigureTable;

export type MessageFigures = Record<keyof typeof MESSAGE_FIGURES, number>;

export const noMessages = (): MessageFigures => ({
  sent: 0,
  dropped: 0,
  delivered: 0,
  refused: 0,
  missed: 0,
});
