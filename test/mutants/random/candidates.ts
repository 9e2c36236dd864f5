/** Finds the positions of a source file at which a random mutant can change an operator, a constant or a condition. */
import { type Node, type SourceFile, SyntaxKind } from "typescript/unstable/ast";
import {
  isBigIntLiteral,
  isBinaryExpression,
  isConditionalExpression,
  isEnumMember,
  isIfStatement,
  isNoSubstitutionTemplateLiteral,
  isNumericLiteral,
  isPrefixUnaryExpression,
  isPropertyAssignment,
  isStringLiteral,
  isTemplateExpression,
  isTypeNode,
} from "typescript/unstable/ast/is";

/** A change of one position of a source file. */
export interface Candidate {
  /** The positions of the text to replace, in UTF-16 units from the start of the file. */
  readonly from: number;
  readonly to: number;
  readonly after: string;
}

/** The operator that replaces each operator. A comparison changes by its boundary, an equality to its opposite. */
const OPERATORS: ReadonlyMap<SyntaxKind, string> = new Map([
  [SyntaxKind.LessThanToken, "<="],
  [SyntaxKind.LessThanEqualsToken, "<"],
  [SyntaxKind.GreaterThanToken, ">="],
  [SyntaxKind.GreaterThanEqualsToken, ">"],
  [SyntaxKind.EqualsEqualsEqualsToken, "!=="],
  [SyntaxKind.ExclamationEqualsEqualsToken, "==="],
  [SyntaxKind.AmpersandAmpersandToken, "||"],
  [SyntaxKind.BarBarToken, "&&"],
  [SyntaxKind.PlusToken, "-"],
  [SyntaxKind.MinusToken, "+"],
  [SyntaxKind.AsteriskToken, "/"],
  [SyntaxKind.SlashToken, "*"],
  [SyntaxKind.PercentToken, "*"],
  [SyntaxKind.AmpersandToken, "|"],
  [SyntaxKind.BarToken, "&"],
  [SyntaxKind.LessThanLessThanToken, ">>"],
  [SyntaxKind.GreaterThanGreaterThanToken, "<<"],
  [SyntaxKind.GreaterThanGreaterThanGreaterThanToken, "<<"],
  [SyntaxKind.PlusEqualsToken, "-="],
  [SyntaxKind.MinusEqualsToken, "+="],
]);

/** Returns the candidates of a file in the order of their positions. Types and texts have none. */
export function candidatesOf(source: SourceFile): Candidate[] {
  const found: Candidate[] = [];
  const visit = (node: Node): void => {
    if (isTypeNode(node)) return;
    found.push(...changesOf(node, source));
    node.forEachChild(visit);
  };
  visit(source);
  return found.sort((a, b) => a.from - b.from);
}

/** Returns the changes of one node, without those of its children. */
function changesOf(node: Node, source: SourceFile): Candidate[] {
  if (isBinaryExpression(node)) {
    const after = OPERATORS.get(node.operatorToken.kind);
    return after === undefined || isText(node.left) || isText(node.right)
      ? []
      : [changed(node.operatorToken, source, after)];
  }
  if (isNumericLiteral(node)) return isName(node) ? [] : [changed(node, source, `${Number(node.text) + 1}`)];
  if (isBigIntLiteral(node)) return [changed(node, source, `${BigInt(node.text.replace(/n$/, "")) + 1n}n`)];
  if (node.kind === SyntaxKind.TrueKeyword) return [changed(node, source, "false")];
  if (node.kind === SyntaxKind.FalseKeyword) return [changed(node, source, "true")];
  if (isPrefixUnaryExpression(node))
    return node.operator === SyntaxKind.ExclamationToken
      ? [changed(node, source, textOf(node.operand, source))]
      : [];
  if (isIfStatement(node)) return negated(node.expression, source);
  return isConditionalExpression(node) ? negated(node.condition, source) : [];
}

/** Returns the negation of a condition, or nothing if a change of its own operator does the same. */
function negated(condition: Node, source: SourceFile): Candidate[] {
  return isBinaryExpression(condition) || isPrefixUnaryExpression(condition)
    ? []
    : [changed(condition, source, `!(${textOf(condition, source)})`)];
}

/** Whether a number is the name of a property, which other files use. */
function isName(node: Node): boolean {
  return (isPropertyAssignment(node.parent) || isEnumMember(node.parent)) && node.parent.name === node;
}

/** Whether an operand is text, so that `+` joins texts. */
function isText(node: Node): boolean {
  if (isBinaryExpression(node)) return isText(node.left) || isText(node.right);
  return isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node) || isTemplateExpression(node);
}

const changed = (node: Node, source: SourceFile, after: string): Candidate => ({
  from: node.getStart(source),
  to: node.end,
  after,
});

const textOf = (node: Node, source: SourceFile): string => source.text.slice(node.getStart(source), node.end);
