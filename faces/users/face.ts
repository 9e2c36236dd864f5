/** The users of all listeners whose clients have names and passwords. */
import type { Settings } from "../../daemon/options/settings.js";
import type { Face } from "../../daemon/program/face.js";
import { checkUserOptions, USER_LIMITS, USER_OPTIONS } from "./options.js";

export const users: Face = {
  options: USER_OPTIONS,
  limits: USER_LIMITS,
  checkOptions: checkUserOptions,
  async checkFiles(settings) {
    if (!(await hasListener(settings))) return;
    const { readUsers } = await import("./read-users.js");
    readUsers(settings);
  },
  async open(core, _service, faces) {
    if (!(await hasListener(core.settings))) return null;
    const { openUserListeners } = await import("./user-listeners.js");
    return await openUserListeners(core, faces);
  },
};

/** Whether there is a listener for users. Imports the rules late, because they import the options of all faces. */
async function hasListener(settings: Settings): Promise<boolean> {
  const { hasUserListener } = await import("../../daemon/options/settings-rules.js");
  return hasUserListener(settings);
}
