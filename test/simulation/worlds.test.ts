/**
 * Simulates the same worlds in each run of the tests. simulation.test.ts runs other ones: it imports the simulation, so
 * it is among the nearest tests of many source files, and must stay short.
 */
import { test } from "node:test";
import { assertWorldsPass } from "./processes.js";

/** With the faults of so many worlds, most mistakes in the rules of the members are found. */
const WORLDS = 48;

test(`daemons end up equal and keep their promises in ${WORLDS} runs`, async () => {
  await assertWorldsPass(1, WORLDS);
});
