/**
 * Tests that no client calls a command not applied that a daemon has applied or applies later, and that none reports
 * success for a command that no daemon has applied.
 */
import { test } from "node:test";
import { amount } from "../../support/amount.js";
import { type Kind, runCase } from "./model.js";
import { nodeClient } from "./node-client.js";

/** The number of cases that run at the same time. */
const TOGETHER = 8;

const KINDS: readonly { readonly kind: Kind; readonly cases: number }[] = [
  { kind: nodeClient, cases: amount(150, 2000) },
];

for (const { kind, cases } of KINDS)
  test(`the effects that the ${kind.name} client reports are true`, async () => {
    let next = 0;
    const runner = async () => {
      while (next < cases) await runCase(kind, next++);
    };
    await Promise.all(Array.from({ length: TOGETHER }, runner));
  });
