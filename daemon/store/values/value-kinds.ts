/** The registry of the kinds of values: the basic ones, and those that a face registers. */
import { HASH_KIND } from "./hash.js";
import { LIST_KIND } from "./list.js";
import { SET_KIND } from "./member-set.js";
import type { ValueForm, ValueKind } from "./object-value.js";
import { SORTED_SET_KIND } from "./sorted-set.js";

const kinds = new Map<ValueForm, ValueKind>();

/** Makes a kind of values known, so that snapshots with its forms can be read. */
export function registerValueKind(kind: ValueKind): void {
  for (const form of kind.forms) kinds.set(form, kind);
}

/** Returns the kind that reads a form, or undefined if this build has none. */
export function valueKindOf(form: ValueForm): ValueKind | undefined {
  return kinds.get(form);
}

for (const kind of [LIST_KIND, HASH_KIND, SET_KIND, SORTED_SET_KIND]) registerValueKind(kind);
