/**
 * Machines in Linux namespaces: each one has its own files, processes, network and systemd. Their files are those of
 * this machine, as it was when the test started; what they write is in memory. Only root can make them.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kill, killedAtExit } from "../support/child-process.js";
import { isOnPath } from "../support/requirements.js";
import { type Ended, run } from "../support/run-program.js";
import { until } from "../support/until.js";

const SYSTEMD = "/lib/systemd/systemd";
const CGROUPS = "/sys/fs/cgroup";
/** The home folder of the user root. */
const HOME = "/root";
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Returns the value of a test's `skip`: false, or the reason why this machine cannot make machines. */
export function skipWithoutMachines(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "only root can make namespaces";
  for (const program of [SYSTEMD, "unshare", "nsenter", "setpriv", "ip", "pivot_root"])
    if (!isOnPath(program)) return `${program} is not installed`;
  const trial = ["--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "true"];
  return spawnSync("unshare", trial).status === 0 ? false : "the kernel permits no namespaces here";
}

export interface MachineOptions {
  /** The name by which the other machines find it. */
  readonly hostName: string;
  readonly address: string;
}

/** Prepares the files of all machines, and their network. Ends with its standard input. */
const PREPARE = `
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$FOLDER"
mkdir "$FOLDER/names"
ip link add lan type bridge
ip link set lan up
for name in $NAMES; do
  mkdir -p "$FOLDER/$name/upper" "$FOLDER/$name/work" "$FOLDER/$name/files"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$FOLDER/$name/upper,workdir=$FOLDER/$name/work" "$FOLDER/$name/files"
done
for name in $NAMES; do
  mkdir -p "$FOLDER/$name/files/machines/names"
  mount --bind "$FOLDER/names" "$FOLDER/$name/files/machines/names"
  for other in $NAMES; do
    mkdir "$FOLDER/$name/files/machines/$other"
    mount --bind "$FOLDER/$other/files" "$FOLDER/$name/files/machines/$other"
  done
done
echo ready
cat`;

/** Starts systemd with the files of one machine. */
const BOOT = `
set -eu
mount --make-rprivate /
cd "$FOLDER/$NAME/files"
mount -t proc proc proc
mount -t sysfs sysfs sys
for shared in $SHARED; do
  mkdir -p "./\${shared#*=}"
  mount --bind "\${shared%%=*}" "./\${shared#*=}"
done
touch usr/bin/node
mount --bind "$NODE" usr/bin/node
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=0700 tmpfs root
mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
if [ -e ${CGROUPS}/cgroup.controllers ]; then mount -t cgroup2 cgroup2 sys/fs/cgroup
else
  mount -t tmpfs tmpfs sys/fs/cgroup
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi
hostname "$HOST_NAME"
echo "$HOST_NAME" > etc/hostname
rm -rf etc/systemd/system/*.wants usr/lib/systemd/system/*.wants etc/dbsync etc/dbsync.ini var/lib/private/dbsyncd
printf '[Unit]\\nRequires=basic.target systemd-journald.service\\n' > etc/systemd/system/machine.target
mkdir before
pivot_root . before
umount -l /before
# systemd mounts credentials in another namespace, from which they must become visible here.
mount --make-rshared /
cd /
exec env -i container=lxc PATH=${PATH} ${SYSTEMD} --system --unit=machine.target --log-target=null`;

/** Copies files between machines, in place of scp. */
const SCP = `#!/bin/sh
paths=
for path; do
  case $path in
    root@*) host=\${path#root@}; host=\${host%%:*}
      paths="$paths /machines/$(cat /machines/names/$host)/\${path#*:}" ;;
    *) paths="$paths $path" ;;
  esac
done
exec cp $paths`;

export class Machines implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "dbsync-machines-"));
  readonly #options: Readonly<Record<string, MachineOptions>>;
  readonly #shared: Readonly<Record<string, string>>;
  readonly #holder;
  readonly #running = new Map<string, { readonly init: number; readonly stop: () => Promise<void> }>();

  private constructor(
    options: Readonly<Record<string, MachineOptions>>,
    shared: Readonly<Record<string, string>>,
  ) {
    this.#options = options;
    this.#shared = shared;
    this.#holder = killedAtExit(
      spawn("unshare", ["--mount", "--net", "sh", "-c", PREPARE], {
        env: { PATH, FOLDER: this.#folder, NAMES: Object.keys(options).join(" ") },
        stdio: ["pipe", "pipe", "inherit"],
      }),
    );
  }

  /**
   * Prepares machines, which do not run yet.
   * @param options  by the name of the machine
   * @param shared  folders of this machine that all machines see, with their paths there
   */
  static async prepare(
    options: Readonly<Record<string, MachineOptions>>,
    shared: Readonly<Record<string, string>>,
  ): Promise<Machines> {
    const machines = new Machines(options, shared);
    await once(machines.#holder.stdout, "data");
    return machines;
  }

  /** Starts a machine. If another one with its host name runs, that one is switched off. */
  async start(name: string): Promise<void> {
    const { hostName, address } = this.#options[name] as MachineOptions;
    for (const other of this.#running.keys())
      if (this.#options[other]?.hostName === hostName) await this.#stop(other);

    const groups = cgroupsOf(`dbsync-${process.pid}-${name}`);
    const joinGroups = groups.map((group) => `echo $$ > ${group}/cgroup.procs`);
    const isolated = ["--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child"];
    const script = [...joinGroups, `exec unshare ${isolated.join(" ")} sh -c "$BOOT"`].join("\n");
    const shared = Object.entries(this.#shared).map((pair) => pair.join("="));
    const child = killedAtExit(
      // If this process is killed, the machine is, too.
      spawn("setpriv", ["--pdeathsig=KILL", "nsenter", ...this.#ofHolder("--mount"), "sh", "-ec", script], {
        env: {
          ...{ PATH, BOOT, FOLDER: this.#folder, NAME: name, HOST_NAME: hostName },
          ...{ NODE: process.execPath, SHARED: shared.join(" ") },
        },
        stdio: ["ignore", "inherit", "inherit"],
      }),
    );
    const stop = async (): Promise<void> => {
      await kill(child);
      await until(`the processes of ${name} have ended`, () => groups.every(isRemoved));
    };
    let init = 0;
    await until(`${name} has a first process`, () => {
      init = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim());
      return init > 0 && readFileSync(`/proc/${init}/comm`, "utf8") === "systemd\n";
    });
    this.#running.set(name, { init, stop });

    const cable = `lan-${name}`.slice(0, 15);
    for (const words of [
      `ip link add ${cable} type veth peer name eth0 netns ${init}`,
      `ip link set ${cable} master lan up`,
    ])
      await succeeds("nsenter", [...this.#ofHolder("--net"), ...words.split(" ")]);
    const names = Object.values(this.#options).map((one) => `${one.address} ${one.hostName}`);
    const hosts = ["127.0.0.1 localhost", `127.0.1.1 ${hostName}`, ...new Set(names), ""].join("\n");
    const started = await this.run(
      name,
      [
        "until systemctl is-system-running 2> /dev/null | grep -qE 'running|degraded'; do sleep 0.1; done",
        `ip addr add ${address}/24 dev eth0`,
        "ip link set lo up",
        "ip link set eth0 up",
        `echo ${name} > /machines/names/${hostName}`,
        `cat > /etc/hosts <<'END'\n${hosts}END`,
        `cat > /usr/local/bin/scp <<'END'\n${SCP}\nEND`,
        // These would need the network, or set the clock of this machine.
        "for name in apt-get chronyc; do ln -sf /bin/true /usr/local/bin/$name; done",
        "chmod 0755 /usr/local/bin/scp",
      ].join("\n"),
    );
    if (started.code !== 0) throw new Error(`${name} has not started: ${started.stdout}${started.stderr}`);
  }

  /** Runs a script of bash as root. @param folder  where, within root's home folder */
  async run(name: string, script: string, folder = ""): Promise<Ended> {
    const { init } = this.#running.get(name) ?? { init: 0 };
    const spaces = ["--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd=/"];
    const shell = [
      "env",
      "-i",
      `PATH=${PATH}`,
      `HOME=${HOME}`,
      "bash",
      "--norc",
      "-eu",
      "-c",
      `cd "$HOME/${folder}"\n${script}`,
    ];
    return await run("nsenter", [`--target=${init}`, ...spaces, ...shell], { cwd: "/" });
  }

  async #stop(name: string): Promise<void> {
    await this.#running.get(name)?.stop();
    this.#running.delete(name);
  }

  #ofHolder(space: string): string[] {
    return [`--target=${this.#holder.pid}`, space];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#running.keys()]) await this.#stop(name);
    await kill(this.#holder);
    rmSync(this.#folder, { recursive: true });
  }
}

async function succeeds(program: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(program, args);
  if (code !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
}

/** Makes a control group of a name, in each hierarchy of version 1. @returns their folders */
function cgroupsOf(name: string): string[] {
  const isUnified = readdirSync(CGROUPS).includes("cgroup.controllers");
  const hierarchies = isUnified ? [CGROUPS] : readdirSync(CGROUPS).map((each) => join(CGROUPS, each));
  return hierarchies.flatMap((hierarchy) => {
    const group = join(hierarchy, name);
    try {
      mkdirSync(group);
      // Groups of processors accept no process before they have some.
      for (const file of hierarchy.endsWith("cpuset") ? ["cpuset.cpus", "cpuset.mems"] : [])
        writeFileSync(join(group, file), readFileSync(join(hierarchy, file)));
      return [group];
    } catch (problem) {
      if ((problem as NodeJS.ErrnoException).code === "EROFS") return [];
      throw problem;
    }
  });
}

/** Removes a control group with the groups in it. @returns whether it is gone; while it has processes, it is not */
function isRemoved(group: string): boolean {
  try {
    for (const { name } of readdirSync(group, { withFileTypes: true }).filter((each) => each.isDirectory()))
      isRemoved(join(group, name));
    rmdirSync(group);
    return true;
  } catch (problem) {
    return (problem as NodeJS.ErrnoException).code === "ENOENT";
  }
}
