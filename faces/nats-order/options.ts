/** The options of the stream that orders the writes (--order). */
import { fail } from "../../daemon/net/process/service.js";
import { type OrderAddress, parseOrder } from "../../daemon/options/addresses/order-address.js";
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import type { Settings } from "../../daemon/options/settings.js";
import { formatDateWindow, ORDER_WINDOW } from "../../daemon/options/timeline-values.js";
import { path, text } from "../../daemon/options/value-forms.js";

export const ORDER_OPTIONS = {
  /** The stream that orders all writes, or null to order writes by date. */
  order: row({
    flags: "--order <url>",
    help:
      "stream of NATS JetStream that orders all writes, so that answers are final immediately: nats://host:4222/stream, " +
      "tls://user:password@…, several hosts separated by commas; ?replicas=3 at the end sets the replicas of a new stream",
    form: text<OrderAddress>(parseOrder, ({ name }) => name),
    fallback: null,
    reload: "restart",
    example: "nats://127.0.0.1:4222/writes",
    needs: ["signKey"],
    section: "Data and peers:",
    after: "retain",
  }),
  orderCredentials: row({
    flags: "--order-credentials <file>",
    help: "credentials for the NATS server of --order (a .creds file)",
    form: path,
    fallback: null,
    reload: "restart",
    example: "dbsync.creds",
    needs: ["order"],
    section: "Data and peers:",
    after: "order",
  }),
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof ORDER_OPTIONS> {}
}

/** Checks the options of --order. @throws StartError  another option conflicts with the stream */
export function checkOrderOptions({ order, orderCredentials, peers, fsync, retain, window }: Settings): void {
  if (order === null) {
    if (orderCredentials !== null) fail("--order-credentials needs --order: add --order, or leave it out.");
    return;
  }

  if (peers.length > 0)
    fail(
      "--order and --peer cannot be used together: either the stream orders the writes and sends them to all daemons, or the " +
        "daemons do this by dates. Leave one out.",
    );

  if (fsync !== "always" || retain !== Number.POSITIVE_INFINITY)
    fail(
      "--fsync and --retain are for a timeline in the data folder; with --order the stream stores the writes. Leave them out.",
    );

  if (window.past > ORDER_WINDOW.past || window.future > ORDER_WINDOW.future)
    fail(
      `--window with --order is at most ${formatDateWindow(ORDER_WINDOW)}: daemons do not apply envelopes whose dates differ more from the stream's clock.`,
    );
}
