/** The programs and libraries that the tests use in addition to Node, and the Debian packages that contain them. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, resolve } from "node:path";
import { isFull } from "./amount.js";

export interface Requirement {
  /** A program on the PATH, or a path. */
  readonly program: string;
  /** Arguments with which the program succeeds if everything that the tests use is installed. */
  readonly check?: readonly string[];
  /** The Debian package that contains it. */
  readonly debianPackage: string;
  readonly purpose: string;
  /** Whether only tests of full runs use it. */
  readonly isForFullRuns?: boolean;
}

/** Libraries whose usual examples test/libraries runs against daemons. */
const LIBRARIES = [
  { program: "/usr/bin/python3", check: ["-c", "import celery"], debianPackage: "python3-celery" },
  { program: "/usr/bin/python3", check: ["-c", "import rq"], debianPackage: "python3-rq" },
  { program: "/usr/bin/python3", check: ["-c", "import memcache"], debianPackage: "python3-memcache" },
  {
    program: "/usr/bin/python3",
    check: ["-c", "import django_redis"],
    debianPackage: "python3-django-redis",
  },
  { program: "php", check: ["-r", "require 'Predis/Autoloader.php';"], debianPackage: "php-nrk-predis" },
  {
    program: "php",
    check: ["-r", "exit(is_readable('/usr/share/php/Illuminate/Redis/autoload.php') ? 0 : 1);"],
    debianPackage: "php-illuminate-redis",
  },
  ...["Illuminate/Cache", "Symfony/Component/Lock", "Symfony/Component/Cache"].map((library) => ({
    program: "php",
    check: ["-r", `exit(is_readable('/usr/share/php/${library}/autoload.php') ? 0 : 1);`],
    debianPackage: `php-${library.toLowerCase().replace("/component", "").replace("/", "-")}`,
  })),
  { program: "sidekiq", check: ["-V"], debianPackage: "ruby-sidekiq" },
];

/** Python tools: the module to import, and its Debian package. */
const PYTHON_TOOLS = [
  ["ensurepip", "python3-venv"],
  ["pip", "python3-pip"],
  ["setuptools", "python3-setuptools"],
  ["wheel", "python3-wheel"],
] as const;

export const requirements: readonly Requirement[] = [
  {
    program: "redis-server",
    debianPackage: "redis-server",
    purpose: "the server whose replies are compared with the daemon's",
  },
  {
    program: "haproxy",
    debianPackage: "haproxy",
    purpose: "the proxy of docs/active-active.md",
  },
  { program: "nats-server", debianPackage: "nats-server", purpose: "the NATS stream of --order" },
  { program: "php", debianPackage: "php-cli", purpose: "clients/php and json" },
  { program: "openssl", debianPackage: "openssl", purpose: "key files of every kind, examples/shell" },
  { program: "nc", debianPackage: "netcat-openbsd", purpose: "examples/shell and json" },
  {
    // The Python on the PATH may not find Debian's packages.
    program: "/usr/bin/python3",
    check: ["-c", "import cryptography"],
    debianPackage: "python3-cryptography",
    purpose: "signatures of the Python package",
  },
  {
    program: "/usr/bin/python3",
    check: ["-c", "import websockets"],
    debianPackage: "python3-websockets",
    purpose: "clients/python/listen.py, and a client of the chat example",
  },
  {
    program: "/usr/bin/python3",
    check: ["-c", "import redis"],
    debianPackage: "python3-redis",
    purpose: "Python's Redis client",
  },
  {
    program: "php",
    check: ["-r", "exit(extension_loaded('redis') ? 0 : 1);"],
    debianPackage: "php-redis",
    purpose: "PHP's Redis client",
  },
  { program: "go", debianPackage: "golang-go", purpose: "the Go client" },
  { program: "gcc", debianPackage: "build-essential", purpose: "Go's race detector", isForFullRuns: true },
  {
    program: "chromium",
    debianPackage: "chromium",
    purpose: "the client in a browser",
    isForFullRuns: true,
  },
  {
    program: "nft",
    debianPackage: "nftables",
    purpose: "the firewall of docs/production.md",
    isForFullRuns: true,
  },
  {
    program: "promtool",
    debianPackage: "prometheus",
    purpose: "/metrics, alert rules and the dashboard of examples/production",
    isForFullRuns: true,
  },
  {
    program: "/usr/bin/python3",
    check: ["-c", "import pymongo"],
    debianPackage: "python3-pymongo",
    purpose: "Python's MongoDB driver",
    isForFullRuns: true,
  },
  {
    program: "/usr/bin/python3",
    check: ["-c", "import os; os.stat('/usr/share/gocode/src/go.mongodb.org/mongo-driver')"],
    debianPackage: "golang-mongodb-mongo-driver-dev",
    purpose: "MongoDB's tests for drivers, which are part of its Go driver",
    isForFullRuns: true,
  },
  {
    program: "psql",
    debianPackage: "postgresql-client",
    purpose: "PostgreSQL's client at a wrong port",
    isForFullRuns: true,
  },
  {
    program: "composer",
    debianPackage: "composer",
    purpose: "clients/php as a package",
    isForFullRuns: true,
  },
  {
    program: "php",
    check: ["-r", "require 'Psr/SimpleCache/autoload.php';"],
    debianPackage: "php-psr-simple-cache",
    purpose: "the interface of clients/php's cache",
    isForFullRuns: true,
  },
  ...PYTHON_TOOLS.map(([check, debianPackage]) => ({
    program: "/usr/bin/python3",
    check: ["-c", `import ${check}`],
    debianPackage,
    purpose: "the installation of the Python package",
    isForFullRuns: true,
  })),
  { program: "mypy", debianPackage: "mypy", purpose: "the types of the Python package", isForFullRuns: true },
  ...LIBRARIES.map(({ program, check, debianPackage }) => ({
    program,
    check,
    debianPackage,
    purpose: "libraries that are often used with Redis",
    isForFullRuns: true,
  })),
];

/** Returns whether this run uses a requirement. The usual tests do not use those of full runs. */
export const isOfThisRun = ({ isForFullRuns = false }: Requirement): boolean => isFull || !isForFullRuns;

/** Returns whether a requirement is installed and its check succeeds. */
export function isThere({ program, check }: Requirement): boolean {
  return isOnPath(program) && (check === undefined || spawnSync(program, check).status === 0);
}

export function isOnPath(program: string, path = process.env["PATH"] ?? ""): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(resolve(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Returns the value of a test's `skip`: false, or the reason why the test cannot run.
 * @param name  a program, or a Debian package if the program alone is not sufficient
 * @throws Error in CI if a requirement of this kind of run is missing, since no CI run may skip its tests
 */
export function skipWithout(name: string): string | false {
  const requirement = requirements.find(
    ({ program, debianPackage }) => program === name || debianPackage === name,
  );
  const isInstalled = requirement === undefined ? isOnPath(name) : isThere(requirement);
  if (isInstalled) return false;

  const reason = `${requirement?.debianPackage ?? name} is not installed`;
  if (process.env["CI"] && requirement !== undefined && isOfThisRun(requirement))
    throw new Error(`${reason}, and in CI no test is skipped for this reason.`);
  return reason;
}
