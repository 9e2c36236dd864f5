/**
 * Creates the views of a data folder, after its tables. Views that the earlier SQL server itself cannot read are reported
 * instead.
 */

import { printNotice } from "../shared/output.js";
import type { SendToAll } from "../shared/send-to-all.js";
import { type FolderDatabase, fileOf, readViewObject } from "./sql-data-folder.js";
import { sourcesOf, type ViewQuery, viewText } from "./view-query.js";
import { readViewTree } from "./view-tree.js";

const UNREADABLE = "the earlier server itself cannot read it, like any view that names a column";

/** Creates the views. @returns the number of created views */
export async function importViews(
  folder: string,
  { name: database, views }: FolderDatabase,
  send: SendToAll,
): Promise<number> {
  const reportSkipped = (view: string, reason: string) =>
    printNotice(
      `${fileOf(folder, database, "views", view)}: this view was not imported: ${reason}; create it yourself: create view ${view} as select …`,
    );
  const queries = new Map<string, ViewQuery>();
  for (const view of views) {
    try {
      const query = readViewTree(await readViewObject(fileOf(folder, database, "views", view)));
      if (query === null) reportSkipped(view, UNREADABLE);
      else queries.set(view, query);
    } catch (problem) {
      reportSkipped(view, (problem as Error).message);
    }
  }
  let created = 0;
  for (const view of inOrder(queries)) {
    const statement = `manamboara jery ${view} @ ${viewText(queries.get(view) as ViewQuery)}`;
    try {
      await send(["SQL", database, statement]);
      created++;
    } catch (problem) {
      reportSkipped(view, (problem as Error).message);
    }
  }
  return created;
}

/**
 * Returns the views in an order in which each view follows the views that it reads. A view that reads itself cannot be
 * created and may be in any position.
 */
function inOrder(queries: ReadonlyMap<string, ViewQuery>): readonly string[] {
  const ordered = new Set<string>();
  const visited = new Set<string>();
  const visit = (view: string): void => {
    const query = queries.get(view);
    if (query === undefined || visited.has(view)) return;
    visited.add(view);
    for (const source of sourcesOf(query)) visit(source);
    ordered.add(view);
  };
  for (const view of queries.keys()) visit(view);
  return [...ordered];
}
