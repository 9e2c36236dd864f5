/** Loads the code of the families of commands that the build contains, for tests that run commands without a daemon. */
import { useAllFamilies } from "../../daemon/installed-families.js";
import { COMMAND_FAMILIES } from "../../daemon/store/rows/command-families.js";

await useAllFamilies();

const WITHOUT_CODE: ReadonlySet<string> = new Set(
  COMMAND_FAMILIES.flatMap(({ isLoaded, rows }) => (isLoaded ? [] : rows.map(({ name }) => name))),
);

/** Returns whether the build contains the code of a command, given by its name in the store's table. */
export const hasCode = (command: string): boolean => !WITHOUT_CODE.has(command);
