/** Fetches the key rings of the daemons, and finds keys in them. */

import { openClientWith } from "../../../client/dbsync-send.js";
import type { TypedCallOptions } from "../../../client/settings/call-options.js";
import type { Settings } from "../../../client/settings/client-settings.js";
import type { SigningKey } from "../../../client/settings/signing-key.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { loadPublicKey } from "../../../keys/key-file.js";
import { fieldsOf } from "../shared/read-figures.js";

const ID_DIGITS = 64;

/** Minimum digits of an abbreviated id; a shorter one is probably a typing error. */
const PREFIX_DIGITS_MIN = 4;

/** The answer of one daemon: a reply or an error. */
export type Answer =
  | { readonly address: string; readonly reply: ReplyValue; readonly error: null }
  | { readonly address: string; readonly reply: null; readonly error: Error };

/** A key as KEY LIST reports it. Dates are in milliseconds since 1970, or null if they are not set. */
export interface RingKey {
  readonly id: string;
  readonly label: string;
  readonly role: string;
  readonly algorithm: string;
  readonly bits: number;
  readonly state: string;
  readonly from: number | null;
  readonly until: number | null;
  readonly revoked: number | null;
  /** Envelopes a second, or 0 for no limit. */
  readonly rate: number;
  readonly rules: readonly string[];
  /** Id of the key that added this key, or null if this key comes from the options of the daemons. */
  readonly addedBy: string | null;
}

/** Sends a command to each daemon separately, and returns all answers in the order of the list. */
export function queryEach(
  settings: Settings,
  key: SigningKey,
  command: readonly string[],
  options: TypedCallOptions = {},
): Promise<Answer[]> {
  return Promise.all(
    settings.servers.map(async (server): Promise<Answer> => {
      const alone = { ...settings, servers: [server], policy: "first" } as const;
      const client = openClientWith(alone, realEnvironment, key);
      try {
        return { address: server.text, reply: await client.call(command, options), error: null };
      } catch (error) {
        return { address: server.text, reply: null, error: error as Error };
      } finally {
        await client.close();
      }
    }),
  );
}

/** The key ring of one daemon. */
export interface DaemonRing {
  readonly address: string;
  readonly keys: readonly RingKey[];
}

/**
 * Returns the key rings of the daemons that answered.
 * @throws  the first daemon's error if no daemon answered
 */
export function ringsOf(answers: readonly Answer[]): [DaemonRing, ...DaemonRing[]] {
  const [first, ...others] = answers
    .filter(({ error }) => error === null)
    .map(({ address, reply }) => ({ address, keys: readKeys(reply as ReplyValue) }));
  if (first === undefined) throw answers[0]?.error;
  return [first, ...others];
}

function readKeys(reply: ReplyValue): RingKey[] {
  return Array.isArray(reply) ? reply.map((item) => readKey(item)) : [];
}

/** Parses an answer to KEY LIST or KEY INFO. */
export function readKey(reply: ReplyValue): RingKey {
  const fields = fieldsOf(reply);
  const text = (name: string) => String(fields[name] ?? "");
  const numberOrNull = (name: string) => (fields[name] == null ? null : Number(fields[name]));
  const { rules } = fields;

  return {
    id: text("id"),
    label: text("label"),
    role: text("role"),
    algorithm: text("algorithm"),
    bits: numberOrNull("bits") ?? 0,
    state: text("state"),
    from: numberOrNull("from"),
    until: numberOrNull("until"),
    revoked: numberOrNull("revoked"),
    rate: numberOrNull("rate") ?? 0,
    rules: Array.isArray(rules) ? rules.map(String) : [],
    addedBy: fields["added-by"] == null ? null : text("added-by"),
  };
}

/**
 * Returns the id of the key that a text names: an id, its first digits, a label, or the file of a public key.
 * @param query  fetches the key ring; called only if the key ring is needed
 * @throws DbsyncError `bad-command`; KeyFileError
 */
export async function idOf(text: string, query: () => Promise<readonly RingKey[]>): Promise<string> {
  const digits = text.toLowerCase();
  if (/^[\da-f]+$/.test(digits) && digits.length === ID_DIGITS) return digits;

  if (text.includes("/") || text.endsWith(".pem")) {
    return loadPublicKey({ file: text }, { kinds: ["rsa", "ed25519"] }).fingerprint;
  }

  const keys = await query();
  const isPrefix = /^[\da-f]+$/.test(digits) && digits.length >= PREFIX_DIGITS_MIN;
  const found = keys.filter(({ id, label }) => label === text || (isPrefix && id.startsWith(digits)));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.id;

  const shown = JSON.stringify(text);
  if (found.length === 0) {
    throw new DbsyncError(
      "bad-command",
      `there is no key ${shown}; allowed: an id, its first digits (at least ${PREFIX_DIGITS_MIN}), a label, or a file ` +
        "such as public.pem; dbsync keys list shows all keys",
    );
  }
  const names = found.map(({ id, label }) => `${id.slice(0, 16)}… (${label || "no label"})`).join(", ");
  throw new DbsyncError("bad-command", `${shown} matches ${found.length} keys: ${names}; type more digits`);
}
