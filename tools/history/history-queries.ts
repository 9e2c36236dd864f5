/**
 * The requests of `dbsync log`, `blame` and `get --at`, which go to the first daemon that answers, and the strings of
 * their replies, which may not be UTF-8.
 */
import { isUtf8 } from "node:buffer";
import type { ClientSettings } from "../../client/settings/client-settings.js";
import type { SigningKey } from "../../client/settings/signing-key.js";
import { DbsyncError } from "../../client/shared/errors.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import type { Address } from "../../client/shared/server-list.js";
import { quotedArgument } from "../../protocol/resp/inline-command.js";
import { queryEach } from "../cli/keys/fetch-key-rings.js";
import { ADMINISTRATOR_HINT, explainErrors, type HintRule } from "../cli/keys/key-advice.js";
import { type ClientFlags, openFrom, readSettings } from "../cli/shared/client-options.js";
import { warnIfCatchingUp } from "../cli/shared/daemon-readiness.js";

/** Time limit for an answer, in milliseconds. It is long because a fold takes time; daemons have the same limit. */
export const HISTORY_TIMEOUT_MS = 20_000;

/**
 * Sends a command to one daemon after another until one answers. Strings of the reply that are not UTF-8 are Buffers.
 */
export type HistoryQuery = (command: readonly string[]) => Promise<{ address: string; reply: ReplyValue }>;

const HINTS: readonly HintRule[] = [
  [/none is set; specify an administrator/, ADMINISTRATOR_HINT],
  [/TIMELINE is answered by|unknown command .*TIMELINE/i, "start the daemon with --data DIR, or with --peer"],
  [/NOPERM/, `this key has no permission for that: ${ADMINISTRATOR_HINT}`],
  [/unknown-key/, `the daemons do not know this key: ${ADMINISTRATOR_HINT}`],
  [
    /requires version 2|speaks (only )?version 1|only RSA keys/,
    "TIMELINE commands need version 2 of the protocol: update the daemons, and start them with keys",
  ],
];

/** Runs an action as an administrator; errors are printed with a hint. */
export function queryHistory(
  flags: ClientFlags,
  act: (query: HistoryQuery, settings: ClientSettings) => Promise<void>,
): Promise<void> {
  return asAdministrator(flags, async (settings, key) => {
    const queried = new Set<Address>();
    await act(async (command) => {
      let failure: Error | null = null;
      for (const server of settings.servers) {
        const [answer] = await queryEach({ ...settings, servers: [server] }, key, command, {
          buffers: true,
        });
        if (answer?.error === null) {
          if (!queried.has(server)) await warnIfCatchingUp([server], "entries");
          queried.add(server);
          return { ...answer, reply: textsOf(answer.reply) };
        }
        failure ??= answer?.error ?? null;
      }
      throw failure;
    }, settings);
  });
}

/** Runs an action with an administrator's settings and key; errors are printed with a hint. */
export function asAdministrator(
  flags: ClientFlags,
  act: (settings: ClientSettings, key: SigningKey) => Promise<void>,
): Promise<void> {
  return explainErrors(
    flags,
    async () => {
      const settings = readSettings({ ...flags, timeout: flags.timeout ?? HISTORY_TIMEOUT_MS });
      if (settings.key === null)
        throw new DbsyncError("bad-key", "none is set; specify an administrator's private key (-k)");
      await act(settings, openFrom(settings).key);
    },
    HINTS,
  );
}

/** A string that is not UTF-8. Its forms as text and as JSON lose no byte. */
export class BinaryText {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Returns the bytes in quotation marks, with `\xHH` for bytes that are not printable ASCII. */
  toString(): string {
    return quotedArgument(this.bytes.toString("latin1"));
  }

  toJSON(): { readonly base64: string } {
    return { base64: this.bytes.toString("base64") };
  }
}

/** Converts the byte strings of a reply to text, except for strings that are not UTF-8. */
export function textsOf(reply: ReplyValue): ReplyValue {
  if (Array.isArray(reply)) return reply.map(textsOf);
  return Buffer.isBuffer(reply) && isUtf8(reply) ? reply.toString() : reply;
}

/** Returns a value for `--json`, in which a string that is not UTF-8 is `{"base64": …}`. */
export function jsonOf(value: ReplyValue): unknown {
  if (Array.isArray(value)) return value.map(jsonOf);
  return Buffer.isBuffer(value) ? new BinaryText(value) : value;
}
