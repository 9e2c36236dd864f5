/** The definition of an option. */
import type { OrderAddress } from "./addresses/order-address.js";
import type { OptionForm } from "./value-forms.js";

export interface OptionRow<Value = unknown> {
  /** The flags in commander's syntax: `-s, --sign-key <file>`; an option without `<…>` is a switch. */
  readonly flags: string;
  readonly help: string;
  /** Parses, checks and formats the value. */
  readonly form: OptionForm<Exclude<Value, null>>;
  /** The default, or null if there is none. */
  readonly fallback: Value;
  /**
   * When a new value applies after SIGHUP: immediately, which a component's `reload` must implement, or after a
   * restart. `timeline`: immediately on a daemon with a timeline, otherwise after a restart.
   */
  readonly reload: "immediately" | "timeline" | "restart";
  /** A value other than the default, as on the command line. */
  readonly example: string;
  /**
   * The clients of a listener for users, who have names and passwords, as the log names them; absent: no such listener.
   */
  readonly clients?: string;
  /** Whether the value is the address of another listener, whose option has the name of the setting; default: no. */
  readonly isListener?: true;
  /**
   * Names of settings that a command line with the option's example needs. They are for tests only: the check at the
   * start may accept other settings instead.
   */
  readonly needs?: readonly string[];
  /** The section of the help, which options of faces state; default: the section of limits, or of clients. */
  readonly section?: FaceSection;
  /** The setting after which the help shows this one; default, and without that setting: the end of the section. */
  readonly after?: string;
}

/** The headings of the sections of the help that may contain options of faces. */
export type FaceSection =
  | "Data and peers:"
  | "Clients without signatures:"
  | "Browsers:"
  | "Redis as the database:"
  | "Signing for other daemons:"
  | "Limits:"
  | "Health and metrics:";

/** The values of options, by the names of their settings. */
export type ValuesOf<Rows> = {
  readonly [Name in keyof Rows]: Rows[Name] extends OptionRow<infer Value> ? Value : never;
};

/** The settings of faces. The file options.ts of each face adds its own. */
export interface FaceSettings {
  /** The stream that orders all writes, or null to order writes by date; also null without the face that reads it. */
  readonly order: OrderAddress | null;
}

/** The values of the limits of faces. The file options.ts of each face adds its own. */
// biome-ignore lint/suspicious/noEmptyInterface: a build without faces has none
export interface FaceLimits {}

/** The values of limits, by the names of their rows. */
export type LimitsOf<Rows> = { readonly [Name in keyof Rows]: number };

/**
 * The addresses of the listeners for users, by the names of their settings. The file options.ts of each face adds its
 * own.
 */
// biome-ignore lint/suspicious/noEmptyInterface: a build without such faces has none
export interface UserListeners {}

/** Checks that form and default have the same type, and derives the type of the value from both. */
export function row<Value, const Fallback extends Value | null>(
  parts: Omit<OptionRow<Value>, "form" | "fallback"> & {
    readonly form: OptionForm<Value>;
    readonly fallback: Fallback;
  },
): OptionRow<Value | Fallback> {
  return parts as OptionRow<Value | Fallback>;
}

/** Returns the flags of settings with the same names, such as `--resp, --json and --sql`. */
export function flagsOf(names: readonly string[], conjunction: "and" | "or"): string {
  const flags = names.map((name) => `--${name}`);
  return flags.join(", ").replace(/, (?=[^,]*$)/, ` ${conjunction} `);
}

/** Returns the name in the long flag, such as `sign-key`, which is also the name in the configuration file. */
export function optionName({ flags }: OptionRow): string {
  return /--([a-z0-9-]+)/.exec(flags)?.[1] ?? "";
}

/** Returns the name under which commander stores the value, such as `signKey`. */
export function attributeOf(row: OptionRow): string {
  return optionName(row).replace(/-(.)/g, (_, char: string) => char.toUpperCase());
}

export const ENVIRONMENT_PREFIX = "DBSYNCD_";

/** Returns the name of the environment variable, such as `DBSYNCD_SIGN_KEY`. */
export function environmentNameOf(row: OptionRow): string {
  return `${ENVIRONMENT_PREFIX}${optionName(row).replaceAll("-", "_").toUpperCase()}`;
}
