/** For a storage whose log must be in order: any report fails the test. */
import assert from "node:assert/strict";

const tell = (facts: object, text: string): void => assert.fail(`${text} ${JSON.stringify(facts)}`);

export const untold = { info: tell, error: tell, warn: tell };
