/** The path of a sidecar's commands, for the cases of model.ts: its client, and the errors that its clients receive. */
import { ForwardingClient } from "../../../client/forwarding-client.js";
import { replyOf } from "../../../faces/sidecar/signing-backend.js";
import type { Reply } from "../../../protocol/reply.js";
import { keyFile } from "../../python/running.js";
import type { Ended, Kind } from "./model.js";

/** The number of commands after which the daemons have received what was queued for them. */
const FINISHING_COMMANDS = 20;
const FINISH_MS = 2_000;
const SENDER = { db: 0, isStable: false };

const key = keyFile("ed25519", "private");

export const sidecarClient: Kind = {
  name: "sidecar",
  lacks: { version1: true },
  open: ({ policy, isConditional, calls }, addresses) => {
    const options = {
      servers: addresses.join(","),
      key,
      versions: "2",
      ...(policy === "usual" ? {} : { policy }),
    } as const;
    const { carrier } = ForwardingClient.open(options, () => {});

    const send = (argv: readonly string[], conditions: boolean) =>
      new Promise<Ended>((resolve) => {
        const replies = {
          resolve: (reply: Reply) =>
            resolve({ effect: hasFailed(reply) ? "unknown" : "applied", outcomes: [], text: "" }),
          reject: (problem: Error) => resolve(endOf(problem)),
        };
        if (conditions) carrier.sendTogether([argv], [{ db: 0, key: "other", writer: "" }], SENDER, replies);
        else carrier.send(argv, SENDER, replies);
      });

    return Promise.resolve({
      call: () =>
        calls.map(({ key: name, timeout, bytes }) => {
          carrier.timeout = timeout * 1000;
          return send(["SET", name, "v".repeat(bytes)], isConditional);
        }),
      close: () => void carrier.close(),
      finish: async () => {
        carrier.timeout = FINISH_MS;
        for (let sent = 0; sent < FINISHING_COMMANDS; sent++) await send(["PING"], false);
        await carrier.close();
      },
      exit: () => carrier.close(),
    });
  },
};

/** Returns what the error of a sidecar's client says. Errors of the command itself say nothing about other daemons. */
function endOf(problem: Error): Ended {
  const { text } = replyOf(problem);
  return { effect: text.startsWith("NOTAPPLIED ") ? "not-applied" : "unknown", outcomes: [], text };
}

/** Whether a reply is that of a transaction whose command has failed. */
const hasFailed = (reply: Reply): boolean =>
  reply.kind === "array" && reply.items.some(({ kind }) => kind === "error");
