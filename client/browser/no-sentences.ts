/**
 * Replaces the error sentences in the bundle, to reduce its size. Errors contain only codes and stages, which
 * client/README.md explains. The bundle uses this file instead of sentences.ts, allowed-values.ts
 * and command-labels.ts.
 */
import type { Outcome } from "../shared/errors.js";

export const CODES = new Proxy({}, { get: (_, code) => code });

const ELSEWHERE = "see client/README.md";
export const AFTER_CLOSE = ELSEWHERE;
export const ALLOWED_VALUES = new Proxy({}, { get: () => ELSEWHERE });
export const unknownOption = (): string => "is not an option";
export const atMostServers = (): string => ELSEWHERE;

export const unprotectedCluster = (server: string, cluster: string): string =>
  `${server}: unprotected connection; configure cluster: ${cluster}`;

export const describeOutcomes = (outcomes: readonly Outcome[]): string[] =>
  outcomes.map(
    (outcome) =>
      `${outcome.address}: ${outcome.status === "ok" ? "answered" : `${outcome.stage} (${outcome.detail})`}`,
  );

export const appliedNote = (): string[] => [];

export const waitingReasons = (): null => null;

export const commandLabel = (): string => "";
export const commandsLabel = commandLabel;
export const callLabel = commandLabel;
export const replyLabel = commandLabel;
export const argumentProblem = ([...argv]: readonly unknown[], index: number): string => typeof argv[index];
export const HALF_CHARACTER = "half of a character";
export const tooLong = (size: number, max: number): string => `${size} bytes, at most ${max}`;
export const failureText = (text: string): string => text;
export const typeLabel = (value: unknown): string => typeof value;
