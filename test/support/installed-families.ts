/** Installs the code of the families of commands that the build contains, for tests without a daemon. */
import * as faces from "../../daemon/faces.js";
import { type FaceFamilies, installFamilies } from "../../daemon/store/family-code.js";
import { COMMAND_FAMILIES } from "../../daemon/store/rows/command-families.js";

installFamilies(Object.values<FaceFamilies>(faces));

const WITHOUT_CODE: ReadonlySet<string> = new Set(
  COMMAND_FAMILIES.flatMap(({ isInstalled, rows }) => (isInstalled ? [] : rows.map(({ name }) => name))),
);

/** Returns whether the build contains the code of a command, given by its name in the store's table. */
export const hasCode = (command: string): boolean => !WITHOUT_CODE.has(command);
