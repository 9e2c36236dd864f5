/** Finds out whether entries after a position have changed keys that a unit touches. */
import { SEMANTICS } from "../../store/semantics.js";
import type { Entry } from "../entries/entry.js";
import type { ChangedKeys } from "./changed-keys.js";
import { findTouches, type TouchNode, unitsOf } from "./fold-unit.js";

/** Whether the only unit of an entry may touch a key that has changed. */
export function touchesChanged(entry: Entry, changed: ChangedKeys, databases: number): boolean {
  if (changed.changesDatabase || changed.next !== null) return true;
  if (changed.keys.length === 0) return false;
  const [unit] = unitsOf(entry, databases);
  if (unit === undefined || unit.kind === "nothing") return false;
  findTouches(unit, databases, SEMANTICS);
  const nodes: readonly TouchNode[] = [unit, ...(unit.more ?? [])];
  const touched = new Set((unit.databaseTouches ?? []).map(({ db }) => db));
  const keys = new Set(nodes.flatMap(({ db, key }) => (key === null ? [] : `${db} ${key}`)));
  return changed.keys.some(({ db, key }) => touched.has(db) || keys.has(`${db} ${key}`));
}
