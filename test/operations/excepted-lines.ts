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
  { page: null, start: "chronyc ", why: "reads and sets the clock of the machine" },
  { page: "install.md", start: "nft ", why: "checks the packet filter of the kernel, as root" },
  {
    page: "install.md",
    start: "systemctl reload nftables",
    why: "loads the packet filter of the kernel, as root",
  },
  { page: "install.md", start: "systemctl daemon-reload", why: "only systemd can read the unit again" },
  ...["systemctl ", "dbsync members join ", "dbsync dead-letters list --data "].map((start) => ({
    page: "docs/operations.md",
    start,
    why: "systemd stops the daemon; test/tools/cli/folder/joining-folder.test.ts checks what the command does",
  })),
  { page: "docs/runbooks.md", start: "chown ", why: "changes an owner as root" },
  {
    page: "docs/docker.md",
    start: "docker ",
    why: "needs Docker; a test starts the daemons without it, with the same options",
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
    page: "docs/production.md",
    start: "install ",
    why: "writes into /etc as root; test/operations/pages executes the same lines of install.md with folders as machines",
  },
  {
    page: "docs/production.md",
    start: "systemd-analyze ",
    why: "checks the installed unit as root; test/examples/production verifies the same file",
  },
  {
    page: "docs/production.md",
    start: "systemctl ",
    why: "runs as root; test/operations/pages executes the same lines of install.md",
  },
  {
    page: "examples/chat/README.md",
    start: "",
    why: "test/examples/chat/demo starts it; the other lines of the block are its output",
  },
];
