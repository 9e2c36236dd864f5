/**
 * Selects the entries that a write with conditions changes. Source: docs/json-documents.md "Changing and deleting by
 * condition".
 */

import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { keyIn } from "../../../../protocol/document-entries-reply.js";
import { workOf } from "../../../mongo/store/queries/mongo-failure.js";
import type { Document } from "../values/document.js";
import type { Options } from "./document-options.js";
import { selectionOf } from "./document-reads.js";
import { isPresent, type Selection, selected } from "./document-selection.js";
import { withDocumentErrors } from "./entry-conditions.js";

/** Cost in steps of each entry that is compared with conditions. */
const LOOK_STEPS = 6;

/** Whether the options select entries by conditions. */
export function isChoosing({ query, where, sort, limit }: Options): boolean {
  return (query ?? where ?? sort ?? limit) !== undefined;
}

export interface Choosing {
  readonly document: Document;
  readonly unit: Unit;
  readonly options: Options;
}

/** The first element of a recorded choice: the keys of the selected entries follow, or the error. */
const [ENTRIES, FAILED] = ["entries", "error"] as const;

/**
 * Runs a command whose options may select entries. With LIMIT it is a claim: if a daemon has recorded that it failed, it
 * fails with the same error. Source: docs/decisions/0066.
 * @throws CommandFailure
 */
export function claimed<Result>({ limit }: Options, { choice, taken }: Unit, run: () => Result): Result {
  if (limit === undefined) return run();
  const [how, text = ""] = choice ?? [];
  if (how === FAILED) throw new CommandFailure(text);
  try {
    return run();
  } catch (failure) {
    if (taken !== undefined && failure instanceof CommandFailure)
      taken.splice(0, taken.length, FAILED, failure.reply.text);
    throw failure;
  }
}

/**
 * Returns the keys of the selected entries, in the requested order. If a daemon has recorded a selection with LIMIT, these
 * are the entries of it that are still there and still meet the conditions; an upsert that finds none of them selects
 * again.
 */
export function choiceOf({ effort }: Data, { document, unit, options }: Choosing): readonly ByteString[] {
  const selection = selectionOf(options, workOf(effort));
  const { at, choice, taken } = unit;
  const isClaim = options.limit !== undefined;
  const cost = Math.max(LOOK_STEPS, selection.tests);
  if (isClaim && choice !== undefined) {
    const [, ...keys] = choice;
    effort.work(cost * keys.length);
    const still = withDocumentErrors("WHERE", () => stillSelected(document, at, selection, new Set(keys)));
    if (still.length > 0 || options.upsert !== true || choice.length === 0) return still;
  }
  effort.work(cost * document.size);
  const { found: entries } = withDocumentErrors("WHERE", () => selected(document, at, selection));
  const keys = entries.texts.map((_, index) => keyIn(entries, index));
  if (isClaim && taken !== undefined) {
    taken.push(ENTRIES);
    for (const key of keys) taken.push(key);
  }
  return keys;
}

function stillSelected(
  document: Document,
  at: number,
  { test }: Selection,
  keys: ReadonlySet<ByteString>,
): readonly ByteString[] {
  return [...keys].filter((key) => {
    const text = document.get(key);
    return text !== undefined && isPresent(document, at, key) && test(text);
  });
}
