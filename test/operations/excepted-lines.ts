/** The lines of `console` blocks that no test executes in their printed form, with the reasons. */

export interface ExceptedLine {
  /** The page, or null if the row applies to all pages. */
  readonly page: string | null;
  /** The beginning of the line. */
  readonly start: string;
  readonly why: string;
}

export const EXCEPTED: readonly ExceptedLine[] = [
  { page: null, start: "apt-get install ", why: "installs Debian packages as root over the network" },
  {
    page: null,
    start: "npm install",
    why: "npm downloads packages over the network; test/package and test/client-package pack and install the same files",
  },
  ...["pnpm ", "yarn ", "npx dbsync --version"].map((start) => ({
    page: "install.md",
    start,
    why: "downloads packages over the network; test/packages/without-scripts executes these lines",
  })),
  { page: "docs/runbooks.md", start: "chronyc ", why: "reads and sets the clock of the machine" },
  ...["systemctl ", "dbsync members join ", "dbsync dead-letters list --data "].map((start) => ({
    page: "docs/operations.md",
    start,
    why: "systemd stops the daemon; test/tools/cli/folder/joining-folder.test.ts checks what the command does",
  })),
  {
    page: "docs/runbooks.md",
    start: "chown ",
    why: "changes an owner as root; systemd takes the folder over",
  },
  {
    page: "docs/docker.md",
    start: "docker ",
    why: "needs Docker; a test starts the daemons without it, with the same options",
  },
  {
    page: "docs/kubernetes.md",
    start: "docker ",
    why: "needs Docker and a registry; no test builds the image",
  },
  ...["exec dbsync-0 -- mkdir ", "exec dbsync-0 -- dbsync status", "delete "].map((start) => ({
    page: "docs/kubernetes.md",
    start: `kubectl -n dbsync ${start}`,
    why: "needs a cluster; test/operations/kubernetes.test.ts does the same to pods in namespaces",
  })),
  ...["0", "4"].map((pod) => ({
    page: "docs/kubernetes.md",
    start: `kubectl -n dbsync exec dbsync-${pod} -- dbsync members `,
    why: "needs a cluster; test/operations/kubernetes.test.ts runs the same in pods in namespaces",
  })),
  ...["cp ", "exec dbsync-0 -- dbsync restore ", "exec dbsync-0 -- mv "].map((start) => ({
    page: "docs/kubernetes.md",
    start: `kubectl -n dbsync ${start}`,
    why: "needs a cluster; no test restores the backup in pods",
  })),
  ...[
    "create ",
    "apply -k ",
    "-n dbsync rollout ",
    "-n dbsync create ",
    "-n dbsync wait ",
    "-n dbsync logs ",
  ].map((start) => ({
    page: "docs/kubernetes.md",
    start: `kubectl ${start}`,
    why: "needs a cluster; test/operations/kubernetes.test.ts runs the pods and the job of the manifests without it",
  })),
  {
    page: "docs/kubernetes.md",
    start: "kubectl taint ",
    why: "needs a cluster; no test runs it, but test/operations/kubernetes.test.ts starts the pod again as a cluster then does",
  },
  {
    page: "docs/kubernetes.md",
    start: "kubectl -n dbsync apply ",
    why: "needs the Prometheus operator; test/operations/kubernetes.test.ts checks only the contents of the file",
  },
  {
    page: "docs/python.md",
    start: "python3 -m venv ",
    why: "test/python/package creates such an environment",
  },
  {
    page: "docs/python.md",
    start: "venv/bin/pip ",
    why: "test/python/package installs the package with these options",
  },
  {
    page: "examples/chat/README.md",
    start: "",
    why: "test/examples/chat/demo starts it; the other lines of the block are its output",
  },
];
