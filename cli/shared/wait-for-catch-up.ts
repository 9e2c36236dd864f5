/**
 * Handles daemons that are catching up: their data may be incomplete, and they accept no new writes.
 */
import type { Settings } from "../../client/settings/client-settings.js";
import { realEnvironment } from "../../client/shared/client-environment.js";
import type { Address } from "../../client/shared/server-list.js";
import { readHello } from "../../client/version-2/single-hello.js";
import { printNotice } from "./output.js";
import { showProgressText } from "./progress.js";

/** Time limit for the answer to a hello, in milliseconds, so that a hung daemon causes no long delay. */
const HELLO_MS = 2_000;
/** Time between two rounds of hellos, in milliseconds. */
const HELLO_EVERY_MS = 250;

const CATCHING_UP = "catching-up";

/**
 * Warns on standard error if all servers that answer a hello are catching up.
 * @param missing  the data that may be missing, such as "keys"
 */
export async function warnIfCatchingUp(servers: readonly Address[], missing: string): Promise<void> {
  const states = await statesOf(servers);
  const answering = states.filter((state) => state !== "");
  if (answering.length === 0 || answering.some((state) => state !== CATCHING_UP)) return;
  const late = servers.filter((_, index) => states[index] !== "").map(({ text }) => text);
  printNotice(
    `warning: ${areCatchingUp(late)}: some ${missing} may be missing. ` +
      "Wait until dbsync status shows the daemon as live, or specify another daemon (-s)",
  );
}

/**
 * Waits until no daemon that answers a hello is catching up, because such a daemon would refuse commands that the other
 * daemons apply.
 * @throws Error  a daemon is still catching up after the time limit of a command
 */
export async function waitUntilComplete({ servers, timeout }: Settings): Promise<void> {
  const end = realEnvironment.now() + timeout;
  using steps = showProgressText();
  for (;;) {
    const states = await statesOf(servers);
    const late = servers.filter((_, index) => states[index] === CATCHING_UP).map(({ text }) => text);
    if (late.length === 0) return;
    steps.show(areCatchingUp(late));
    if (realEnvironment.now() >= end)
      throw new Error(
        `${areCatchingUp(late)}; nothing was sent. Run it again when dbsync status shows each daemon as live`,
      );
    await new Promise((resolve) => setTimeout(resolve, HELLO_EVERY_MS));
  }
}

/** Returns the state that each daemon reports, or "" for a daemon that does not answer a hello. */
async function statesOf(servers: readonly Address[]): Promise<string[]> {
  const greetings = await Promise.all(servers.map((server) => readHello(server, realEnvironment, HELLO_MS)));
  return greetings.map((greeting) => (greeting.kind === "hello" ? greeting.hello.state : ""));
}

const areCatchingUp = (servers: readonly string[]) =>
  `${servers.join(", ")} ${servers.length === 1 ? "is" : "are"} catching up`;
