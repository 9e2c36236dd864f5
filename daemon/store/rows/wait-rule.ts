/** Describes what a call of a blocking command waits for. A listener waits; the store itself never does. */
import type { ByteString } from "../../../protocol/byte-string.js";

type Argv = readonly ByteString[];

/**
 * The type that TYPE returns for a key with data; `group`: a stream with entries that the group has not delivered yet.
 */
export type AwaitedType = "list" | "zset" | "stream" | "group";

export interface WaitShape {
  readonly type: AwaitedType;
  readonly keys: Argv;
  /** The time limit in milliseconds; 0: no limit. */
  readonly milliseconds: number;
  /** Returns the command for a key that has data; it reads only this key. */
  readonly argvFor: (key: ByteString) => Argv;
}

export interface WaitRule {
  /** Whether a call waits only with the option BLOCK. */
  readonly isOptional: boolean;
  /**
   * Returns what a call waits for, or null if it does not wait. @param argv  a call that the store has already checked,
   * unless `isOptional` @param lastId  returns the last id of a stream, which replaces `$`
   */
  readonly shapeOf: (argv: Argv, lastId: (key: ByteString) => ByteString) => WaitShape | null;
}

/** Whether a call waits because it has the option BLOCK. */
export const waitsByOption = (rule: WaitRule | undefined, argv: Argv): boolean =>
  rule?.isOptional === true && rule.shapeOf(argv, () => "") !== null;
