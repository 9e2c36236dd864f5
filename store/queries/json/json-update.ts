/**
 * `$set`, `$unset`, `$inc`, `$push`, `$pull` of DOC.UPDATE: the resulting entries depend only on the operators and the
 * data.
 * Source: docs/json-documents.md "Changing and deleting by condition".
 */

import { bytesOfText } from "../../../protocol/byte-string.js";
import {
  isContainer,
  type JsonContainer,
  JsonNumber,
  JsonObject,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../../protocol/json/json-value.js";
import { phpNumberOf } from "../../../protocol/json/php-number.js";
import { type CommandFailure, custom, echoed } from "../../arguments/command-errors.js";
import {
  type Change,
  type ChangeAtPath,
  COMMON_OPERATORS,
  changesOf,
  type UpdateAlgebra,
  type UpdateCall,
} from "../update-compiler.js";
import { checkPath, elementTest, fieldsOf } from "./json-filter.js";

export type JsonChange = ChangeAtPath<JsonValue, string>;
type Call = UpdateCall<JsonValue, string>;

const INTEGER = /^-?\d+$/;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
/** Maximum nesting of lists and objects in an entry: the depth that a request can contain. */
const DEPTH_MAX = 509;

/** @throws CommandFailure that names the operator and the error */
export function jsonChangesOf(update: JsonObject): readonly JsonChange[] {
  return changesOf(fieldsOf(update), jsonUpdates);
}

/**
 * Applies changes to an entry, one after the other, and returns the result.
 * @param checkMember called with the direct member of the entry that a change affects; may reject it
 * @throws CommandFailure
 */
export function changed(
  entry: JsonContainer,
  changes: readonly JsonChange[],
  checkMember: (name: string) => void,
): JsonContainer {
  let result = entry;
  for (const { operator, path, change } of changes) {
    const name = headOf(result, path);
    checkMember(name);
    if (operator === "$unset" && name === path) throw ownMember(path);
    result = changedAt(result, path, change);
  }
  return result;
}

/**
 * Checks that an entry containing a value could be read again.
 * @param names number of names in the value's path
 * @throws CommandFailure
 */
export function checkDepth(value: JsonValue, names: number, path: string): void {
  if (names + depthOf(value) > DEPTH_MAX)
    throw fault(`${shown(path)} would be more than ${DEPTH_MAX} levels deep`);
}

function depthOf(value: JsonValue): number {
  if (!isContainer(value)) return 0;
  let max = 0;
  for (const one of memberValues(value)) max = Math.max(max, depthOf(one));
  return max + 1;
}

const fault = (text: string): CommandFailure => custom(`ERR ${bytesOfText(text)}`);
const shown = (name: string) => `'${echoed(name)}'`;
const whereOf = ({ operator, name }: Call) => `${operator} of ${shown(name)}`;

const ownMember = (path: string) =>
  fault(
    `$unset of ${shown(path)}: all entries have the members of their document; DOC.MEMBER DROP (dropmember) removes one`,
  );

class JsonUpdates implements UpdateAlgebra<JsonValue, string> {
  readonly operators: readonly string[] = [];

  unknownOperator(operator: string): Error {
    return fault(`there is no ${shown(operator)}: the operators are ${COMMON_OPERATORS.join(", ")}`);
  }

  membersOf(operator: string, operands: JsonValue): Iterable<readonly [string, JsonValue]> {
    if (operands instanceof JsonObject) return fieldsOf(operands);
    throw fault(`${operator} requires an object of members, as in {"${operator}":{"views":1}}`);
  }

  pathOf(name: string, operand: JsonValue): string {
    checkPath(name);
    checkDepth(operand, name.split(".").length, name);
    return name;
  }

  /** Adds 64-bit integers exactly, and other numbers as doubles. */
  add(call: Call): (old: JsonValue | undefined) => JsonValue {
    const { operand } = call;
    if (!(operand instanceof JsonNumber)) throw fault(`${whereOf(call)} requires a number`);
    return (old) => {
      if (old === undefined) return operand;
      if (!(old instanceof JsonNumber)) throw fault(`${whereOf(call)}: the member is not a number`);
      return sumOf(old, operand, call);
    };
  }

  append({ operand }: Call): (list: readonly JsonValue[]) => readonly JsonValue[] {
    return (list) => [...list, operand];
  }

  /**
   * For compatibility, a wrong operand is an error only for entries that have the member. Entries without the member
   * receive the remaining changes of the update.
   */
  pull({ operand }: Call): (list: readonly JsonValue[]) => readonly JsonValue[] {
    let cached: ((element: JsonValue) => boolean) | null = null;
    return (list) => {
      const isMeant = (cached ??= elementTest(operand));
      return list.filter((one) => !isMeant(one));
    };
  }

  listOf(value: JsonValue, call: Call): readonly JsonValue[] {
    // PHP writes an empty object as an empty list.
    if (value instanceof JsonObject && value.names.length === 0) return [];
    if (isContainer(value) && !(value instanceof JsonObject)) return value;
    throw fault(`${whereOf(call)}: the member is not a list`);
  }

  changesOf({ operator }: Call): never {
    throw this.unknownOperator(operator);
  }
}

const jsonUpdates = new JsonUpdates();

function sumOf(old: JsonNumber, operand: JsonNumber, call: Call): JsonNumber {
  if (isInteger(old) && isInteger(operand)) {
    const sum = BigInt(old.text) + BigInt(operand.text);
    if (sum < INT64_MIN || sum > INT64_MAX) throw fault(`${whereOf(call)} would exceed 64-bit integers`);
    return new JsonNumber(String(sum));
  }
  const sum = Number(old.text) + Number(operand.text);
  if (!Number.isFinite(sum)) throw fault(`${whereOf(call)} would exceed the range of numbers`);
  return new JsonNumber(String(sum));
}

function isInteger({ text }: JsonNumber): boolean {
  if (!INTEGER.test(text)) return false;
  const number = phpNumberOf(text);
  return typeof number === "bigint" || Number.isSafeInteger(number);
}

/** Returns the direct member to which a path leads: a name that contains points takes precedence over a path. */
function headOf(container: JsonContainer, path: string): string {
  const point = path.indexOf(".");
  return point < 0 || memberOf(container, path) !== undefined ? path : path.slice(0, point);
}

function changedAt(container: JsonContainer, path: string, change: Change<JsonValue>): JsonContainer {
  const name = headOf(container, path);
  const old = memberOf(container, name);
  if (old === undefined && !change.makes) return container;
  if (name === path) {
    const value = change.become(old);
    return value === undefined ? without(container, name) : replaced(container, name, value);
  }
  const within = old === undefined ? new JsonObject() : old;
  if (isContainer(within))
    return replaced(container, name, changedAt(within, path.slice(name.length + 1), change));
  if (!change.makes) return container;
  throw fault(`${shown(name)} of ${shown(path)} is neither list nor object`);
}

function without(container: JsonContainer, name: string): JsonContainer {
  if (!(container instanceof JsonObject))
    throw fault(`${shown(name)} is an index of a list: $pull removes values from lists`);
  const copy = new JsonObject();
  for (const [at, one] of container.names.entries())
    if (one !== name) copy.set(one, container.values[at] as JsonValue);
  return copy;
}

/**
 * Returns a container with the given value for a member, which may be new. An empty list becomes an object if the new
 * member would leave a gap in the list.
 */
function replaced(container: JsonContainer, name: string, value: JsonValue): JsonContainer {
  if (!(container instanceof JsonObject)) {
    const index = Number(name);
    const isArrayIndex = String(index) === name && index >= 0 && index <= container.length;
    if (isArrayIndex) return [...container.slice(0, index), value, ...container.slice(index + 1)];
    if (container.length > 0) throw fault(`a list has no index ${shown(name)} to change or add`);
  }
  const copy = new JsonObject();
  const values = memberValues(container);
  for (const [at, one] of memberNames(container).entries()) copy.set(one, values[at] as JsonValue);
  copy.set(name, value);
  return copy;
}
