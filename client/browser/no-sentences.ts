/**
 * Where every byte is sent to each visitor, errors name their codes and stages, and client/README.md says what they mean: what stands
 * there for sentences.ts, described-outcomes.ts, allowed.ts, may-wait.ts and told-command.ts.
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

export const toldCommand = (): string => "";
export const toldCommands = toldCommand;
export const toldCall = toldCommand;
export const toldReply = toldCommand;
export const toldKind = (value: unknown): string => typeof value;
