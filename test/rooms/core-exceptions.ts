/**
 * The 13 imports of the core that lead into faces/ or tools/. Each is removed when a registry of the core takes its place;
 * none is added.
 */
export const CORE_EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "daemon/components.ts": [
    "tools/admin/dashboard-frames.ts",
    "tools/admin/health.ts",
    "tools/admin/metrics.ts",
  ],
  "daemon/core.ts": ["tools/admin/metrics.ts"],
  "daemon/daemon.ts": ["tools/admin/health.ts"],
  "daemon/inspection/inspected-daemon.ts": ["tools/admin/metric-row.ts"],
  "daemon/make-backend.ts": ["tools/admin/metrics.ts", "tools/admin/timed-backend.ts"],
  "daemon/wiring.ts": [
    "tools/admin/admin.ts",
    "tools/admin/counted-keys.ts",
    "tools/admin/health.ts",
    "tools/admin/http/admin-server.ts",
    "tools/admin/metrics.ts",
  ],
};
