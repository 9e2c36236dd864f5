/**
 * Defines a suite for each of the test files that share a process, so that the hooks of a file run only for its tests.
 */
import { AsyncResource } from "node:async_hooks";
import { describe } from "node:test";
import { pathToFileURL } from "node:url";

/**
 * Adds a suite per file, with the file's path as its name. The tests run when all files are loaded: otherwise loading
 * would delay the tests of other files.
 * @param files  as absolute paths
 */
export function addSuites(files: readonly string[]): void {
  let loading = files.length;
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let previous: Promise<unknown> = Promise.resolve();
  for (const file of files)
    describe(file, () => {
      // Node finds the suite of a test by the asynchronous context in which the file adds the test. The files are
      // loaded one after the other: a module with `await` would evaluate all files that import it in one context.
      const load = AsyncResource.bind(() => import(pathToFileURL(file).href));
      const loaded = previous.then(load);
      previous = loaded.catch(() => {}).then(() => --loading === 0 && open());
      return loaded.then(() => opened);
    });
}
