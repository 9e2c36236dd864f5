/** The users of all listeners whose clients have names and passwords. */
import { hasUserListener } from "../../daemon/options/settings-rules.js";
import type { Face } from "../../daemon/program/face.js";
import { checkUserOptions, USER_LIMITS, USER_OPTIONS } from "./options.js";

export const users: Face = {
  options: USER_OPTIONS,
  limits: USER_LIMITS,
  checkOptions: checkUserOptions,
  async checkFiles(settings) {
    if (!hasUserListener(settings)) return;
    const { readUsers } = await import("./read-users.js");
    readUsers(settings);
  },
  async open(core, _service, faces) {
    if (!hasUserListener(core.settings)) return null;
    const { openUserListeners } = await import("./user-listeners.js");
    return await openUserListeners(core, faces);
  },
};
