/**
 * The imports of the core that lead into faces/ or tools/. Each is removed when a registry of the core takes its place;
 * none is added. The list of faces, daemon/program/faces.ts, is no exception: test/tidy.test.ts has its rule.
 */
export const CORE_EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "daemon/cluster/replica/snapshot-worker.ts": ["faces/command-families.ts"],
  "daemon/program/wiring.ts": ["faces/command-families.ts"],
};
