/**
 * Holds back the tests of files that share a process until all files are loaded. Otherwise a test may run before its
 * file has initialized what it declares below the test.
 */
import { before } from "node:test";

let open = (): void => {};
const opened = new Promise<void>((resolve) => {
  open = resolve;
});
before(() => opened);

/** Lets the tests run. */
export const openGate = (): void => open();
