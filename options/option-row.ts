/** What is known of an option: all of it in one row. */
import type { Form } from "./forms.js";

export interface OptionRow<Value = unknown> {
  /** As commander writes them: `-s, --sign-key <file>`; without `<…>` it is a switch. */
  readonly flags: string;
  readonly help: string;
  /** How its value is read, checked and shown. */
  readonly form: Form<Exclude<Value, null>>;
  /** null: it is not set. */
  readonly fallback: Value;
  /**
   * What another value does at SIGHUP: it holds at once, which is for `Daemon.reload` to see to, or waits for a restart. `timeline`: at
   * once where a timeline is kept, which is there from the start on or not at all.
   */
  readonly reload: "at once" | "timeline" | "restart";
  /** Some other value than the fallback, as on the command line. */
  readonly example: string;
  /** Settings without which it is refused. */
  readonly needs?: readonly string[];
}

/** Checks that form and fallback belong together, and makes of both the value's type. */
export function row<Value, const Fallback extends Value | null>(
  parts: Omit<OptionRow<Value>, "form" | "fallback"> & {
    readonly form: Form<Value>;
    readonly fallback: Fallback;
  },
): OptionRow<Value | Fallback> {
  return parts as OptionRow<Value | Fallback>;
}

/** What its long flag says: `sign-key`. The file knows the option by it. */
export function nameOf({ flags }: OptionRow): string {
  return /--([a-z0-9-]+)/.exec(flags)?.[1] ?? "";
}

/** Under which commander keeps its value: `signKey`. */
export function attributeOf(row: OptionRow): string {
  return nameOf(row).replace(/-(.)/g, (_, char: string) => char.toUpperCase());
}

export const ENVIRONMENT_PREFIX = "DBSYNCD_";

/** `DBSYNCD_SIGN_KEY`. */
export function environmentNameOf(row: OptionRow): string {
  return `${ENVIRONMENT_PREFIX}${nameOf(row).replaceAll("-", "_").toUpperCase()}`;
}
