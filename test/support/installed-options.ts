/** The options of all faces that the build contains. */
import { OptionTable } from "../../daemon/options/option-table.js";
import { BUILD } from "../../daemon/program/installed-faces.js";

export const TABLE = new OptionTable(BUILD.faces);
export const {
  limits: ALL_LIMITS,
  names: OPTION_NAMES,
  rows: OPTIONS,
  userListeners: USER_LISTENER_NAMES,
  listeners: LISTENER_NAMES,
} = TABLE;
