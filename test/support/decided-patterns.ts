/** Orders that a test sends as the operator of a daemon, such as those of `dbsync decide add`. */
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ReplyValue } from "../../client/public-api.js";
import { fieldsOf } from "../system/status.js";
import type { Trio } from "./trio.js";

/** Options with which a pattern begins after about 20 s. */
export const EARLY_PATTERNS: readonly string[] = ["--window", "3s,1s"];

/** Sends an order to a daemon, signed with the key in its folder. */
export async function sendOrder(trio: Trio, index: number, ...argv: readonly string[]): Promise<ReplyValue> {
  const key = createPrivateKey(readFileSync(join(trio.folder(index), "daemon.pem")));
  await using client = trio.client([index], { key });
  return await client.call(argv, { policy: "first" });
}

/**
 * Announces patterns, and waits until they have begun at each daemon.
 * @param order  sends an order as an administrator; by default a daemon does, which is one if there is no other
 */
export async function decideOn(
  trio: Trio,
  patterns: readonly string[],
  order: (argv: readonly string[]) => Promise<unknown> = (argv) => sendOrder(trio, 0, ...argv),
): Promise<void> {
  for (const pattern of patterns)
    await trio.until(
      `the pattern ${pattern} is announced`,
      async () => (await order(["CLUSTER", "DECIDE", pattern])) === "OK",
    );
  await trio.until("the patterns have begun", async () => {
    for (const index of trio.ports.keys()) {
      const fields = fieldsOf(await sendOrder(trio, index, "CLUSTER", "MEMBERS"));
      const known = String(fields.get("decided-patterns") ?? "");
      if (fields.get("patterns-waiting") != null || !patterns.every((one) => known.includes(`'${one}'`)))
        return false;
    }
    return true;
  });
}
