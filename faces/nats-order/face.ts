/** The stream that orders the writes (--order). */
import { loadWith } from "../../daemon/net/process/service.js";
import type { Face } from "../../daemon/program/face.js";
import { checkOrderOptions, ORDER_OPTIONS } from "./options.js";

export const natsOrder: Face = {
  options: ORDER_OPTIONS,
  checkOptions: checkOrderOptions,
  tasks: {
    "order-snapshot": async (task) => await (await import("./order-task.js")).runOrderTask(task),
  },
  metrics: async () => (await import("./metrics.js")).METRICS,
  async openReplica(context) {
    const { order } = context.settings;
    if (order === null) return null;
    const packages = "@nats-io/jetstream @nats-io/transport-node";
    const { OrderedReplica } = await loadWith(packages, "--order", () => import("./ordered-replica.js"));
    const { loadGateway } = await import("../../daemon/cluster/replica/recorder-base.js");
    return new OrderedReplica(context, order, await loadGateway(context.settings));
  },
};
