/**
 * Replaces the sentences of errors in the bundle, since each visitor loads every byte: errors name their codes and
 * stages, which client/README.md explains. It is used for sentences.ts, described-outcomes.ts, allowed.ts,
 * may-wait.ts and command-labels.ts.
 */
import type { Outcome } from "../shared/errors.js";

export const CODES = new Proxy({}, { get: (_, code) => code });

const ELSEWHERE = "what client/README.md says";
export const ALLOWED = new Proxy({}, { get: () => ELSEWHERE });
export const unknownOption = (): string => "is no option";
export const atMostServers = (): string => ELSEWHERE;

export const describeOutcomes = (outcomes: readonly Outcome[]): string[] =>
  outcomes.map(
    (outcome) =>
      `${outcome.address}: ${outcome.status === "ok" ? "answered" : `${outcome.stage} (${outcome.detail})`}`,
  );

export const mayWaitFor = (): null => null;

export const commandLabel = (): string => "";
export const commandsLabel = commandLabel;
export const callLabel = commandLabel;
export const replyLabel = commandLabel;
export const typeLabel = (value: unknown): string => typeof value;
