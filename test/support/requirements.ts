/** The programs that tests use in addition to Node: which are missing here, and how to install them. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, resolve } from "node:path";

export interface Requirement {
  /** A name on the PATH, or a path. */
  readonly program: string;
  /** Arguments with which it succeeds if it has what the tests need. */
  readonly check?: readonly string[];
  /** The Debian package that contains it. */
  readonly debianPackage: string;
  readonly purpose: string;
  /** Whether only tests of full runs use it. */
  readonly isForFullRuns?: boolean;
}

/** Libraries whose usual examples run against daemons: test/libraries. */
const LIBRARIES = [
  { program: "/usr/bin/python3", check: ["-c", "import celery"], debianPackage: "python3-celery" },
  { program: "/usr/bin/python3", check: ["-c", "import rq"], debianPackage: "python3-rq" },
  {
    program: "/usr/bin/python3",
    check: ["-c", "import django_redis"],
    debianPackage: "python3-django-redis",
  },
  { program: "php", check: ["-r", "require 'Predis/Autoloader.php';"], debianPackage: "php-nrk-predis" },
  { program: "sidekiq", check: ["-V"], debianPackage: "ruby-sidekiq" },
];

/** Python tools, by the module to import. */
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
    purpose: "the real server that replies are compared with",
  },
  { program: "nats-server", debianPackage: "nats-server", purpose: "the stream of --order" },
  { program: "php", debianPackage: "php-cli", purpose: "examples/php and json" },
  { program: "openssl", debianPackage: "openssl", purpose: "key files of every kind, examples/shell" },
  { program: "nc", debianPackage: "netcat-openbsd", purpose: "examples/shell and json" },
  {
    // Debian's Python: the PATH's may not see Debian's packages.
    program: "/usr/bin/python3",
    check: ["-c", "import cryptography"],
    debianPackage: "python3-cryptography",
    purpose: "the Python package, which signs by it",
  },
  {
    program: "/usr/bin/python3",
    check: ["-c", "import websockets"],
    debianPackage: "python3-websockets",
    purpose: "examples/python/listen.py, and a chat client of the exercise",
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
  {
    program: "chromium",
    debianPackage: "chromium",
    purpose: "the client for pages, in one",
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
    purpose: "MongoDB's tests of drivers, which the driver of Go comes with",
    isForFullRuns: true,
  },
  {
    program: "composer",
    debianPackage: "composer",
    purpose: "examples/php as a package",
    isForFullRuns: true,
  },
  {
    program: "php",
    check: ["-r", "require 'Psr/SimpleCache/autoload.php';"],
    debianPackage: "php-psr-simple-cache",
    purpose: "the interface of examples/php's cache",
    isForFullRuns: true,
  },
  ...PYTHON_TOOLS.map(([check, debianPackage]) => ({
    program: "/usr/bin/python3",
    check: ["-c", `import ${check}`],
    debianPackage,
    purpose: "the Python package, installed",
    isForFullRuns: true,
  })),
  { program: "mypy", debianPackage: "mypy", purpose: "the Python package's types", isForFullRuns: true },
  ...LIBRARIES.map(({ program, check, debianPackage }) => ({
    program,
    check,
    debianPackage,
    purpose: "what people use with Redis",
    isForFullRuns: true,
  })),
];

/** Returns whether a program is installed, with what the tests need of it. */
export function isThere({ program, check }: Requirement): boolean {
  return isOnPath(program) && (check === undefined || spawnSync(program, check).status === 0);
}

export function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(resolve(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Returns a test's `skip`: false, or the reason. In CI, missing programs fail the run ahead of any test.
 * @param name  a program, or its Debian package where several tests need different parts of it
 */
export function skipWithout(name: string): string | false {
  const requirement = requirements.find(
    ({ program, debianPackage }) => program === name || debianPackage === name,
  );
  const there = requirement === undefined ? isOnPath(name) : isThere(requirement);
  return there ? false : `${requirement?.debianPackage ?? name} is not installed`;
}
