/**
 * Splits a condition into the parts that AND combines, and finds those that may be checked early, for example by an
 * index. In the original form, only the parts before the first one that can fail may be checked early, so that a
 * statement fails exactly when it would fail if the condition were checked as written. In the standard form, all parts
 * may be checked early, because a failure of a part counts only if no other part rejects the row.
 */
import { type Binary, type Expression, type Form, operandsOf } from "../grammar/syntax-tree.js";

/** The parts of a condition, all of which must hold. */
export interface ConditionParts {
  /** The parts that may be checked early. */
  readonly parts: readonly Expression[];
  /**
   * The parts that may be checked early and, in the original form, the first part that can fail, which follows them.
   */
  readonly leading: readonly Expression[];
  /** Whether no part of the condition can fail. */
  readonly isSafe: boolean;
}

/** Splits a condition. @param form  determines which parts may be checked early */
export function conditionPartsOf(condition: Expression, form: Form): ConditionParts {
  const all = conjuncts(condition, form);
  const end = all.findIndex((part) => !isSafe(part));
  if (end < 0 || form === "standard") return { parts: all, leading: all, isSafe: end < 0 };
  return { parts: all.slice(0, end), leading: all.slice(0, end + 1), isSafe: false };
}

export type Equality = Binary & { readonly operator: "=" };

export const isEquality = (part: Expression): part is Equality =>
  part.kind === "binary" && part.operator === "=";

/** Returns the parts that must all hold, in the order in which they are checked. */
function conjuncts(condition: Expression, form: Form): readonly Expression[] {
  const parts: Expression[] = [];
  const pending = [condition];
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    // In the original form, the right side of an AND remains one part, even if it is an AND in parentheses.
    const isSplit = form === "standard" || pending.length === 0;
    if (isSplit && part.kind === "binary" && part.operator === "and") pending.push(part.left, part.right);
    else parts.push(part);
  }
  return parts.reverse();
}

/** Whether a part cannot fail. Arithmetic, for example, can fail, and so can the conversion of a text to a number. */
export function isSafe(part: Expression): boolean {
  switch (part.kind) {
    case "literal":
    case "parameter":
    case "column":
      return true;
    case "call":
    case "like":
      return false;
    case "negative":
      return part.operand.kind === "literal" && typeof part.operand.value === "number";
    case "cast":
      return part.type === "text" && isSafe(part.operand);
    case "binary":
      return !["+", "-", "*", "/"].includes(part.operator) && isSafe(part.left) && isSafe(part.right);
    default:
      return operandsOf(part).every(isSafe);
  }
}
