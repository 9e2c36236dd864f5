/**
 * Warns if the data that is read comes from daemons that are catching up: entries that other daemons have may be missing.
 */
import { realEnvironment } from "../../client/shared/environment.js";
import type { Address } from "../../client/shared/servers.js";
import { greet } from "../../client/version-2/greeting.js";

/** Milliseconds that a daemon has to answer a hello, so that a hung daemon does not delay the reading. */
const HELLO_MS = 2_000;

/**
 * Warns on standard error if all of `servers` that answer a hello are catching up.
 * @param missing  what may be missing, such as "keys"
 */
export async function warnIfCatchingUp(servers: readonly Address[], missing: string): Promise<void> {
  const way = { timeout: HELLO_MS, hasKey: true };
  const greetings = await Promise.all(servers.map((server) => greet(server, realEnvironment, way)));
  const states = greetings.map((greeting) => (greeting.kind === "hello" ? greeting.hello.state : ""));
  const answering = states.filter((state) => state !== "");
  if (answering.length === 0 || answering.some((state) => state !== "catching-up")) return;
  const behind = servers.filter((_, index) => states[index] !== "").map(({ text }) => text);
  process.stderr.write(
    `dbsync: warning: ${behind.join(", ")} ${behind.length === 1 ? "is" : "are"} catching up: ${missing} may be missing that other daemons have. ` +
      "Wait until dbsync status shows it as live, or name another daemon (-s)\n",
  );
}
