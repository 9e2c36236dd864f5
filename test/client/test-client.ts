/** A client with real sockets for fake servers, and helpers for its errors. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { OutcomeMessage } from "../../client/calls/diagnostics-channels.js";
import { openClientWith } from "../../client/dbsync-send.js";
import type { OutboxClient } from "../../client/outbox-client.js";
import { readSendOptions, type SendOptions } from "../../client/settings/client-settings.js";
import type { EnvelopeSigner, Signer } from "../../client/settings/signing-key.js";
import { realClientEnvironment } from "../../client/shared/client-environment.js";
import { DbsyncError, type Outcome } from "../../client/shared/errors.js";
import type { FakeServer } from "./fake-server.js";
import type { HandClock } from "./hand-clock.js";

/** The timeout of calls in milliseconds. It is the maximum, because a busy machine may need that long. */
export const PATIENCE_MS = 20_000;

/**
 * Creates a version 1 client without a signer, unless the options say otherwise.
 * @param options  `clock`: a clock that the test controls
 */
export function clientOf(
  servers: readonly (FakeServer | string)[],
  options: SendOptions & { sign?: Signer; clock?: HandClock } = {},
): OutboxClient {
  const { sign = null, clock, ...rest } = options;
  const addresses = servers.map((server) => (typeof server === "string" ? server : server.address));
  const usual = { key: false, versions: "1", timeout: PATIENCE_MS } as const;
  const settings = readSendOptions({ ...usual, ...rest, servers: addresses }, () => {
    throw new Error("no defaults in tests");
  });
  const signer: EnvelopeSigner | null =
    sign === null ? null : { keyId: "k".repeat(32), sign, signAsync: async (bytes) => sign(bytes) };
  return openClientWith(settings, clock?.environment ?? realClientEnvironment, { sign, signer });
}

/** Records the outcome of each call on each daemon, until it is disposed of. */
export function recordOutcomes(): Disposable & { readonly recorded: readonly OutcomeMessage[] } {
  const recorded: OutcomeMessage[] = [];
  const listen = (message: unknown) => void recorded.push(message as OutcomeMessage);
  subscribe("dbsync:outcome", listen);
  return { recorded, [Symbol.dispose]: () => void unsubscribe("dbsync:outcome", listen) };
}

/** Returns the error of a rejected promise. */
export async function errorOf(promise: Promise<unknown>): Promise<DbsyncError> {
  try {
    const value = await promise;
    throw new Error(`expected an error, got ${JSON.stringify(value)}`);
  } catch (error) {
    if (error instanceof DbsyncError) return error;
    throw error;
  }
}

/** Describes an outcome, for example `ok OK` or `timeout unknown`. */
export function summary(outcome: Outcome | undefined): string {
  if (outcome === undefined) return "none";
  return outcome.status === "ok" ? `ok ${outcome.value}` : `${outcome.stage} ${outcome.effect}`;
}
