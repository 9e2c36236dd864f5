/** What a caller may ask for of one call: checked, and with nothing left open. */
import { badOption, badSecret } from "../shared/errors.js";
import type { Form } from "../shared/outcome.js";
import type { Policy } from "../shared/policy.js";
import {
  type EnvelopeOptions,
  HEADER_CHECKS,
  type HeaderOptions,
  readHeaderOptions,
} from "./header-options.js";

/** As the original's driver, which waits 3 s. */
export const DEFAULT_TIMEOUT_MS = 3_000;

/** Beyond it a version 2 daemon would refuse the command as too old; the same bound holds for version 1. */
export const MAX_TIMEOUT_MS = 20_000;

/** What is to be final waits for the daemons' window, and then for their reports. */
const STABLE_TIMEOUT_MS = 60_000;

export interface CallOptions extends HeaderOptions {
  /** Milliseconds until the call fails, 1 to 20,000; default 3,000. See also `stable`. */
  readonly timeout?: number | undefined;
  /** Which answers make the result; default `first`, the first good one. See policy.ts. */
  readonly policy?: Policy | undefined;
}

/** Of `call` and `multi`. */
export interface TypedCallOptions extends CallOptions {
  /** Strings of the reply as Buffers; default false. */
  readonly buffers?: boolean | undefined;
}

/** What may differ from call to call on the same connections. `envelope`: null for most. */
export interface CallSettings {
  readonly timeout: number;
  readonly policy: Policy;
  readonly format: Form;
  readonly envelope: EnvelopeOptions | null;
  readonly buffers: boolean;
}

const POLICIES: readonly unknown[] = ["first", "majority", "all", "all-equal"] satisfies Policy[];

/** How each option is checked: null if the value will do, else what is allowed. */
export type Checks = Readonly<Record<string, (value: unknown) => string | null>>;

export const CALL_CHECKS = {
  timeout: (value) =>
    typeof value === "number" && value >= 1 && value <= STABLE_TIMEOUT_MS
      ? null
      : `1 to ${MAX_TIMEOUT_MS} milliseconds`,
  policy: (value) =>
    POLICIES.includes(value) || (Number.isSafeInteger(value) && Number(value) >= 1)
      ? null
      : `${POLICIES.join(", ")}, or a number of daemons`,
  buffers: (value) => (typeof value === "boolean" ? null : "true or false"),
  ...HEADER_CHECKS,
} satisfies Record<keyof TypedCallOptions, (value: unknown) => string | null>;

const CALL_OPTIONS: readonly string[] = Object.keys(CALL_CHECKS);

/** Settings of one call: `base`, unless `options` says otherwise. @throws DbsyncError `bad-option` */
export function readCallOptions(
  options: TypedCallOptions,
  base: CallSettings & { readonly servers: readonly unknown[] },
): CallSettings {
  checkOptions(options, CALL_OPTIONS, CALL_CHECKS);
  return {
    timeout: timeoutFor(options, base.timeout),
    policy: options.policy === undefined ? base.policy : policyFor(options.policy, base.servers),
    format: base.format,
    envelope: readHeaderOptions(options) ?? base.envelope,
    buffers: options.buffers ?? false,
  };
}

export function timeoutFor({ timeout, stable }: CallOptions, usual: number): number {
  if (stable) return timeout ?? STABLE_TIMEOUT_MS;
  if (timeout !== undefined && timeout > MAX_TIMEOUT_MS)
    throw badOption("timeout", timeout, `1 to ${MAX_TIMEOUT_MS} milliseconds`);
  return timeout ?? usual;
}

export function policyFor(policy: Policy, servers: readonly unknown[]): Policy {
  if (typeof policy === "number" && policy > servers.length)
    throw badOption("policy", policy, `at most the number of servers, ${servers.length}`);
  return policy;
}

/** @param secrets  options whose values no message may show. @throws DbsyncError `bad-option` */
export function checkOptions(
  options: object,
  names: readonly string[],
  checks: Checks,
  secrets: readonly string[] = [],
): void {
  if (typeof options !== "object" || options === null)
    throw badOption("options", options, "an object or a server list");
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name))
      throw badOption(name, value, `no option of that name; there are ${names.join(", ")}`);
    const allowed = value === undefined ? null : (checks[name]?.(value) ?? null);
    if (allowed === null) continue;
    throw secrets.includes(name) ? badSecret(name, allowed) : badOption(name, value, allowed);
  }
}
