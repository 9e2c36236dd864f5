/**
 * Preloaded with `--import`: makes code of a face unavailable. With DBSYNC_WITHOUT, the end of the path of a compiled
 * file, the import of this file fails, as if it were missing. With DBSYNC_WITHOUT_FAMILY, the name of a family of
 * commands, the program does not contain this family, as if its face had been removed.
 */
import { register } from "node:module";

const { DBSYNC_WITHOUT: module, DBSYNC_WITHOUT_FAMILY: family } = process.env;

const resolveHook = `export async function resolve(specifier, context, next) {
  if (specifier.endsWith(${JSON.stringify(module)})) throw new Error("the file is missing");
  return await next(specifier, context);
}`;

const loadHook = `export async function load(url, context, next) {
  const loaded = await next(url, context);
  if (!url.endsWith("/daemon/installed-families.js")) return loaded;
  return { ...loaded, source: loaded.source + '\\ndelete INSTALLED_FAMILIES[${JSON.stringify(family)}];' };
}`;

for (const hook of [
  ...(module === undefined ? [] : [resolveHook]),
  ...(family === undefined ? [] : [loadHook]),
])
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
