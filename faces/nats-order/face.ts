/** The stream that orders the writes (--order). */
import { loadWith } from "../../daemon/net/process/optional-package.js";
import type { Face } from "../../daemon/program/face.js";

export const natsOrder: Face = {
  async openRecorder(context) {
    const { order } = context.settings;
    if (order === null) return null;
    const packages = "@nats-io/jetstream @nats-io/transport-node";
    const { OrderedReplica } = await loadWith(packages, "--order", () => import("./ordered-replica.js"));
    return new OrderedReplica(context, order);
  },
};
