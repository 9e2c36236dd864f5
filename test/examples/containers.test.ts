/**
 * Tests the Dockerfile and the composition of examples/production without containers: a linter accepts the Dockerfile,
 * and the daemons of the composition run here with the arguments, variables and files of their containers.
 */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { describe, test } from "node:test";
import { DockerfileParser, type Instruction } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import { parse } from "yaml";
import { writeClusterSecret } from "../../keys/cluster-secret-file.js";
import { VERSIONS } from "../other-nodes/nodes.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { programPaths } from "../support/programs.js";
import { repositoryRoot } from "../support/repository.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { until } from "../support/until.js";

const folder = join(repositoryRoot, "examples/production");
const read = (name: string): string => readFileSync(join(folder, name), "utf8");

const dockerfile = DockerfileParser.parse(read("Dockerfile"));
const instructions = dockerfile.getInstructions();

/** Returns the instructions of a kind after the last FROM, which make the image. */
function ofImage(keyword: string): Instruction[] {
  const start = instructions.findLastIndex((each) => each.getKeyword() === "FROM");
  return instructions.slice(start).filter((each) => each.getKeyword() === keyword);
}

/** Returns the elements of an instruction in JSON form, such as CMD. */
function jsonOf(keyword: string): string[] {
  const [instruction] = ofImage(keyword);
  return JSON.parse(instruction?.getRawArgumentsContent() ?? "") as string[];
}

interface BoundFile {
  readonly type: "bind";
  readonly source: string;
  readonly target: string;
  readonly read_only: boolean;
}

interface Service {
  readonly image: string;
  readonly build: { readonly context: string; readonly dockerfile: string };
  readonly read_only: boolean;
  readonly ports: readonly string[];
  readonly volumes: readonly (string | BoundFile)[];
  readonly environment: Readonly<Record<string, string>>;
  readonly healthcheck: { readonly test: readonly string[] };
}

interface Composition {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const composition = parse(read("compose.yaml"), { merge: true, strict: true }) as Composition;
const services = Object.entries(composition.services);

describe("the Dockerfile", () => {
  test("A linter accepts it, and finds a mistake in a broken one", () => {
    assert.deepEqual(validate(read("Dockerfile")), []);
    assert.equal(validate(read("Dockerfile").replace("--interval", "--intervl")).length, 1);
  });

  test("Each stage begins with a recommended version of Node", () => {
    for (const from of dockerfile.getFROMs()) {
      assert.equal(from.getImageName(), "node");
      assert.ok([...VERSIONS.keys()].slice(1).includes(/^\d+/.exec(from.getImageTag() ?? "")?.[0] ?? ""));
    }
  });

  test("Each copied path exists in the checkout, or is made by the stage that it comes from", () => {
    const stages = dockerfile.getFROMs().map((from) => from.getBuildStage());
    const made = instructions.filter((each) => each.getKeyword() === "RUN");
    for (const copy of dockerfile.getCOPYs()) {
      const stage = copy.getFromFlag()?.getValue();
      for (const source of copy.getArguments().slice(0, -1)) {
        const path = source.getValue();
        if (stage === undefined) assert.ok(existsSync(join(repositoryRoot, path)), path);
        else
          assert.ok(
            made.some((each) => each.getArgumentsContent()?.endsWith(` ${basename(path)}`)),
            path,
          );
        assert.ok(stage === undefined || stages.includes(stage as string), path);
      }
    }
  });

  test("No file that the documents create in examples/production becomes part of the image", () => {
    const ignored = new Set(read("Dockerfile.dockerignore").split("\n"));
    const made = [...(composition.services["daemon1"]?.volumes ?? [])].filter(
      (each) => typeof each !== "string",
    );
    assert.equal(made.length, 2);
    for (const { source } of [...made, { source: "./private.pem" }])
      assert.ok(ignored.has(`**/*${extname(source)}`), source);
  });

  test("The daemon does not run as root, and its user owns the data folder", () => {
    const [user, ...more] = ofImage("USER");
    assert.deepEqual([user?.getArgumentsContent(), more], ["node", []]);
    const line = "install --directory --owner node --group node --mode 0700 /var/lib/dbsyncd";
    assert.ok(ofImage("RUN").some((each) => each.getArgumentsContent() === line));
  });

  test("It names the default port, and has a health check", () => {
    assert.equal(ofImage("EXPOSE")[0]?.getArgumentsContent(), "1111");
    assert.equal(ofImage("HEALTHCHECK").length, 1);
  });
});

/** The machine on which the containers would run: their files, ports and daemons. */
class Machine implements AsyncDisposable {
  readonly keys = makeKeyPair();
  readonly daemons: DaemonProcess[] = [];
  readonly #scratch = new ScratchFolder();

  constructor(readonly ports: ReadonlyMap<string, number>) {
    this.#scratch.file("public.pem", this.keys.pem);
    writeClusterSecret(this.at("cluster.secret"));
    this.#scratch.privateKey(this.keys);
  }

  at(name: string): string {
    return join(this.#scratch.path, name);
  }

  /** Makes the files of a container below a folder. @returns the folder */
  root(name: string, { volumes }: Service): string {
    const root = this.at(name);
    for (const volume of volumes) {
      const [source = "", target = ""] =
        typeof volume === "string" ? volume.split(":") : [volume.source, volume.target];
      const path = join(root, target);
      mkdirSync(dirname(path), { recursive: true });
      if (typeof volume === "string") mkdirSync(path);
      else copyFileSync(this.at(source), path);
    }
    return root;
  }

  /** Returns `value`, an argument or variable of a container, with the paths and ports of this machine. */
  valueOf(value: string, root: string): string {
    if (value.startsWith("/")) return join(root, value);
    return [...this.ports].reduce(
      (placed, [name, port]) => placed.replace(`${name}:1111`, `127.0.0.1:${port}`),
      value,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.daemons) await daemon[Symbol.asyncDispose]();
    this.#scratch[Symbol.dispose]();
  }
}

describe("the composition", () => {
  test("Each service builds the image from the Dockerfile, and can write only to its own volume", () => {
    assert.equal(services.length, 3);
    const own = new Set<string>();
    for (const [, { build, image, read_only, volumes }] of services) {
      assert.equal(image, "dbsyncd");
      assert.equal(join(folder, build.context), join(repositoryRoot));
      assert.ok(existsSync(join(repositoryRoot, build.dockerfile)));
      assert.ok(read_only);
      for (const volume of volumes)
        if (typeof volume !== "string") assert.ok(volume.read_only, volume.source);
        else own.add(volume.split(":")[0] as string);
    }
    assert.deepEqual([...own], Object.keys(composition.volumes));
    assert.equal(own.size, services.length);
  });

  test("The ports are published on the loopback interface only, at the servers that its comment names", () => {
    const published = services.flatMap(([, { ports }]) => ports);
    const [, named = ""] = /--servers (\S+)/.exec(read("compose.yaml")) ?? [];
    assert.deepEqual(
      published,
      named.split(",").map((server) => `${server}:1111`),
    );
    for (const port of published) assert.match(port, /^127\.0\.0\.1:/);
  });

  test("The daemons start with the arguments, variables and files of their containers, become healthy and apply signed commands", async () => {
    const ports = new Map<string, number>();
    for (const [name] of services) ports.set(name, await freePort());
    await using machine = new Machine(ports);

    const checks: (readonly string[])[] = [];
    for (const [name, service] of services) {
      const [program, ...args] = [...jsonOf("ENTRYPOINT"), ...jsonOf("CMD")];
      assert.equal(program, "dbsyncd");
      const root = machine.root(name, service);
      const admin = `127.0.0.1:${await freePort()}`;

      // Other machines can reach a container only by its published ports. Here, the daemon listens on one address.
      const placed = args.map((arg) =>
        machine.valueOf(arg, root).replace("0.0.0.0", "127.0.0.1").replace("127.0.0.1:9464", admin),
      );
      const env = Object.entries(service.environment).map(([variable, value]) => [
        variable,
        machine.valueOf(value, root),
      ]);

      const started = startDaemon(placed, {
        env: Object.fromEntries([...env, ["DBSYNCD_PORT", String(ports.get(name))]]),
      });
      machine.daemons.push(await started);
      checks.push(service.healthcheck.test.map((part) => part.replace("127.0.0.1:9464", admin)));
    }

    for (const [kind, ...command] of checks) {
      assert.deepEqual([kind, command[0]], ["CMD", "node"]);
      await until("healthy", async () => (await run(process.execPath, command.slice(1))).code === 0);
    }

    const servers = [...ports.values()].map((port) => `127.0.0.1:${port}`).join(",");
    const args = [
      "send",
      "-s",
      servers,
      "-k",
      machine.at("private.pem"),
      "--timeout",
      "20000",
      "--all",
      "SET",
      "a",
      "b",
    ];

    const { stdout, stderr } = await run(process.execPath, [programPaths.dbsync, ...args]);
    assert.equal(stdout.match(/ OK$/gm)?.length, services.length, stdout + stderr);
  });

  test("The image and the composition have the same health check, which fails without a daemon", async () => {
    const [inImage] = ofImage("HEALTHCHECK");
    const [, ...command] = services[0]?.[1].healthcheck.test ?? [];
    const text = command.at(-1) as string;
    assert.ok(inImage?.getRawArgumentsContent()?.endsWith(`CMD node -e "${text}"`));
    const [, script] = command.slice(1);
    const free = text.replace("9464", String(await freePort()));
    assert.deepEqual([script, (await run(process.execPath, ["-e", free])).code], [text, 1]);
  });
});
