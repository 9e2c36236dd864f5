/** Shows a line on a terminal while a call waits until daemons agree, with the time and the states of the daemons. */
import type { WriteStream } from "node:tty";
import type { Settings } from "../../../client/settings/client-settings.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { type Greeting, readHello } from "../../../client/version-2/single-hello.js";
import { isScreen } from "./redrawn-screen.js";

/** Time between two rounds of greetings, and time limit for an answer, in milliseconds. */
const GREET_MS = 2000;
const SHOW_MS = 1000;
const DEFAULT_COLUMNS = 80;
const CLEAR_LINE = "\r\x1b[K";

/** Shows the line. @returns a function that ends the display and clears the line */
export function showAgreementProgress({ servers, envelope }: Settings, stream: WriteStream): () => void {
  const wait = envelope?.wait ?? null;
  if (wait === null || !isScreen(stream)) return () => {};
  const startedAt = realEnvironment.now();
  const states = new Map<string, string>();
  let isOver = false;
  const greetAll = () => {
    for (const server of servers)
      readHello(server, realEnvironment, GREET_MS).then((greeting) => {
        states.set(server.text, stateOf(greeting));
        show();
      });
  };
  const show = () => {
    if (isOver) return;
    const seconds = Math.floor((realEnvironment.now() - startedAt) / 1000);
    const goal =
      wait.kind === "stable" ? "is final (about 35 s)" : `is on the disks of ${wait.daemons} daemons`;
    const daemons = servers.map(({ text }) => `${text} ${states.get(text) ?? "…"}`).join(", ");
    const line = `waiting until the write ${goal}: ${seconds} s; ${daemons}`;
    stream.write(`${CLEAR_LINE}${line.slice(0, (stream.columns || DEFAULT_COLUMNS) - 1)}`);
  };
  const timers = [setInterval(show, SHOW_MS), setInterval(greetAll, GREET_MS)];
  for (const timer of timers) timer.unref();
  greetAll();
  show();
  return () => {
    isOver = true;
    for (const timer of timers) clearInterval(timer);
    stream.write(CLEAR_LINE);
  };
}

function stateOf(greeting: Greeting): string {
  if (greeting.kind !== "hello") return greeting.kind === "closed" ? "speaks only version 1" : "not reached";
  const { state, members } = greeting.hello;
  return members
    ? `${state}, connected with ${members} other${members === 1 ? "" : "s"}`
    : `${state}, connected with no other daemon`;
}
