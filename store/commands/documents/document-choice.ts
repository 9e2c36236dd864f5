/**
 * Selects the entries that a write with conditions changes. Source: docs/json-documents.md "Changing and deleting by
 * condition".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { keyIn } from "../../../protocol/document-entries-reply.js";
import type { Data } from "../../keyspace/mutators.js";
import { workOf } from "../../queries/mongo-failure.js";
import type { Document } from "../../values/documents/document.js";
import type { Options } from "./document-options.js";
import { selectionOf } from "./document-reads.js";
import { selected } from "./document-selection.js";
import { withDocumentErrors } from "./entry-conditions.js";

/** Cost in steps of each entry that is compared with conditions. */
const LOOK_STEPS = 6;

/** Whether the options select entries by conditions. */
export function isChoosing({ query, where, sort, limit }: Options): boolean {
  return (query ?? where ?? sort ?? limit) !== undefined;
}

export interface Choice {
  readonly document: Document;
  /** The unit's date. */
  readonly at: number;
  readonly options: Options;
}

/** Returns the keys of the selected entries, in the requested order. */
export function choiceOf({ effort }: Data, { document, at, options }: Choice): ByteString[] {
  const selection = selectionOf(options, workOf(effort));
  effort.work(Math.max(LOOK_STEPS, selection.tests) * document.size);
  const { found: entries } = withDocumentErrors("WHERE", () => selected(document, at, selection));
  return entries.texts.map((_, index) => keyIn(entries, index));
}
