/**
 * The 44 imports of the core that lead into faces/ or tools/. Each is removed when a registry of the core takes its place;
 * none is added.
 */
export const CORE_EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "daemon/cluster/history/replica-figures.ts": [
    "faces/redis-mirror/mirror-parts.ts",
    "faces/redis-mirror/mirror.ts",
  ],
  "daemon/cluster/history/timeline-commands.ts": [
    "faces/redis-mirror/mirror.ts",
    "faces/redis-mirror/repair-mirror.ts",
  ],
  "daemon/net/connections/foreign-client.ts": [
    "faces/mongo/bytes/mongo-answers.ts",
    "faces/sql/bytes/sql-frames.ts",
  ],
  "daemon/program/check-files.ts": ["faces/sidecar/open-forwarding-client.ts", "faces/users/read-users.ts"],
  "daemon/program/components.ts": [
    "tools/admin/dashboard-frames.ts",
    "tools/admin/health.ts",
    "tools/admin/metrics.ts",
  ],
  "daemon/program/core.ts": ["tools/admin/metrics.ts"],
  "daemon/program/daemon.ts": ["tools/admin/health.ts"],
  "daemon/program/inspection/inspected-daemon.ts": ["tools/admin/metric-row.ts"],
  "daemon/program/make-backend.ts": [
    "faces/redis-behind/redis-backend.ts",
    "faces/redis-behind/redis-cluster.ts",
    "faces/redis-behind/redis-link.ts",
    "faces/redis-behind/redis-sentinel.ts",
    "faces/sidecar/open-forwarding-client.ts",
    "faces/sidecar/signing-backend.ts",
    "tools/admin/metrics.ts",
    "tools/admin/timed-backend.ts",
  ],
  "daemon/program/make-mirror.ts": ["faces/redis-mirror/mirror.ts"],
  "daemon/program/user-listeners.ts": [
    "faces/json/json-listener.ts",
    "faces/memcached/memcached-listener.ts",
    "faces/mongo/mongo-listener.ts",
    "faces/redis/resp-listener.ts",
    "faces/sidecar/signed-path.ts",
    "faces/sidecar/signing-backend.ts",
    "faces/sql/sql-listener.ts",
    "faces/users/daemon-interface.ts",
    "faces/users/loading-command-path.ts",
    "faces/users/local-command-path.ts",
    "faces/users/password-secrets.ts",
    "faces/users/read-users.ts",
    "faces/users/user-listener.ts",
    "faces/users/users.ts",
  ],
  "daemon/program/wiring.ts": [
    "faces/nats-order/ordered-replica.ts",
    "faces/web/ws-listener.ts",
    "tools/admin/admin.ts",
    "tools/admin/counted-keys.ts",
    "tools/admin/health.ts",
    "tools/admin/http/admin-server.ts",
    "tools/admin/metrics.ts",
  ],
};
