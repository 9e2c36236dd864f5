/**
 * The Python client, for the cases of model.ts. One program has the clients of all cases that do not end by its exit.
 */
import { env, keyFile, PYTHON } from "../../python/running.js";
import type { Kind } from "./model.js";
import { Program, programFile } from "./program-client.js";

const key = keyFile("ed25519", "private");

const start = () => new Program(PYTHON, [programFile("calls.py")], env);
let shared: Program | null = null;

/** Ends the shared program. */
export async function endPython(): Promise<void> {
  await shared?.exit();
}

export const pythonClient: Kind = {
  name: "Python",
  lacks: { version1: true },
  open: ({ number, policy, isConditional, calls, exits }, servers) => {
    shared ??= start();
    const program = exits ? start() : shared;
    const client = String(number);
    void program.order({ do: "open", client, servers, key });
    return Promise.resolve({
      call: () =>
        calls.map((call) =>
          program.order({
            do: "call",
            client,
            ...call,
            isConditional,
            policy: policy === "usual" ? null : policy,
          }),
        ),
      close: () => void program.order({ do: "close", client }),
      finish: async () => void (await program.order({ do: "finish", client })),
      exit: () => program.exit(),
    });
  },
};
