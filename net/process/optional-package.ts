/** Packages that only some daemons need: loaded on use. The error of a missing one says how to install it. */
import { StartError } from "./start-error.js";

/**
 * @param load     `() => import(…)` of a module of ours that needs the package, or of the package itself
 * @param purpose  what asks for it, as the user wrote it
 * @throws StartError  if the package is not installed
 */
export async function loadWith<T>(packageName: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw problem;
    const cure = `Install it next to dbsyncd: npm install ${packageName}`;
    throw new StartError(`${purpose} needs the package ${packageName}, which is not installed. ${cure}`, 1);
  }
}
