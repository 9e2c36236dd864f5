/** The users of all listeners whose clients have names and passwords. */
import { hasUserListener } from "../../daemon/options/settings.js";
import type { Face } from "../../daemon/program/face.js";

export const users: Face = {
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
