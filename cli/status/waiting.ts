/** A line on a terminal while a call waits until daemons agree: for how long, and the states of those daemons. */
import type { WriteStream } from "node:tty";
import type { Settings } from "../../client/settings/options.js";
import { realEnvironment } from "../../client/shared/environment.js";
import { type Greeting, greet } from "../../client/version-2/greeting.js";
import { isScreen } from "./screen.js";

/** Milliseconds between two updates at the daemons; a daemon that says nothing for as long is not reached. */
const LOOK_MS = 2000;
const SHOW_MS = 1000;
const COLUMNS_USUAL = 80;
const CLEAR_LINE = "\r\x1b[K";

/** @returns ends it, and clears the line */
export function showWaiting({ servers, key, envelope }: Settings, stream: WriteStream): () => void {
  const wait = envelope?.wait ?? null;
  if (wait === null || !isScreen(stream)) return () => {};
  const startedAt = realEnvironment.now();
  const said = new Map<string, string>();
  let isOver = false;
  const look = () => {
    for (const server of servers)
      greet(server, realEnvironment, { timeout: LOOK_MS, hasKey: key !== null }).then((greeting) => {
        said.set(server.text, stateOf(greeting));
        show();
      });
  };
  const show = () => {
    if (isOver) return;
    const seconds = Math.floor((realEnvironment.now() - startedAt) / 1000);
    const what =
      wait.kind === "stable" ? "is final, some 35 s" : `is on the disks of ${wait.daemons} daemons`;
    const daemons = servers.map(({ text }) => `${text} ${said.get(text) ?? "…"}`).join(", ");
    const line = `waiting until it ${what}: ${seconds} s; ${daemons}`;
    stream.write(`${CLEAR_LINE}${line.slice(0, (stream.columns || COLUMNS_USUAL) - 1)}`);
  };
  const timers = [setInterval(show, SHOW_MS), setInterval(look, LOOK_MS)];
  for (const timer of timers) timer.unref();
  look();
  show();
  return () => {
    isOver = true;
    for (const timer of timers) clearInterval(timer);
    stream.write(CLEAR_LINE);
  };
}

function stateOf(greeting: Greeting): string {
  if (greeting.kind !== "hello") return greeting.kind === "closed" ? "speaks version 1 only" : "not reached";
  const { state, members } = greeting.hello;
  return members ? `${state}, connected with ${members} more` : `${state}, connected with none`;
}
