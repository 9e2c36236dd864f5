/**
 * Tests the manifests in deploy/kubernetes without a cluster: their parts fit together, and what runs in the pods
 * survives what happens to pods, in namespaces with a network of their own.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { parse as parseToml } from "smol-toml";
import { parse } from "yaml";
import { parseIni } from "../../client/settings/default-options.js";
import { writeClusterSecret } from "../../keys/cluster-secret-file.js";
import { skipUnlessFull } from "../support/amount.js";
import { kill } from "../support/child-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { programPaths } from "../support/programs.js";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { isOnPath, skipWithout } from "../support/requirements.js";
import { type Ended, run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { until } from "../support/until.js";
import { consoleLines } from "./console-text.js";
import { skipWithoutMachines } from "./machines.js";
import { jobSpecOf, MANIFESTS, manifestFile, manifestPaths, podSpecOf, readManifests } from "./manifests.js";
import { Pods } from "./pods.js";

/** Writes that clients must have made after an event, before the next one. */
const WRITES = 30;
/** The time limit for the start of a daemon on a busy machine, in milliseconds. */
const READY_MS = 900_000;
const SERVER = "dbsyncs://dbsync-";

/** The configuration of a cluster of `count` daemons: the files of the overlay, with the names that they need. */
function configurationOf(count: number, files: Readonly<Record<string, string>>): Record<string, string> {
  const names = Array.from({ length: count }, (_, index) => `dbsyncs://dbsync-${index}.dbsync:1111`);
  const list = (text: string, start: string, separator: string, quote: string) =>
    text.replace(
      new RegExp(`^(${start} = \\[?).*?(\\]?)$`, "m"),
      `$1${names.map((name) => quote + name + quote).join(separator)}$2`,
    );
  return {
    ...files,
    "start.sh": manifestFile("base/start.sh"),
    // A busy machine stops each process for seconds.
    "dbsyncd.toml": `${list(manifestFile("overlays/production/dbsyncd.toml"), "peer", ", ", '"')}standstill = "1m"\n`,
    "dbsync.ini": list(manifestFile("overlays/production/dbsync.ini"), "dbsync.servers", ", ", ""),
  };
}

/** The pods of a StatefulSet, a configuration that changes with their number, and a client that writes. */
class Cluster implements AsyncDisposable {
  readonly #scratch = new ScratchFolder();
  readonly #keys = makeKeyPair();
  readonly #files: Readonly<Record<string, string>>;
  readonly #key: string;
  #client: ReturnType<Pods["spawnOnNode"]> | null = null;
  #output = "";

  private constructor(readonly pods: Pods) {
    this.#key = this.#scratch.privateKey(this.#keys);
    const at = (name: string) => join(this.#scratch.path, name);
    writeClusterSecret(at("cluster.secret"));
    this.#files = {
      "app-public.pem": this.#keys.pem,
      "cluster.secret": readFileSync(at("cluster.secret"), "utf8"),
    };
  }

  static async make(): Promise<Cluster> {
    const [set] = readManifests(manifestFile("base/statefulset.yaml"));
    assert.ok(set !== undefined);
    const cluster = new Cluster(await Pods.prepare(podSpecOf(set)));
    await cluster.#makeCertificate();
    return cluster;
  }

  async #makeCertificate(): Promise<void> {
    const names = Array.from({ length: 7 }, (_, index) => `dbsync-${index}.dbsync`).join(",");
    const args = ["--certificate", "--san", names, "--out", this.#scratch.path];
    const { code, stderr } = await run(process.execPath, [programPaths["dbsync-keygen"], ...args]);
    assert.equal(code, 0, stderr);
    const read = (name: string) => readFileSync(join(this.#scratch.path, name), "utf8");
    Object.assign(this.#files, {
      "tls.crt": read("tls-cert.pem"),
      "tls.key": read("tls-key.pem"),
      "ca.crt": read("tls-cert.pem"),
    });
  }

  configure(count: number): void {
    this.pods.configure(configurationOf(count, this.#files));
  }

  async start(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.pods.start(name);
    this.pods.publish();
  }

  async isReady(...names: readonly string[]): Promise<void> {
    for (const name of names)
      await until(
        () => `${name} is ready: ${this.pods.logs.get(name)?.slice(-3000)}`,
        () => this.pods.isReady(name),
        { ms: READY_MS },
      );
  }

  /** Deletes a pod, and starts it with another address and the same volumes. */
  async restart(name: string): Promise<void> {
    assert.ok(await this.pods.delete(name), `${name} was killed after the grace period`);
    await this.start(name);
  }

  /** Runs a command in a pod, again if it fails: each may be repeated, and a busy machine answers late. */
  async exec(name: string, script: string): Promise<string> {
    let ended: Ended = { code: null, stdout: "", stderr: "" };
    const logs = () => this.pods.names.map((one) => `${one}: ${this.pods.logs.get(one)?.slice(-1500)}`);
    await until(
      () => [`${name}: ${script}`, ended.stdout, ended.stderr, ...logs()].join("\n"),
      async () => {
        ended = await this.pods.exec(name, script);
        return ended.code === 0;
      },
    );
    return ended.stdout;
  }

  /** Gives the order that a pod's log asks for. */
  async orders(name: string, command: RegExp): Promise<void> {
    await this.exec(name, command.exec(this.pods.logs.get(name) ?? "")?.[1] ?? "false");
  }

  /** Returns the ids of the members, as a pod's daemon knows them. @param at  only of the daemon in this pod */
  async members(name: string, at = ""): Promise<readonly string[]> {
    const text = await this.exec(name, "dbsync members list --data /var/lib/dbsyncd/data");
    const rows = [...text.matchAll(/^([\da-f]{16})….*$/gm)];
    return rows.filter(([row]) => row.includes(at)).map(([, id]) => id as string);
  }

  /** Replaces the member that has lost its disk by the daemon in the same pod. */
  async replace(name: string, by: string): Promise<void> {
    let old: string | undefined;
    await until("the old member is away", async () => {
      const text = await this.exec(by, "dbsync members list --data /var/lib/dbsyncd/data");
      [, old] = /^([\da-f]{16})….* away/m.exec(text) ?? [];
      return old !== undefined;
    });
    await this.exec(by, `dbsync members replace ${old} ${name}.dbsync:1111 --data /var/lib/dbsyncd/data`);
    await this.isReady(name);
  }

  /** Sends a command to the daemon of one pod. @returns the answer */
  async send(name: string, command: readonly string[]): Promise<string> {
    const options = [
      "-s",
      `dbsyncs://${name}.dbsync:1111`,
      "-k",
      this.#key,
      "--ca",
      this.#authority,
      "--timeout",
      "20000",
    ];
    const args = [process.execPath, programPaths.dbsync, "send", ...options, ...command];
    const { stdout, stderr } = await this.pods.runOnNode(args);
    return stdout.trim() + stderr;
  }

  startClient(servers: number): void {
    const list = Array.from({ length: servers }, (_, index) => `${SERVER}${index}.dbsync:1111`).join(",");
    const program = join(buildRoot, "test/operations/pod-client.js");
    this.#client = this.pods.spawnOnNode([process.execPath, program, list, this.#key, this.#authority]);
    this.#client.stdout?.on("data", (text: Buffer) => (this.#output += text));
  }

  /** Checks that a daemon has all that the client has written. @param count  the number of rounds */
  async hasWrites(name: string, count: number): Promise<void> {
    const keys = Array.from({ length: count }, (_, number) => `key:${number}`);
    const locks = keys.filter((_, number) => number % 10 === 0).map((_, index) => `lock:${10 * index}`);
    assert.equal(await this.send(name, ["EXISTS", ...keys, ...locks]), String(count + locks.length), name);
    assert.equal(await this.send(name, ["GET", "counter"]), String(count), name);
  }

  /** Returns a function that searches in what a pod logs from now on. */
  logsFromNow(name: string): (text: RegExp) => boolean {
    const { length } = this.pods.logs.get(name) ?? "";
    return (text) => text.test(this.pods.logs.get(name)?.slice(length) ?? "");
  }

  get #authority(): string {
    return join(this.#scratch.path, "tls-cert.pem");
  }

  get #written(): number {
    return Number(this.#output.trimEnd().split("\n").at(-1));
  }

  /** Waits until the client has written for a while after an event. */
  async writes(): Promise<void> {
    const before = this.#written;
    await until("the client writes", () => this.#written >= before + WRITES);
  }

  async endClient(): Promise<{ count: number; failures: readonly string[] }> {
    const isEnded = () => /^\{.*\n/m.test(this.#output);
    this.#client?.stdin?.end();
    await until("the client has ended", isEnded);
    return JSON.parse(this.#output.trimEnd().split("\n").at(-1) ?? "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#client !== null) await kill(this.#client);
    await this.pods[Symbol.asyncDispose]();
    this.#scratch[Symbol.dispose]();
  }
}

/** The fields that the tests below compare. */
interface Parts {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: object };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly replicas: number;
    readonly serviceName: string;
    readonly podManagementPolicy: string;
    readonly publishNotReadyAddresses?: boolean;
    readonly selector: { readonly matchLabels?: object };
    readonly ports?: readonly { readonly targetPort: string }[];
    readonly endpoints?: readonly { readonly port: string; readonly path: string }[];
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: Pod };
    readonly jobTemplate: { readonly spec: { readonly template: { readonly spec: Pod } } };
    readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[];
  };
}

interface Pod {
  readonly securityContext: object;
  readonly volumes: readonly {
    readonly name: string;
    readonly persistentVolumeClaim?: { readonly claimName: string };
  }[];
}

interface Patch {
  readonly path: string;
  readonly value: { readonly name: string; readonly value: string };
}

const partsOf = (path: string): readonly Parts[] =>
  readManifests(manifestFile(path)) as unknown as readonly Parts[];
const partOf = (path: string, kind: string): Parts => {
  const [part, ...more] = partsOf(path).filter((one) => one.kind === kind);
  assert.ok(part !== undefined && more.length === 0, `${path}: ${kind}`);
  return part;
};

describe("the manifests", () => {
  const set = partOf("base/statefulset.yaml", "StatefulSet");
  const service = partOf("base/service.yaml", "Service");
  const { container } = podSpecOf(set);
  const patches = parse(manifestFile("components/redis/listeners.yaml")) as readonly Patch[];
  const added = (list: string) =>
    patches.flatMap(({ path, value }) => (path.endsWith(`/${list}/-`) ? [value] : []));
  const ports = [...container.ports, ...added("ports")].map(({ name }) => name);
  const { labels } = set.spec.template.metadata;

  test("each file that a kustomization names exists, and each file is named", () => {
    const made = /^(?:app-public\.pem|cluster\.secret|tls\.|ca\.crt|users\.acl)/;
    const named = manifestPaths("kustomization.yaml").flatMap((path) => {
      const { resources = [], components = [], patches: own = [], ...rest } = parse(manifestFile(path));
      const generated = [...(rest.configMapGenerator ?? []), ...(rest.secretGenerator ?? [])];
      const files = [...resources, ...own.map((one: { path: string }) => one.path)];
      for (const each of generated) files.push(...each.files.filter((file: string) => !made.test(file)));
      return [...files, ...components].map((file: string) => join(dirname(path), file));
    });
    for (const file of named) assert.ok(existsSync(join(MANIFESTS, file)), file);
    for (const file of manifestPaths(""))
      if (/\.(?:yaml|sh|toml|ini)$/.test(file) && !file.endsWith("kustomization.yaml"))
        assert.ok(named.includes(file), file);
  });

  test("services, budget and metrics select the pods, and name their ports", () => {
    const monitor = partOf("components/prometheus/service-monitor.yaml", "ServiceMonitor");
    const sentinel = partOf("components/redis/sentinel.yaml", "Service");

    assert.deepEqual(set.spec.selector.matchLabels, labels);
    for (const { spec } of [service, sentinel]) {
      assert.deepEqual(spec.selector, labels);
      for (const { targetPort } of spec.ports ?? []) assert.ok(ports.includes(targetPort), targetPort);
    }
    assert.deepEqual(
      partOf("base/disruption-budget.yaml", "PodDisruptionBudget").spec.selector.matchLabels,
      labels,
    );

    assert.deepEqual(monitor.spec.selector.matchLabels, service.metadata.labels);
    assert.deepEqual(
      monitor.spec.endpoints?.map(({ path }) => path),
      ["/metrics"],
    );
    assert.equal(set.spec.serviceName, service.metadata.name);
  });

  test("daemons find those that are not ready, start together, and are not killed while they catch up", () => {
    assert.equal(service.spec.publishNotReadyAddresses, true);
    assert.equal(set.spec.podManagementPolicy, "Parallel");
    assert.equal(container.readinessProbe.httpGet.path, "/healthz");
    for (const { httpGet } of [container.livenessProbe, container.startupProbe])
      assert.equal(httpGet.path, "/");
    for (const { httpGet } of [container.livenessProbe, container.readinessProbe, container.startupProbe])
      assert.ok(ports.includes(httpGet.port));
  });

  test("a variable uses only earlier ones", () => {
    const known = new Set<string>();
    for (const { name, value = "" } of [...(container.env ?? []), ...added("env")]) {
      for (const [, used = ""] of value.matchAll(/\$\((\w+)\)/g))
        assert.ok(known.has(used), `${name}: ${used}`);
      known.add(name);
    }
    assert.ok(known.has("DBSYNCD_ANNOUNCE"));
  });

  test("the backup has the rights of a daemon, reads the volume of one, and cannot change it", () => {
    const job = partOf("components/backup/backup.yaml", "CronJob");
    const pod = job.spec.jobTemplate.spec.template.spec;
    const inBackup = jobSpecOf(job).container;
    assert.deepEqual(pod.securityContext, set.spec.template.spec.securityContext);
    assert.equal(inBackup.image, container.image);
    const [template] = set.spec.volumeClaimTemplates;
    const data = pod.volumes.find(({ name }) => name === "data");
    const claim = `${template?.metadata.name}-${set.metadata.name}-0`;
    assert.equal(data?.persistentVolumeClaim?.claimName, claim);
    const mount = ({ name }: { readonly name: string }) => name === "data";
    const [own, ofBackup] = [container.volumeMounts.find(mount), inBackup.volumeMounts.find(mount)];
    assert.deepEqual(ofBackup, { ...own, readOnly: true });
  });

  test("the keys are made as docs/kubernetes.md prints, and the daemon accepts the configuration with them", async () => {
    using scratch = new ScratchFolder();
    const at = (name: string) => join(scratch.path, name);
    for (const name of ["deploy/kubernetes", "examples/production"])
      cpSync(join(repositoryRoot, name), at(name), { recursive: true });
    const folder = at("deploy/kubernetes/overlays/production");
    mkdirSync(at("bin"));
    for (const [name, path] of Object.entries(programPaths)) symlinkSync(path, at(join("bin", name)));
    const env = { PATH: `${at("bin")}:${dirname(process.execPath)}:${process.env["PATH"]}` };
    const printed = consoleLines("docs/kubernetes.md").filter(
      ({ command }) => !/^(?:docker|kubectl) /.test(command),
    );
    assert.equal(printed.length, 9);
    for (const { command, section } of printed) {
      const cwd = section === "Install" ? folder : scratch.path;
      const { code, stderr } = await run("bash", ["-euc", command], { cwd, env });
      assert.equal(code, 0, `${command}: ${stderr}`);
    }
    const rule = parse(readFileSync(at("alarms.yaml"), "utf8"));
    assert.deepEqual(rule.spec, parse(readFileSync(at("examples/production/alerts.yml"), "utf8")));

    const variables = added("env").map(({ name, value }) => [name, value.replace("/etc/dbsync", folder)]);
    const config = ["--config", join(folder, "dbsyncd.toml"), "--check-config"];
    const { code, stderr } = await run(process.execPath, [programPaths.dbsyncd, ...config], {
      env: Object.fromEntries(
        variables.map(([name = "", value = ""]) => [name, value.replace(/\$\(\w+\)/g, "pod")]),
      ),
    });
    assert.equal(code, 0, stderr);

    if (!isOnPath("kubectl")) return;
    const rendered = await run("kubectl", ["kustomize", folder], { env });
    assert.equal(rendered.code, 0, rendered.stderr);
    const objects = readManifests(rendered.stdout) as unknown as readonly Parts[];
    assert.deepEqual(objects.map(({ kind }) => kind).toSorted(), [
      ...[
        "ConfigMap",
        "CronJob",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "Secret",
        "Service",
        "Service",
      ],
      ...["ServiceMonitor", "StatefulSet"],
    ]);
    const files = objects.flatMap(({ data = {} }) => Object.keys(data)).toSorted();
    const expected = ["app-public.pem", "ca.crt", "cluster.secret", "dbsync.ini", "dbsyncd.toml", "start.sh"];
    assert.deepEqual(files, [...expected, "tls.crt", "tls.key", "users.acl"]);
  });

  for (const [program, answer] of [
    ["members", "List 1, d6c7"],
    ["status", '{"daemons":[{"state":"live","members":1}]}'],
  ] as const)
    test(`a pod with an empty volume has no ports of clients before a member has answered: ${program}`, async () => {
      using scratch = new ScratchFolder();
      const at = (name: string) => join(scratch.path, name);
      const answers = (name: string, text: string) => writeFileSync(at(name), `${text}\n`);
      mkdirSync(at("bin"));
      symlinkSync("version", at("..data"));
      const stubs = {
        dbsync: `cat "${scratch.path}/$1"`,
        dbsyncd: `trap 'exit 0' TERM; echo "$* resp=\${DBSYNCD_RESP-}"; while :; do /bin/sleep 0.05; done`,
        sleep: "/bin/sleep 0.05",
      };
      for (const [name, text] of Object.entries(stubs))
        writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      answers("members", "There is no list.");
      answers("status", '{"daemons":[{"state":"catching-up","members":1}]}');
      answers("start.sh", manifestFile("base/start.sh").replace("/var/lib/dbsyncd", scratch.path));

      let output = "";
      const env = {
        PATH: `${at("bin")}:/usr/bin:/bin`,
        POD_NAME: "pod",
        NODE_OPTIONS: "",
        DBSYNCD_RESP: "6379",
      };
      const shell = spawn("sh", ["start.sh"], { cwd: scratch.path, env, detached: true });
      for (const stream of [shell.stdout, shell.stderr]) stream.on("data", (text) => (output += text));
      const logs = (text: RegExp) =>
        until(
          () => `${text}: ${output}`,
          () => text.test(output),
        );
      try {
        await logs(/(?:Waiting for one.*){2}/s);
        answers("status", '{"daemons":[{"state":"live","members":0}]}');
        await logs(/(?:Waiting for a member's answer.*){2}/s);
        assert.match(output, /^--config dbsyncd\.toml --data \S+\/joining --port 1112 .* resp=$/m);
        assert.ok(!existsSync(at("data")));
        answers(program, answer);
        await logs(/^--config dbsyncd\.toml resp=6379$/m);
        assert.ok(existsSync(at("data")));
      } finally {
        process.kill(-(shell.pid as number), "SIGKILL");
      }
    });

  test("the overlay has as many pods as the configuration of daemons and clients names", () => {
    const [{ count = 0 } = {}] = parse(manifestFile("overlays/production/kustomization.yaml")).replicas;
    const names = Array.from({ length: count }, (_, index) => `dbsyncs://dbsync-${index}.dbsync:1111`);
    const { peer } = parseToml(manifestFile("overlays/production/dbsyncd.toml"));
    assert.deepEqual(peer, names);
    const { servers = "" } = parseIni(manifestFile("overlays/production/dbsync.ini"), "dbsync.ini");
    assert.deepEqual(servers.split(/, */), names);
  });

  test("docs/kubernetes.md has at most 200 lines", () => {
    const page = readFileSync(join(repositoryRoot, "docs/kubernetes.md"), "utf8");
    assert.ok(page.trimEnd().split("\n").length <= 200);
  });
});

describe("the pods", { timeout: 3_600_000 }, () => {
  const skip = skipUnlessFull || skipWithoutMachines() || skipWithout("curl");

  test("nothing is refused or lost, and the list is right, when pods return, lose disks, are added, removed and updated", {
    skip,
  }, async (context) => {
    await using cluster = await Cluster.make();
    const { pods } = cluster;
    const trio = ["dbsync-0", "dbsync-1", "dbsync-2"];
    const added = ["dbsync-3", "dbsync-4"];
    const step = async (text: string): Promise<void> => {
      context.diagnostic(text);
      await cluster.writes();
    };

    cluster.configure(3);
    await cluster.start(...trio);
    for (const name of trio)
      await until("a new pod waits for a person", () => pods.logs.get(name)?.includes("Waiting") === true);
    for (const name of trio) assert.ok(!(await pods.isAlive(name)));
    await cluster.orders("dbsync-0", /kubectl exec dbsync-0 -- (mkdir .*)/);
    await cluster.isReady(...trio);
    await cluster.exec("dbsync-0", "dbsync members found --data /var/lib/dbsyncd/data");
    cluster.startClient(3);

    await step("a pod returns with another address and the same disk");
    const ids = await cluster.members("dbsync-0");
    await cluster.restart("dbsync-1");
    await cluster.isReady("dbsync-1");
    assert.deepEqual(await cluster.members("dbsync-0"), ids);

    await step("a pod returns with an empty disk, first where no daemon reaches it");
    assert.ok(await pods.delete("dbsync-2"));
    pods.removeVolume("data-dbsync-2");
    const logs = cluster.logsFromNow("dbsync-2");
    await pods.start("dbsync-2", { isCut: true });
    pods.publish();
    await until("it waits for a daemon", () => logs(/Waiting for one/));
    await cluster.writes();
    await pods.connect("dbsync-2");
    await until("it finds a daemon", () => logs(/A daemon of the cluster serves/));
    await pods.cut("dbsync-2");
    await until("its daemon reaches no member, or was refused before", () =>
      logs(/no member could be reached|not-listed/),
    );
    const status = await pods.exec("dbsync-2", `dbsync status --json -s ${SERVER}2.dbsync:1111`);
    assert.doesNotMatch(status.stdout, /"state": *"(?:live|isolated)"/);
    await pods.connect("dbsync-2");
    await until("its daemon answers", () => pods.isAlive("dbsync-2"));
    await until("it is refused", () => logs(/not-listed/));
    assert.ok(await pods.isAlive("dbsync-2"));
    assert.ok(!(await pods.isReady("dbsync-2")));
    await cluster.replace("dbsync-2", "dbsync-0");

    await step("from 3 to 5");
    await cluster.start(...added);
    cluster.configure(5);
    await until("the list has five members", async () => (await cluster.members("dbsync-4")).length === 5);
    await cluster.isReady(...added);

    await step("a rolling update");
    for (const name of [...trio, ...added].reverse()) {
      await cluster.restart(name);
      await cluster.isReady(name);
    }

    await step("from 5 to 3");
    for (const name of added.toReversed()) {
      const [own = ""] = await cluster.members(name, name);
      await cluster.exec(name, `dbsync members remove ${own} --data /var/lib/dbsyncd/data`);
    }
    cluster.configure(3);
    for (const name of added) {
      assert.ok(await pods.delete(name));
      pods.removeVolume(`data-${name}`);
    }
    pods.publish();
    assert.equal((await cluster.members("dbsync-0")).length, 3);

    await step("a node is lost, and the disk follows the pod");
    await pods.cut("dbsync-1");
    await cluster.writes();
    await pods.kill("dbsync-1");
    await cluster.start("dbsync-1");
    await cluster.isReady("dbsync-1");

    await step("a node is lost with its disk");
    await pods.cut("dbsync-0");
    await cluster.writes();
    await pods.kill("dbsync-0");
    pods.removeVolume("data-dbsync-0");
    await cluster.start("dbsync-0");
    await until("its daemon answers", () => pods.isAlive("dbsync-0"));
    await cluster.replace("dbsync-0", "dbsync-1");

    await step("what the daemons have");
    const { count, failures } = await cluster.endClient();
    context.diagnostic(`${count} rounds of writes`);
    assert.deepEqual(failures, []);
    const lists = await Promise.all(trio.map((name) => cluster.members(name)));
    for (const list of lists) assert.deepEqual([list.length, list.toSorted()], [3, lists[0]?.toSorted()]);
    for (const name of trio) await cluster.hasWrites(name, count);
    await cluster.exec("dbsync-0", "dbsync status --wait 120");

    const job = readManifests(manifestFile("components/backup/backup.yaml")).find(
      ({ kind }) => kind === "CronJob",
    );
    assert.ok(job !== undefined);
    const claims = { data: "data-dbsync-0", backups: "dbsync-backups" };
    const { code, output } = await pods.runJob("dbsync-backup", jobSpecOf(job), claims);
    assert.equal(code, 0, output);
  });
});
