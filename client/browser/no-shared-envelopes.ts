/** Replaces version-2/shared-envelopes.ts in the bundle: a page has few calls at a time, each with its own envelope. */
export const mayShareDecision = (): boolean => false;
