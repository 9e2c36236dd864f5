/** Node's client in this process, for the cases of model.ts. */
import type { OutboxClient } from "../../../client/outbox-client.js";
import { DbsyncError, type Outcome } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { client2Of } from "../../client/served-daemon.js";
import type { CaseClient, Ended, Kind } from "./model.js";

/** The timeout of a call that waits until every daemon has received what is queued for it. */
const FINISH_S = 2;

export const nodeClient: Kind = {
  name: "Node",
  lacks: {},
  open: ({ policy, isConditional, calls }, addresses) => {
    const client = client2Of(addresses, { versions: "1,2" });
    const options = {
      ...(policy === "usual" ? {} : { policy }),
      ...(isConditional ? { if: [{ key: "other", writer: null }] } : {}),
    };
    const opened: CaseClient = {
      call: () =>
        calls.map(({ key, timeout, bytes }) =>
          reported(client.call(["SET", key, "v".repeat(bytes)], { ...options, timeout: timeout * 1000 })),
        ),
      close: () => void client.close(),
      finish: () => finish(client),
      exit: () => client.close(),
    };
    return Promise.resolve(opened);
  },
};

async function finish(client: Pick<OutboxClient, "sendAll" | "close">): Promise<void> {
  await client.sendAll("PING", { timeout: FINISH_S * 1000 }).catch(() => {});
  await client.close();
}

/** Returns what a call's promise reports. */
export async function reported(promise: Promise<ReplyValue>): Promise<Ended> {
  try {
    return { effect: "applied", outcomes: [], text: JSON.stringify(await promise) };
  } catch (error) {
    if (!(error instanceof DbsyncError)) throw error;
    return { effect: error.effect, outcomes: error.outcomes.map(effectOf), text: error.message };
  }
}

const effectOf = (outcome: Outcome): Ended["outcomes"][number] => ({
  address: outcome.address,
  effect: outcome.status === "ok" ? "applied" : outcome.effect,
});
