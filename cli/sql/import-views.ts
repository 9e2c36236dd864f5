/**
 * Creates the views of a data folder, after its tables: those that the earlier server can read back itself; the remaining ones are named.
 */
import type { SendToAll } from "../shared/send-to-all.js";
import { type FolderDatabase, fileOf, readViewObject } from "./data-folder.js";
import { sourcesOf, type ViewQuery, viewText } from "./view-query.js";
import { readViewTree } from "./view-tree.js";

const UNREADABLE = "the earlier server cannot read it back itself, as any that names a column";

/** @returns how many have been made */
export async function importViews(
  folder: string,
  { name: database, views }: FolderDatabase,
  send: SendToAll,
): Promise<number> {
  const tell = (view: string, why: string) =>
    process.stderr.write(
      `dbsync: ${fileOf(folder, database, "views", view)}: this view was not taken over: ${why}; create it yourself: create view ${view} as select …\n`,
    );
  const queries = new Map<string, ViewQuery>();
  for (const view of views) {
    try {
      const query = readViewTree(await readViewObject(fileOf(folder, database, "views", view)));
      if (query === null) tell(view, UNREADABLE);
      else queries.set(view, query);
    } catch (problem) {
      tell(view, (problem as Error).message);
    }
  }
  let made = 0;
  for (const view of inOrder(queries)) {
    const statement = `manamboara jery ${view} @ ${viewText(queries.get(view) as ViewQuery)}`;
    try {
      await send(["SQL", database, statement]);
      made++;
    } catch (problem) {
      tell(view, (problem as Error).message);
    }
  }
  return made;
}

/**
 * Returns the views in an order in which each follows those that it reads. A view that reads itself keeps its position: it cannot be
 * created.
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
