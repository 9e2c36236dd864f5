/** Counts the names that a listener in the test process takes in one turn of the event loop. */
import type { TestContext } from "node:test";
import { Channels } from "../../../daemon/engine/channels/channels.js";
import type { RawClient } from "../../../test/support/raw-client.js";
import { until } from "../../../test/support/until.js";

/** Sends bytes, and waits until the answer has an end. @returns the answer, and the most names of one turn */
export async function namesInOneTurn(
  { mock }: TestContext,
  client: RawClient,
  request: string,
  end: string,
): Promise<{ readonly answer: string; readonly names: number }> {
  const changes = [mock.method(Channels.prototype, "add"), mock.method(Channels.prototype, "remove")];
  const start = client.received.length;
  let names = 0;
  client.send(request);
  await until(
    "the request is answered",
    () => {
      for (const change of changes) {
        names = Math.max(names, change.mock.callCount());
        change.mock.resetCalls();
      }
      return client.received.length > start && client.received.endsWith(end);
    },
    { pause: () => new Promise((resolve) => setImmediate(resolve)) },
  );
  for (const change of changes) change.mock.restore();
  return { answer: client.received.slice(start), names };
}
