/**
 * `$set`, `$unset`, `$inc`, `$push`, `$pull`: data of an update whose first name begins with `$` says what becomes of members. What comes of it follows from the
 * entry and the data alone. Source: docs/json-documents.md "Changing and deleting by condition".
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
import { writeJson } from "../../../protocol/json/json-writer.js";
import { phpNumberOf } from "../../../protocol/json/php-number.js";
import { type CommandFailure, custom, echoed } from "../../arguments/errors.js";
import { checkPath, elementTest } from "../../queries/json/filter.js";
import { wrongMembers } from "./document-entries.js";

const INTEGER = /^-?\d+$/;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
/** Lists and objects within each other in an entry, as deep as a request can bring one. */
const DEPTH_MAX = 509;

interface Operator {
  /** Whether members on the way that are not there are made; else nothing is to be done without them. */
  readonly makes: boolean;
  /** @param old  undefined: there is no such member @param where  for the error @returns undefined: it is taken away */
  become(old: JsonValue | undefined, operand: JsonValue, where: string): JsonValue | undefined;
}

const operators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$set", { makes: true, become: (_, operand) => operand }],
  ["$unset", { makes: false, become: () => undefined }],
  ["$inc", { makes: true, become: added }],
  ["$push", { makes: true, become: pushed }],
  ["$pull", { makes: false, become: pulled }],
]);

const fault = (text: string): CommandFailure => custom(`ERR ${bytesOfText(text)}`);
const shown = (name: string) => `'${echoed(bytesOfText(name))}'`;

/**
 * What becomes of an entry.
 * @param names  of the document's members, which no entry may go beyond; null: it may have any
 * @throws CommandFailure  says which operator, and what is wrong with it
 */
export function operated(
  entry: JsonContainer,
  data: JsonObject,
  names: readonly string[] | null,
): JsonContainer {
  let changed = entry;
  for (const [at, operator] of data.names.entries()) {
    const row = operators.get(operator);
    if (row === undefined)
      throw fault(
        `there is no ${shown(operator)}: beside each other there are ${[...operators.keys()].join(", ")}`,
      );
    const members = data.values[at];
    if (!(members instanceof JsonObject))
      throw fault(`${operator} asks for an object of members, as in {"${operator}":{"views":1}}`);
    for (const [place, path] of members.names.entries()) {
      const operand = members.values[place] as JsonValue;
      checkPath(path);
      checkDepth(operand, path.split(".").length, path);
      const name = headOf(changed, path);
      if (names !== null && !names.includes(name)) throw wrongMembers(names, [name]);
      const where = `${operator} of ${shown(path)}`;
      if (operator === "$unset" && name === path) throw ownMember(where);
      const become = (old: JsonValue | undefined) => row.become(old, operand, where);
      changed = changedAt(changed, path, { makes: row.makes, become });
    }
  }
  return changed;
}

/** The entry's own member that a path is about. */
function headOf(entry: JsonContainer, path: string): string {
  const point = path.indexOf(".");
  return point < 0 || memberOf(entry, path) !== undefined ? path : path.slice(0, point);
}

const ownMember = (where: string) =>
  fault(
    `${where}: all entries have the members of their document; DOC.MEMBER DROP (dropmember) takes one away`,
  );

interface Change {
  readonly makes: boolean;
  become(old: JsonValue | undefined): JsonValue | undefined;
}

function changedAt(container: JsonContainer, path: string, change: Change): JsonContainer {
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
    throw fault(`${shown(name)} is a place of a list: $pull takes values out of lists`);
  const copy = new JsonObject();
  for (const [at, one] of container.names.entries())
    if (one !== name) copy.set(one, container.values[at] as JsonValue);
  return copy;
}

/** The same with another value for a member, which may be new; a list stays one as long as it has no gap. */
function replaced(container: JsonContainer, name: string, value: JsonValue): JsonContainer {
  if (!(container instanceof JsonObject)) {
    const place = Number(name);
    const isPlace = String(place) === name && place >= 0 && place <= container.length;
    if (isPlace) return [...container.slice(0, place), value, ...container.slice(place + 1)];
    if (container.length > 0) throw fault(`a list has no place ${shown(name)} to be changed or added`);
  }
  const copy = new JsonObject();
  const values = memberValues(container);
  for (const [at, one] of memberNames(container).entries()) copy.set(one, values[at] as JsonValue);
  copy.set(name, value);
  return copy;
}

/** Integers of 64 bits exactly, others as doubles. */
function added(old: JsonValue | undefined, operand: JsonValue, where: string): JsonValue {
  if (!(operand instanceof JsonNumber)) throw fault(`${where} asks for a number`);
  if (old === undefined) return operand;
  if (!(old instanceof JsonNumber)) throw fault(`${where}: the member is no number`);
  if (isInteger(old) && isInteger(operand)) {
    const sum = BigInt(old.text) + BigInt(operand.text);
    if (sum < INT64_MIN || sum > INT64_MAX) throw fault(`${where} would leave the integers of 64 bits`);
    return new JsonNumber(String(sum));
  }
  const sum = Number(old.text) + Number(operand.text);
  if (!Number.isFinite(sum)) throw fault(`${where} would leave the numbers`);
  return new JsonNumber(String(sum));
}

function isInteger({ text }: JsonNumber): boolean {
  if (!INTEGER.test(text)) return false;
  const number = phpNumberOf(text);
  return typeof number === "bigint" || Number.isSafeInteger(number);
}

function pushed(old: JsonValue | undefined, operand: JsonValue, where: string): JsonValue {
  if (old === undefined) return [operand];
  // An empty object is an empty list to PHP.
  if (old instanceof JsonObject && old.names.length === 0) return [operand];
  if (!isContainer(old) || old instanceof JsonObject) throw fault(`${where}: the member is no list`);
  return [...old, operand];
}

/** All values of a list that are the same, or meet operators of conditions. */
function pulled(old: JsonValue | undefined, operand: JsonValue, where: string): JsonValue | undefined {
  const isMeant = elementTest(operand);
  // An empty object is an empty list to PHP.
  if (old instanceof JsonObject && old.names.length === 0) return old;
  if (old === undefined || !isContainer(old) || old instanceof JsonObject)
    throw fault(`${where}: the member is no list`);
  return old.filter((one) => !isMeant(one));
}

function depthOf(value: JsonValue): number {
  if (!isContainer(value)) return 0;
  let most = 0;
  for (const one of memberValues(value)) most = Math.max(most, depthOf(one));
  return most + 1;
}

/**
 * What is deeper than any text may be could not be read again.
 * @param names  of the path that leads to the value @throws CommandFailure
 */
export function checkDepth(value: JsonValue, names: number, path: string): void {
  if (names + depthOf(value) > DEPTH_MAX)
    throw fault(`${shown(path)} would be more than ${DEPTH_MAX} levels deep`);
}

/** The entry's own members that are not as they were. */
export function differing(old: JsonContainer, changed: JsonContainer): JsonObject {
  const different = new JsonObject();
  const values = memberValues(changed);
  for (const [at, name] of memberNames(changed).entries()) {
    const value = values[at] as JsonValue;
    const before = memberOf(old, name);
    if (before !== value && (before === undefined || writeJson(before) !== writeJson(value)))
      different.set(name, value);
  }
  return different;
}
