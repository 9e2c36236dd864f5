/**
 * Tests that no client calls a command not applied that a daemon has applied or applies later, and that none reports
 * success for a command that no daemon has applied.
 */
import { after, test } from "node:test";
import { PYTHON } from "../../python/running.js";
import { amount } from "../../support/amount.js";
import { skipWithout } from "../../support/requirements.js";
import { type Kind, runCase } from "./model.js";
import { nodeClient } from "./node-client.js";
import { phpClient } from "./php-client.js";
import { endPython, pythonClient } from "./python-client.js";
import { sidecarClient } from "./sidecar-client.js";

/** The number of cases that run at the same time. */
const TOGETHER = 8;

const KINDS: readonly { readonly kind: Kind; readonly cases: number; readonly needs?: string }[] = [
  { kind: nodeClient, cases: amount(20, 200) },
  { kind: sidecarClient, cases: amount(10, 100) },
  { kind: pythonClient, cases: amount(10, 100), needs: PYTHON },
  { kind: phpClient, cases: amount(10, 100), needs: "php" },
];

after(endPython);

for (const { kind, cases, needs } of KINDS)
  test(`the effects that the ${kind.name} client reports are true`, {
    skip: needs === undefined ? false : skipWithout(needs),
  }, async () => {
    let next = 0;
    const runner = async () => {
      while (next < cases) await runCase(kind, next++);
    };
    await Promise.all(Array.from({ length: TOGETHER }, runner));
  });
