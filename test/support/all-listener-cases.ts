/** The cases of the listeners of all faces. They are not in listener-cases.ts, because the faces' files import that. */
import assert from "node:assert/strict";
import { contributionsOf } from "./face-contributions.js";
import { LISTENER_NAMES, OPTIONS } from "./installed-options.js";
import type { ListenerCases } from "./listener-cases.js";

const contributed = new Map(
  [...(await contributionsOf<{ readonly cases: ListenerCases }>("listener-cases.js")).values()].map(
    ({ cases }) => [cases.option, cases] as const,
  ),
);

/** The cases of the listeners of all faces. */
export const LISTENER_CASES: readonly ListenerCases[] = LISTENER_NAMES.filter((name) => name !== "admin").map(
  (name) => {
    const cases = contributed.get(name);
    assert.ok(
      cases !== undefined,
      `--${name}: write its ListenerCases in faces/<face>/test/listener-cases.ts`,
    );
    return cases;
  },
);

/** Returns the clients of a listener, as the log names them. */
export function clientsOf({ option }: ListenerCases): `${string} clients` {
  const { clients = "WebSocket" } = OPTIONS[option as keyof typeof OPTIONS];
  return `${clients} clients`;
}
