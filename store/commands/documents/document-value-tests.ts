/** Operators of WHERE that no span of values tells: what they ask of a member's value. Source: docs/json-documents.md "Conditions". */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { parseJson } from "../../../protocol/json/json-reader.js";
import { isContainer, JsonObject, type JsonValue } from "../../../protocol/json/json-value.js";
import { type CommandFailure, custom } from "../../arguments/errors.js";
import { compilePattern, PatternFault } from "../../patterns/pattern.js";
import type { PatternProgram } from "../../patterns/pattern-program.js";
import { compareMembers, type MemberValue, memberValueOf } from "../../values/documents/member-value.js";

export type ValueTest = (value: MemberValue) => boolean;

/** @param where  for the error */
type Maker = (operand: JsonValue, where: string) => ValueTest;

export const whereFault = (text: string): CommandFailure => custom(`ERR WHERE: ${bytesOfText(text)}`);

export const valueTests: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ["$contains", containing],
  ["$regex", matching],
]);

/** A list has the value, a string the string. */
function containing(operand: JsonValue): ValueTest {
  const wanted = memberValueOf(operand);
  const part = typeof operand === "string" ? (wanted as ByteString) : null;
  return (value) => {
    if (typeof value === "string") return part !== null && value.includes(part);
    if (typeof value !== "object" || !value.text.startsWith("[")) return false;
    const list = parseJson(textOfBytes(value.text));
    if (!isContainer(list) || list instanceof JsonObject) return false;
    return list.some((one) => compareMembers(memberValueOf(one), wanted) === 0);
  };
}

function matching(operand: JsonValue, where: string): ValueTest {
  if (typeof operand !== "string") throw whereFault(`${where} asks for a string`);
  const program = programOf(operand, where);
  return (value) => typeof value === "string" && program.isIn(textOfBytes(value));
}

function programOf(pattern: string, where: string): PatternProgram {
  try {
    return compilePattern(pattern);
  } catch (problem) {
    if (problem instanceof PatternFault) throw whereFault(`${where}: ${problem.message}`);
    throw problem;
  }
}
