/**
 * The container image and the composition, without a container engine: the steps of the Dockerfile's last stage run in
 * an overlay above the file system of this machine, which stands in for the base image. Then each service of
 * compose.yaml runs with the image's command, its own variables, volumes, user and address, in its own network
 * namespace, with a read-only file system.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { ScratchFolder } from "../support/scratch-folder.js";
import { succeedWithNetwork } from "./commands.js";
import type { ReleasePackage, Sources } from "./release-package.js";
import { DOCKERFILE, type Step, stagesOf } from "./sources.js";

const COMPOSE = "examples/production/compose.yaml";
/** The user of the base image, which this machine may not have, and the folder of its home. */
const BASE_USER = [
  "sed -i '1i node:x:1000:1000::/home/node:/bin/sh' /etc/passwd",
  "sed -i '1i node:x:1000:' /etc/group",
  "mkdir -p /home/node && chown node:node /home/node",
];
const BRIDGE = "br0";
/** Metadata of an image, which change no file. */
const METADATA = new Set(["USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD", "LABEL"]);

interface BoundFile {
  readonly source: string;
  readonly target: string;
}

interface Service {
  readonly volumes: readonly (string | BoundFile)[];
  readonly environment: Readonly<Record<string, string>>;
  readonly healthcheck: { readonly test: readonly [kind: string, ...command: string[]] };
}

interface Composition {
  readonly services: Readonly<Record<string, Service>>;
}

/** Returns why this machine cannot run the image, or false. */
export function skipWithoutOverlays(): string | false {
  using folder = new ScratchFolder();
  const { status } = spawnSync("unshare", [
    "--mount",
    "--net",
    "sh",
    "-ec",
    `${overlay(folder.path)}; ip link`,
  ]);
  return status === 0 ? false : "the image needs root, overlayfs and namespaces";
}

/** Returns the shell line that mounts the image of a folder at its folder `root`. */
function overlay(folder: string): string {
  for (const name of ["layer", "work", "root"]) mkdirSync(join(folder, name), { recursive: true });
  const options = `lowerdir=/,upperdir=${folder}/layer,workdir=${folder}/work`;
  const root = `${folder}/root`;
  return `mount -t overlay overlay -o ${options} ${root} && mount -t proc proc ${root}/proc && mount --bind /dev ${root}/dev`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Executes the steps of the last stage, and leaves their files in the folder's `layer`. */
async function buildImage(folder: string, { folder: source, packed }: Sources): Promise<void> {
  const root = join(folder, "root");
  const lines = ["set -e", overlay(folder)];
  for (const line of BASE_USER) lines.push(inside(root, line));
  for (const { keyword, content } of lastStage(source)) {
    if (METADATA.has(keyword)) continue;
    if (keyword === "RUN") lines.push(inside(root, content));
    else if (content === "/build/dbsyncd.tgz /tmp/")
      lines.push(`cp ${quoted(packed)} ${root}/tmp/dbsyncd.tgz`);
    else throw new Error(`${DOCKERFILE}: this program does not execute ${keyword} ${content}`);
  }
  await succeedWithNetwork("unshare", ["--mount", "sh", "-c", lines.join("\n")], {
    cwd: folder,
    env: { npm_config_prefer_offline: "true", npm_config_audit: "false", npm_config_fund: "false" },
  });
}

const inside = (root: string, line: string): string => `chroot ${root} sh -ec ${quoted(line)}`;

function lastStage(source: string): readonly Step[] {
  return stagesOf(readFileSync(join(source, DOCKERFILE), "utf8")).at(-1) ?? [];
}

/** Returns the words of an instruction in JSON form. */
function wordsOf(source: string, keyword: string): readonly string[] {
  const step = lastStage(source).find((each) => each.keyword === keyword);
  return JSON.parse(step?.content ?? "[]") as string[];
}

/** Runs the composition. @returns what the client prints */
async function runComposition(folder: string, source: string): Promise<string> {
  const { services } = parse(readFileSync(join(source, COMPOSE), "utf8"), { merge: true }) as Composition;
  const names = Object.keys(services);
  const addressOf = (name: string) => `10.99.0.${names.indexOf(name) + 1}`;

  const root = join(folder, "root");
  const at = join(folder, "files");
  mkdirSync(at, { recursive: true });

  const command = [...wordsOf(source, "ENTRYPOINT"), ...wordsOf(source, "CMD")].map(quoted).join(" ");
  const [user = ""] = lastStage(source).flatMap(({ keyword, content }) =>
    keyword === "USER" ? [content] : [],
  );

  const lines = [
    "set -e",
    overlay(folder),
    // The shell is the first process of its namespace, so all daemons end with it.
    "mount -t tmpfs tmpfs /run && mkdir /run/netns",
    ...names.map((name) => `echo ${addressOf(name)} ${name} >> ${root}/etc/hosts`),
    `chroot ${root} dbsync-keygen --out /srv > /dev/null`,
    `cp ${root}/srv/public.pem ${at}/public.pem`,
    `chroot ${root} dbsync-keygen --cluster-secret /srv/cluster.secret > /dev/null`,
    `cp ${root}/srv/cluster.secret ${at}/cluster.secret && chown 1000 ${at}/cluster.secret`,
    `ip link add ${BRIDGE} type bridge && ip address add 10.99.0.100/24 dev ${BRIDGE} && ip link set ${BRIDGE} up`,
  ];

  for (const [name, service] of Object.entries(services))
    lines.push(...startService(name, addressOf(name), service, { root, at, command, user }));

  const [first] = Object.values(services);
  const [, ...check] = first?.healthcheck.test ?? ["CMD"];
  for (const name of names)
    lines.push(
      `until ip netns exec ${name} ${check.map(quoted).join(" ")}; do kill -0 %% || { cat ${at}/*.log >&2; exit 1; }; sleep 0.2; done`,
    );

  const servers = names.map((name) => `${addressOf(name)}:1111`).join(",");
  const send = `chroot ${root} dbsync send -s ${servers} -k /srv/private.pem`;
  lines.push(`${send} INCR visits`, `${send} --all PING >&2`);

  const script = join(folder, "run.sh");
  writeFileSync(script, `${lines.join("\n")}\n`);
  const args = ["--mount", "--net", "--pid", "--fork", "--kill-child", "bash", script];
  return (await succeedWithNetwork("timeout", ["300", "unshare", ...args], { cwd: folder })).trim();
}

interface Image {
  readonly root: string;
  /** The folder of the bound files and the volumes. */
  readonly at: string;
  readonly command: string;
  readonly user: string;
}

/** Returns the shell lines that start a service. */
function startService(name: string, address: string, service: Service, image: Image): readonly string[] {
  const { root, at, command, user } = image;
  const mounts = service.volumes.flatMap((volume) => {
    const [source = "", target = ""] =
      typeof volume === "string" ? volume.split(":") : [volume.source, volume.target];
    const from = join(at, source);
    const to = `${root}${target}`;
    if (typeof volume !== "string")
      return [`mkdir -p ${dirname(to)}`, `touch ${to}`, `mount --bind -o ro ${from} ${to}`];
    // A new volume takes over the owner and the mode of the image's folder.
    return [`cp -a ${to} ${from}`, `mount --bind ${from} ${to}`];
  });

  const variables = Object.entries(service.environment).map(([key, value]) => `${key}=${quoted(value)}`);
  const isolated = [
    ...mounts,
    `mount -o remount,bind,ro ${root}`,
    `exec chroot ${root} setpriv --reuid=${user} --regid=${user} --clear-groups --no-new-privs --bounding-set=-all env -i PATH=$PATH HOME=/home/node ${variables.join(" ")} ${command}`,
  ].join(" && ");

  return [
    `ip netns add ${name} && ip link add ${name} type veth peer name eth0 netns ${name}`,
    `ip link set ${name} master ${BRIDGE} up && ip -n ${name} link set lo up && ip -n ${name} link set eth0 up`,
    `ip -n ${name} address add ${address}/24 dev eth0`,
    `ip netns exec ${name} sh -ec ${quoted(isolated)} > ${at}/${name}.log 2>&1 &`,
  ];
}

export const containerImage: ReleasePackage = {
  name: "container, composition",
  needs: [],
  cannotTry: skipWithoutOverlays,
  make({ folder, output, version }) {
    const file = join(output, `compose-${version}.yaml`);
    cpSync(join(folder, COMPOSE), file);
    return Promise.resolve(file);
  },
  install: async (_, folder, sources) => {
    writeFileSync(join(folder, "source"), sources.folder);
    await buildImage(folder, sources);
  },
  contact: async (folder) => await runComposition(folder, readFileSync(join(folder, "source"), "utf8")),
  publish: (_, { version }) => [
    `docker build -f ${DOCKERFILE} -t REGISTRY/dbsyncd:${version} .`,
    `docker push REGISTRY/dbsyncd:${version}`,
  ],
};
