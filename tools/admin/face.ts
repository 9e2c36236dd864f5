/** The tool that --admin serves: health, metrics and the dashboard. */
import type { Face } from "../../daemon/program/face.js";
import { ADMIN_OPTIONS, checkAdminOptions } from "./options.js";

export const admin: Face = {
  options: ADMIN_OPTIONS,
  checkOptions: checkAdminOptions,
  speaks: { ports: { http: "HTTP (--admin)" }, protocols: [] },
  async openFigureServer({ settings, log }, figures, faces) {
    const { admin: listenAddress, adminHosts: hosts } = settings;
    if (listenAddress === null) return null;
    const { makeAdmin } = await import("./admin.js");
    return { name: "admin", server: await makeAdmin(listenAddress, hosts, figures, faces, log) };
  },
};
