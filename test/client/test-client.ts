/** A client on real sockets for fake servers, and how its errors are looked at. */
import { FanOutClient } from "../../client/client.js";
import { realEnvironment } from "../../client/environment.js";
import { DbsyncError, type Outcome } from "../../client/errors.js";
import { readOptions, type SendOptions } from "../../client/options.js";
import type { Signer } from "../../client/signing-key.js";
import type { FakeServer } from "./fake-server.js";

/** Unsigned, unless a signer is given. */
export function clientOf(
  servers: readonly (FakeServer | string)[],
  options: SendOptions & { sign?: Signer } = {},
): FanOutClient {
  const { sign = null, ...rest } = options;
  const addresses = servers.map((server) => (typeof server === "string" ? server : server.address));
  const settings = readOptions({ key: false, ...rest, servers: addresses }, () => {
    throw new Error("no defaults in tests");
  });
  return new FanOutClient({ settings, environment: realEnvironment, sign, trace: null });
}

/** The error a promise is rejected with. */
export async function errorOf(promise: Promise<unknown>): Promise<DbsyncError> {
  try {
    const value = await promise;
    throw new Error(`expected an error, got ${JSON.stringify(value)}`);
  } catch (error) {
    if (error instanceof DbsyncError) return error;
    throw error;
  }
}

/** `ok OK`, `timeout unknown` … */
export function summary(outcome: Outcome | undefined): string {
  if (outcome === undefined) return "none";
  return outcome.status === "ok" ? `ok ${outcome.value}` : `${outcome.stage} ${outcome.effect}`;
}
