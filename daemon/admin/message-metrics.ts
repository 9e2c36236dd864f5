/** Metrics of messages on channels, on their way between members. */
import { type MetricRow, ofMessages } from "./metric-row.js";

export const MESSAGE_METRICS: Readonly<Record<string, MetricRow>> = {
  dbsyncd_messages_given_total: ofMessages(
    "given",
    "Envelopes of messages (PUBLISH) that were handed to a member, each counted once a member.",
  ),
  dbsyncd_messages_dropped_total: ofMessages(
    "dropped",
    "… that were not, as more than --max-relay-bytes waited for it, or as they could not be signed.",
  ),
  dbsyncd_messages_heard_total: ofMessages(
    "heard",
    "Envelopes of messages that members handed over and that were told here.",
  ),
  dbsyncd_messages_missed_total: ofMessages(
    "missed",
    "Envelopes of messages that members left out, or that came faster than they could be judged.",
  ),
  dbsyncd_messages_refused_total: ofMessages(
    "refused",
    "Envelopes of messages that members handed over and that were not proved, too old, or not permitted.",
  ),
};
