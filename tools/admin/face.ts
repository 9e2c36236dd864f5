/** The tool that --admin serves: health, metrics and the dashboard. */
import type { Face } from "../../daemon/program/face.js";

export const admin: Face = {
  speaks: { ports: { http: "HTTP (--admin)" }, protocols: [] },
  async openFigureServer({ settings, log }, figures) {
    const { admin: listenAddress, adminHosts: hosts } = settings;
    if (listenAddress === null) return null;
    const { makeAdmin } = await import("./admin.js");
    return { name: "admin", server: makeAdmin(listenAddress, hosts, figures, log) };
  },
};
