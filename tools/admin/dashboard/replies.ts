/** Converts the daemon's replies to text for the page, and has the types of dbsyncd/browser that the page uses. */
import { CONTROL_CHARACTERS, unicodeEscape } from "../../../protocol/control-characters.js";
import { dateText } from "./times.js";

/** Number of hexadecimal digits of an id that are shown. */
const ID_DIGITS = 12;

type Fields = Readonly<Record<string, SignedReply | undefined>>;

/** Converts a reply of alternating names and values to an object. */
export function fieldsOf(reply: SignedReply | undefined): Fields {
  const items = itemsOf(reply);
  const pairs: [string, SignedReply | undefined][] = [];
  for (let i = 0; i + 1 < items.length; i += 2) pairs.push([textOf(items[i]), items[i + 1]]);
  return Object.fromEntries(pairs);
}

export const itemsOf = (reply: SignedReply | undefined): readonly SignedReply[] =>
  Array.isArray(reply) ? reply : [];

const decoder = new TextDecoder();

/** Returns a reply as text; bytes that are not UTF-8 become U+FFFD. */
export function textOf(reply: SignedReply | undefined): string {
  if (reply === null || reply === undefined) return "(nil)";
  return reply instanceof Uint8Array ? decoder.decode(reply) : String(reply);
}

/** Truncates a text, and escapes its control and format characters. */
export function shown(text: string, max = 300): string {
  const cut = text.length > max ? `${text.slice(0, max)}… (${text.length - max} more)` : text;
  return cut.replace(CONTROL_CHARACTERS, unicodeEscape);
}

export const shortId = (id: SignedReply | undefined): string => `${textOf(id).slice(0, ID_DIGITS)}…`;

export const dateOf = (date: SignedReply | undefined): string => dateText(Number(date));

/** Formats commands as a user would type them. */
export const commandsText = (commands: SignedReply | undefined): string =>
  itemsOf(commands)
    .map((argv) =>
      itemsOf(argv)
        .map((word) => shown(textOf(word)))
        .join(" "),
    )
    .join("; ");

/** Describes a signer by the key's label or id, and the client for which it signed. */
export function signerText({ label, signer, as }: Fields): string {
  const by = label === "" || label == null ? shortId(signer) : shown(textOf(label));
  return as == null ? by : `${by} for ${shown(textOf(as))}`;
}

/** Returns the reason, shown in place of the data, why a part of the page could not be loaded. */
export function reasonText(problem: unknown): string {
  const text = String(problem instanceof Error ? problem.message : problem);
  if (!text.includes("NOPERM")) return shown(text);
  return `${shown(text)}. The rules of this browser's key do not permit this part of the page: authorize the key again, as shown above.`;
}

/** Whether a request failed because the daemon records no writes. */
export const recordsNothing = (problem: unknown): boolean =>
  reasonText(problem).includes("TIMELINE is answered by");

/** A reply as dbsyncd/browser returns it. The page loads that module when an administrator signs in. */
export type SignedReply = string | number | bigint | boolean | null | object;
export type Word = string | Uint8Array;

interface CallOptions {
  readonly db?: number;
  /** Whether strings of the reply are returned as bytes. */
  readonly buffers?: boolean;
}

export interface SigningClient {
  call(command: readonly Word[], options?: CallOptions): Promise<SignedReply>;
  multi(
    commands: readonly (readonly Word[])[],
    options?: CallOptions,
  ): Promise<readonly SignedReply[] | null>;
  publicKeyPem(): Promise<string>;
}

export interface SigningModule {
  createClient(options: {
    readonly servers: string;
    readonly key: string;
    readonly timeout: number;
  }): SigningClient;
}
