/**
 * Pods in Linux namespaces, as Kubernetes runs them: each one has an address of its own, a root file system that it
 * cannot change, volumes, and a user without rights. deploy/kubernetes/base/statefulset.yaml says what runs in them.
 * Their programs are those of this machine. Only root can make them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kill, killedAtExit } from "../support/child-process.js";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { type Ended, run } from "../support/run-program.js";
import { until } from "../support/until.js";
import type { JobSpec, PodSpec, Probe } from "./manifests.js";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PACKAGE = "/usr/lib/dbsync/dbsyncd";
/** The address of the nodes, from which probes and clients come. */
const NODE = "10.1.0.1";
const NAMESPACE = "dbsync";
const SECOND_MS = 1000;

/** Prepares the network, and the names that all pods see. Ends with its standard input. */
const PREPARE = `
set -eu
mount --make-rprivate /
touch "$FOLDER/hosts"
mount --bind "$FOLDER/hosts" /etc/hosts
ip link set lo up
ip link add lan type bridge
ip addr add ${NODE}/16 dev lan
ip link set lan up
echo ready
cat`;

/** Makes the file system of one pod, and starts its container. */
const BOOT = `
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$POD"
cd "$POD"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=upper,workdir=work" root
cd root
mkdir -p .${PACKAGE}/dist etc/dbsync var/lib/dbsyncd var/backups/dbsync before
mount --bind "$REPOSITORY" .${PACKAGE}
mount --bind "$BUILD" .${PACKAGE}/dist
touch usr/bin/node
mount --bind "$NODE_PROGRAM" usr/bin/node
for name in dbsync dbsyncd; do ln -sf ${PACKAGE}/dist/bundles/$name.js usr/local/bin/$name; done
touch etc/hosts
mount --bind "$FOLDER/hosts" etc/hosts
for volume in $VOLUMES; do
  from=\${volume%%=*}; to=\${volume#*=}; mode=\${to#*:}
  mount --bind "$from" ".\${to%:*}"
  [ "$mode" = rw ] || mount -o remount,ro,bind ".\${to%:*}"
done
mount -t proc proc proc
mount --rbind /dev dev
mount -o remount,ro .
pivot_root . before
umount -l /before
hostname "$NAME"
ip link set lo up
if [ -n "$ADDRESS" ]; then
  until ip link show eth0 > /dev/null 2>&1; do sleep 0.05; done
  ip addr add "$ADDRESS/16" dev eth0
  ip link set eth0 up
fi
cd "$WORKING_FOLDER"
# If the process that has started the pod is killed, the pod is, too: a change of the user would clear that.
exec setpriv --pdeathsig=KILL --reuid="$USER_ID" --regid="$GROUP_ID" --groups="$GROUPS_OF_USER" --no-new-privs --bounding-set=-all --inh-caps=-all \\
  env -i PATH=${PATH} HOME=/nonexistent "$@"`;

interface RunningPod {
  readonly address: string;
  readonly wrapper: ChildProcess;
  /** The first process of the pod. */
  readonly init: number;
  /** The end of its cable in the network of the nodes. */
  readonly cable: string;
}

export class Pods implements AsyncDisposable {
  /** What the containers have written, by the names of the pods. */
  readonly logs = new Map<string, string>();
  readonly #folder = mkdtempSync(join(tmpdir(), "dbsync-pods-"));
  readonly #spec: PodSpec;
  readonly #holder: ChildProcess;
  readonly #running = new Map<string, RunningPod>();
  #addresses = 1;
  #configurations = 0;

  private constructor(spec: PodSpec) {
    this.#spec = spec;
    chmodSync(this.#folder, 0o755);
    for (const name of ["volumes", "configuration", "roots"]) mkdirSync(join(this.#folder, name));
    this.#holder = killedAtExit(
      spawn("unshare", ["--mount", "--net", "sh", "-c", PREPARE], {
        env: { PATH, FOLDER: this.#folder },
        stdio: ["pipe", "pipe", "inherit"],
      }),
    );
  }

  static async prepare(spec: PodSpec): Promise<Pods> {
    const pods = new Pods(spec);
    await once(pods.#holder.stdout as NodeJS.ReadableStream, "data");
    return pods;
  }

  get names(): readonly string[] {
    return [...this.#running.keys()];
  }

  /**
   * Writes the files of the config map and of the secret, as the kubelet does: it replaces a link, so that a program
   * never sees only some of the new files.
   */
  configure(files: Readonly<Record<string, string>>): void {
    const folder = join(this.#folder, "configuration");
    const version = `..${++this.#configurations}`;
    mkdirSync(join(folder, version));
    for (const [name, text] of Object.entries(files)) {
      const file = join(folder, version, name);
      writeFileSync(file, text);
      this.#own(file, 0o440);
      if (!existsSync(join(folder, name))) symlinkSync(join("..data", name), join(folder, name));
    }
    this.#own(join(folder, version), 0o750);
    symlinkSync(version, join(folder, "..new"));
    renameSync(join(folder, "..new"), join(folder, "..data"));
  }

  /**
   * Starts a pod of the StatefulSet, with an address that no pod had before.
   * @param isCut  whether nothing reaches it
   */
  async start(name: string, { isCut = false } = {}): Promise<void> {
    const address = `10.1.0.${++this.#addresses}`;
    const cable = `lan-${this.#addresses}`;
    const wrapper = this.#spawn(name, address, this.#spec, { data: `data-${name}` });
    const children = `/proc/${wrapper.pid}/task/${wrapper.pid}/children`;
    let init = 0;
    await until(`${name} has a first process`, () => {
      init = Number(readFileSync(children, "utf8").trim());
      return init > 0;
    });
    this.#running.set(name, { address, wrapper, init, cable });
    await this.#succeeds(`ip link add ${cable} type veth peer name eth0 netns ${init}`.split(" "));
    await this.#succeeds(`ip link set ${cable} master lan`.split(" "));
    if (!isCut) await this.connect(name);
  }

  /**
   * Runs a pod of a job, which needs no network.
   * @param claims  the claims of its volumes, by their names
   * @returns what it has written, and its exit code
   */
  async runJob(
    name: string,
    spec: JobSpec,
    claims: Readonly<Record<string, string>>,
  ): Promise<{ code: number | null; output: string }> {
    const child = this.#spawn(name, "", spec, claims);
    const [code] = (await once(child, "close")) as [number | null];
    return { code, output: this.logs.get(name) ?? "" };
  }

  #spawn(
    name: string,
    address: string,
    spec: JobSpec,
    claims: Readonly<Record<string, string>>,
  ): ChildProcess {
    const { container, securityContext } = spec;
    const root = join(this.#folder, "roots", name);
    mkdirSync(root, { recursive: true });

    const isolated = ["--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child"];
    const volumes = container.volumeMounts.map(({ name: volume, mountPath, readOnly }) => {
      const claim = claims[volume];
      const folder = claim === undefined ? join(this.#folder, volume) : this.#volume(claim);
      return `${folder}=${mountPath}:${readOnly === true ? "ro" : "rw"}`;
    });

    const child = killedAtExit(
      spawn(
        "setpriv",
        [
          "--pdeathsig=KILL",
          ...["nsenter", `--target=${this.#holder.pid}`, "--mount", "unshare", ...isolated],
          ...["sh", "-c", BOOT, "boot", ...variablesOf(name, spec), ...container.command],
        ],
        {
          env: {
            ...{ PATH, FOLDER: this.#folder, POD: root, NAME: name, ADDRESS: address },
            ...{ REPOSITORY: repositoryRoot, BUILD: buildRoot, NODE_PROGRAM: process.execPath },
            ...{ VOLUMES: volumes.join(" "), WORKING_FOLDER: container.workingDir ?? "/" },
            USER_ID: String(securityContext.runAsUser),
            GROUP_ID: String(securityContext.runAsGroup),
            GROUPS_OF_USER: String(securityContext.fsGroup),
          },
          stdio: ["ignore", "pipe", "pipe"],
        },
      ),
    );

    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (text: Buffer) => this.logs.set(name, (this.logs.get(name) ?? "") + text));
    return child;
  }

  /** Returns the folder of a volume. If it does not exist, it is made for the pod's group, as Kubernetes does. */
  #volume(name: string): string {
    const folder = join(this.#folder, "volumes", name);
    if (!existsSync(folder)) {
      mkdirSync(folder);
      this.#own(folder, 0o2775);
    }
    return folder;
  }

  removeVolume(name: string): void {
    rmSync(join(this.#folder, "volumes", name), { recursive: true });
  }

  #own(path: string, mode: number): void {
    chownSync(path, 0, this.#spec.securityContext.fsGroup);
    chmodSync(path, mode);
  }

  /** Makes the names of all pods that run lead to their addresses. */
  publish(): void {
    const lines = [...this.#running].map(
      ([name, { address }]) => `${address} ${name}.dbsync ${name}.dbsync.${NAMESPACE}.svc`,
    );
    writeFileSync(join(this.#folder, "hosts"), ["127.0.0.1 localhost", ...lines, ""].join("\n"));
  }

  /** Runs a command in the container of a pod, as `kubectl exec` does. */
  async exec(name: string, script: string): Promise<Ended> {
    const { init } = this.#running.get(name) as RunningPod;
    const { container, securityContext } = this.#spec;
    const spaces = ["--mount", "--net", "--uts", "--ipc", "--pid", "--root", "--wdns=/"];
    return await run("nsenter", [
      ...[`--target=${init}`, ...spaces, "setpriv", `--reuid=${securityContext.runAsUser}`],
      ...[`--regid=${securityContext.runAsGroup}`, `--groups=${securityContext.fsGroup}`],
      ...[
        "--no-new-privs",
        "--bounding-set=-all",
        "--inh-caps=-all",
        "env",
        "-i",
        `PATH=${PATH}`,
        ...variablesOf(name, this.#spec),
      ],
      ...["sh", "-c", `cd ${container.workingDir ?? "/"}\n${script}`],
    ]);
  }

  /** Starts a program on a node, where the names of the pods lead to them. */
  spawnOnNode(args: readonly string[]): ChildProcess {
    return killedAtExit(
      spawn("setpriv", ["--pdeathsig=KILL", "nsenter", ...this.#node, ...args], {
        stdio: ["pipe", "pipe", "inherit"],
        env: { PATH },
      }),
    );
  }

  /** Runs a program on a node until it ends. */
  async runOnNode(args: readonly string[]): Promise<Ended> {
    return await run("nsenter", [...this.#node, ...args]);
  }

  get #node(): readonly string[] {
    return [`--target=${this.#holder.pid}`, "--mount", "--net", "--wd=/"];
  }

  /** Requests the path of a probe from a pod. @returns whether it succeeds */
  async answers(name: string, { httpGet: { path, port } }: Probe): Promise<boolean> {
    const { containerPort = 0 } = this.#spec.container.ports.find((one) => one.name === port) ?? {};
    const url = `http://${(this.#running.get(name) as RunningPod).address}:${containerPort}${path}`;
    const options = ["--silent", "--fail", "--output", "/dev/null", "--max-time", "5"];
    return (await this.runOnNode(["curl", ...options, url])).code === 0;
  }

  async isReady(name: string): Promise<boolean> {
    return await this.answers(name, this.#spec.container.readinessProbe);
  }

  async isAlive(name: string): Promise<boolean> {
    return await this.answers(name, this.#spec.container.livenessProbe);
  }

  /**
   * Deletes a pod, as Kubernetes does: the command before the stop, SIGTERM, and SIGKILL after the grace period.
   * @returns whether it stopped by itself
   */
  async delete(name: string): Promise<boolean> {
    const { wrapper, init } = this.#running.get(name) as RunningPod;
    await this.exec(name, this.#spec.container.lifecycle.preStop.exec.command.join(" "));
    const ended = once(wrapper, "exit");
    process.kill(init, "SIGTERM");
    const grace = new Promise<"late">((resolve) => {
      setTimeout(() => resolve("late"), this.#spec.terminationGracePeriodSeconds * SECOND_MS).unref();
    });
    const isLate = (await Promise.race([ended, grace])) === "late";
    await this.kill(name);
    return !isLate;
  }

  async kill(name: string): Promise<void> {
    await kill((this.#running.get(name) as RunningPod).wrapper);
    this.#running.delete(name);
  }

  /** Cuts the cable of a pod's node: nothing answers at its address any more. */
  async cut(name: string): Promise<void> {
    await this.#succeeds(["ip", "link", "set", (this.#running.get(name) as RunningPod).cable, "down"]);
  }

  async connect(name: string): Promise<void> {
    await this.#succeeds(["ip", "link", "set", (this.#running.get(name) as RunningPod).cable, "up"]);
  }

  async #succeeds(args: readonly string[]): Promise<void> {
    const { code, stderr } = await this.runOnNode(args);
    if (code !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.names) await this.kill(name);
    await kill(this.#holder);
    rmSync(this.#folder, { recursive: true });
  }
}

/** Returns the variables of a pod's container, as `env` accepts them. */
function variablesOf(pod: string, { container }: JobSpec): readonly string[] {
  const fields: Readonly<Record<string, string>> = { "metadata.name": pod, "metadata.namespace": NAMESPACE };
  const found = new Map<string, string>();
  for (const { name, value, valueFrom } of container.env ?? []) {
    const text = value ?? fields[valueFrom?.fieldRef.fieldPath ?? ""] ?? "";
    // As in Kubernetes, only earlier variables are known.
    found.set(
      name,
      text.replace(/\$\((\w+)\)/g, (all, other: string) => found.get(other) ?? all),
    );
  }
  return [...found].map((pair) => pair.join("="));
}
