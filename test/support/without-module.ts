/**
 * Preloaded with `--import`: makes the import of one compiled file fail, as if it were missing. DBSYNC_WITHOUT is the end of
 * its path.
 */
import { register } from "node:module";

const hooks = `export async function resolve(specifier, context, next) {
  if (specifier.endsWith(${JSON.stringify(process.env["DBSYNC_WITHOUT"])})) throw new Error("the file is missing");
  return await next(specifier, context);
}`;

register(`data:text/javascript,${encodeURIComponent(hooks)}`);
