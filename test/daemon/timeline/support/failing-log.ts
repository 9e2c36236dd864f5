/** A log for storages without faults: each report fails the test. */
import assert from "node:assert/strict";

const fail = (facts: object, text: string): void => assert.fail(`${text} ${JSON.stringify(facts)}`);

export const failingLog = { info: fail, error: fail, warn: fail };
