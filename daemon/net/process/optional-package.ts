/**
 * Loads packages that only some daemons need, when they are used. The error about a missing one says how to install it.
 */
import { StartError } from "./start-error.js";

/**
 * Loads a module that needs an optional package.
 * @param load     `() => import(…)` of a module that needs the package, or of the package itself
 * @param purpose  the option that needs it, as the user wrote it
 * @throws StartError  the package is not installed
 */
export async function loadWith<T>(packageName: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw problem;
    const cure = `Install it next to dbsyncd: npm install ${packageName}`;
    throw new StartError(
      `${purpose} requires the package ${packageName}, which is not installed. ${cure}`,
      1,
    );
  }
}
