/** Lines of `console` blocks that no test executes as printed, and why. */

export interface ExceptedLine {
  /** The page; null: any page. */
  readonly page: string | null;
  /** Beginning of the line. */
  readonly start: string;
  readonly why: string;
}

export const EXCEPTED: readonly ExceptedLine[] = [
  { page: null, start: "apt-get install ", why: "installs packages of Debian, as root, over the network" },
  {
    page: null,
    start: "npm install",
    why: "npm fetches packages over the network; test/package and test/client-package pack and install the same files",
  },
  { page: null, start: "chronyc ", why: "reads and sets the machine's clock" },
  { page: "install.md", start: "nft ", why: "checks the kernel's packet filter, as root" },
  {
    page: "install.md",
    start: "systemctl reload nftables",
    why: "loads the kernel's packet filter, as root",
  },
  { page: "install.md", start: "systemctl daemon-reload", why: "systemd alone reads the unit again" },
  { page: "docs/runbooks.md", start: "chown ", why: "the daemon's user is made by systemd" },
  {
    page: "docs/docker.md",
    start: "docker ",
    why: "needs Docker; the daemons are started without it, with the same options",
  },
  {
    page: "docs/python.md",
    start: "python3 -m venv ",
    why: "test/python/package makes such an environment",
  },
  {
    page: "docs/python.md",
    start: "venv/bin/pip ",
    why: "test/python/package installs by these options",
  },
  {
    page: "docs/production.md",
    start: "install ",
    why: "as root, into /etc; test/operations/pages types the same of install.md on machines that are folders",
  },
  {
    page: "docs/production.md",
    start: "systemd-analyze ",
    why: "as root, on the installed unit; test/examples/production verifies the same file",
  },
  {
    page: "docs/production.md",
    start: "systemctl ",
    why: "as root; test/operations/pages carries out those of install.md",
  },
  {
    page: "examples/chat/README.md",
    start: "",
    why: "test/examples/chat/demo starts it; the other lines of the block are what it prints",
  },
];
