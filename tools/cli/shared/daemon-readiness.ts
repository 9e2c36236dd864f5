/**
 * Handles daemons that are not ready, for example because they are catching up: their data may be incomplete, and they
 * accept no new writes.
 */
import type { ClientSettings } from "../../../client/settings/client-settings.js";
import { realClientEnvironment } from "../../../client/shared/client-environment.js";
import type { Address } from "../../../client/shared/server-list.js";
import { readHello } from "../../../client/version-2/single-hello.js";
import { rowOfState } from "../../../protocol/daemon-states.js";
import { printNotice } from "./output.js";
import { showProgressText } from "./progress.js";

/** Time limit for the answer to a hello, in milliseconds, so that a hung daemon causes no long delay. */
const HELLO_MS = 2_000;
/** Time between two rounds of hellos, in milliseconds. */
const HELLO_EVERY_MS = 250;

/**
 * Warns on standard error if the data of all servers that answer a hello may be incomplete.
 * @param missing  the data that may be missing, such as "keys"
 */
export async function warnIfCatchingUp(servers: readonly Address[], missing: string): Promise<void> {
  const states = await statesOf(servers);
  const answering = states.filter((state) => state !== "" && state !== UNREACHABLE);
  if (answering.length === 0 || answering.some((state) => rowOfState(state)?.isComplete !== false)) return;
  printNotice(
    `warning: ${statesText(servers, states, (state) => answering.includes(state))}: some ${missing} may be missing. ` +
      "Wait until dbsync status shows the daemon as live, or specify another daemon (-s)",
  );
}

/**
 * Waits until all daemons accept connections and none that answers a hello refuses writes, because a command that only
 * some daemons accept ends an import in the middle.
 * @throws Error  a daemon still refuses connections or writes after the time limit of a command
 */
export async function waitUntilWritable({ servers, timeout }: ClientSettings): Promise<void> {
  const end = realClientEnvironment.now() + timeout;
  using steps = showProgressText();
  for (;;) {
    const states = await statesOf(servers);
    if (!states.some(isRefusing)) return;
    const late = statesText(servers, states, isRefusing);
    steps.show(late);
    if (realClientEnvironment.now() >= end)
      throw new Error(`${late}; nothing was sent. ${states.includes(UNREACHABLE) ? ALL_NEEDED : RUN_AGAIN}`);
    await new Promise((resolve) => setTimeout(resolve, HELLO_EVERY_MS));
  }
}

const RUN_AGAIN = "Run it again when dbsync status shows each daemon as live";
const ALL_NEEDED =
  "An import needs all daemons of the list (-s): start the ones that are down and run it again, or name only daemons that answer";

/** The state of a daemon that accepts no connection. */
const UNREACHABLE = "unreachable";

/**
 * Returns the state that each daemon reports, `UNREACHABLE`, or "" for a daemon that accepts connections and does not
 * answer a hello.
 */
async function statesOf(servers: readonly Address[]): Promise<string[]> {
  const greetings = await Promise.all(
    servers.map((server) => readHello(server, realClientEnvironment, HELLO_MS)),
  );
  return greetings.map((greeting) => {
    if (greeting.kind === "hello") return greeting.hello.state;
    return greeting.kind === "failed" && greeting.stage === "connect" ? UNREACHABLE : "";
  });
}

const isRefusing = (state: string): boolean =>
  state === UNREACHABLE || (rowOfState(state)?.refusal ?? null) !== null;

/** Describes the states of the servers that `isNamed` selects, such as "127.0.0.1:1: it is catching up". */
function statesText(
  servers: readonly Address[],
  states: readonly string[],
  isNamed: (state: string) => boolean,
): string {
  const named = servers.flatMap(({ text }, index) => {
    const state = states[index] ?? "";
    if (!isNamed(state)) return [];
    return [
      `${text}: ${state === UNREACHABLE ? "no connection" : (rowOfState(state)?.problem?.says ?? state)}`,
    ];
  });
  return named.join("; ");
}
