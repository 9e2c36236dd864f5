/**
 * Where every byte is sent to each visitor, errors name their codes and stages, and client/README.md says what they mean: what stands
 * there for sentences.ts, described-outcomes.ts, allowed.ts and may-wait.ts.
 */
import type { Outcome } from "../shared/errors.js";

export const CODES = new Proxy({}, { get: (_, code) => code });

const ELSEWHERE = "what client/README.md says";
export const ALLOWED = new Proxy({}, { get: () => ELSEWHERE });
export const unknownOption = (): string => ELSEWHERE;
export const atMostServers = unknownOption;

export const describeOutcomes = (outcomes: readonly Outcome[]): string[] =>
  outcomes.map(
    (outcome) =>
      `${outcome.address}: ${outcome.status === "ok" ? "answered" : `${outcome.stage} (${outcome.detail})`}`,
  );

export const mayWaitFor = (): null => null;
