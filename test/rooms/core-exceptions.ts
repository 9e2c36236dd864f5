/**
 * The 13 imports of the core that lead into faces/ or tools/. Each is removed when a registry of the core takes its place;
 * none is added.
 */
export const CORE_EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "daemon/program/components.ts": [
    "tools/admin/dashboard-frames.ts",
    "tools/admin/health.ts",
    "tools/admin/metrics.ts",
  ],
  "daemon/program/core.ts": ["tools/admin/metrics.ts"],
  "daemon/program/daemon.ts": ["tools/admin/health.ts"],
  "daemon/program/inspection/inspected-daemon.ts": ["tools/admin/metric-row.ts"],
  "daemon/program/make-backend.ts": ["tools/admin/metrics.ts", "tools/admin/timed-backend.ts"],
  "daemon/program/wiring.ts": [
    "tools/admin/admin.ts",
    "tools/admin/counted-keys.ts",
    "tools/admin/health.ts",
    "tools/admin/http/admin-server.ts",
    "tools/admin/metrics.ts",
  ],
};
