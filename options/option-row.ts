/** An option: one row contains everything about it. */
import type { Form } from "./forms.js";

export interface OptionRow<Value = unknown> {
  /** The flags as commander writes them: `-s, --sign-key <file>`; without `<…>` it is a switch. */
  readonly flags: string;
  readonly help: string;
  /** Reads, checks and shows its value. */
  readonly form: Form<Exclude<Value, null>>;
  /** null: it is not set. */
  readonly fallback: Value;
  /**
   * When another value applies after SIGHUP: immediately, which `Daemon.reload` has to implement, or after a restart. `timeline`:
   * immediately where there is a timeline, which exists from the start on or not at all.
   */
  readonly reload: "at once" | "timeline" | "restart";
  /** A value other than the fallback, as on the command line. */
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

/** Returns the name in its long flag: `sign-key`. The file uses the same name. */
export function nameOf({ flags }: OptionRow): string {
  return /--([a-z0-9-]+)/.exec(flags)?.[1] ?? "";
}

/** Returns the name under which commander stores its value: `signKey`. */
export function attributeOf(row: OptionRow): string {
  return nameOf(row).replace(/-(.)/g, (_, char: string) => char.toUpperCase());
}

export const ENVIRONMENT_PREFIX = "DBSYNCD_";

/** `DBSYNCD_SIGN_KEY`. */
export function environmentNameOf(row: OptionRow): string {
  return `${ENVIRONMENT_PREFIX}${nameOf(row).replaceAll("-", "_").toUpperCase()}`;
}
