/** Reads the manifests in deploy/kubernetes. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { repositoryRoot } from "../support/repository.js";

export const MANIFESTS = join(repositoryRoot, "deploy/kubernetes");

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

interface Container {
  readonly image: string;
  readonly command: readonly string[];
  readonly workingDir?: string;
  readonly env?: readonly Variable[];
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
}

interface Service extends Container {
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}

/** What runs in a pod until it ends. */
export interface JobSpec<Contents = Container> {
  readonly container: Contents;
  readonly securityContext: {
    readonly runAsUser: number;
    readonly runAsGroup: number;
    readonly fsGroup: number;
  };
}

/** What runs in a pod until it is deleted. */
export interface PodSpec extends JobSpec<Service> {
  readonly terminationGracePeriodSeconds: number;
}

export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: unknown;
}

/** Parses a file with one object or several. */
export function readManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { strict: true }).map((document) => {
    if (document.errors.length > 0) throw document.errors[0] as Error;
    return document.toJS() as Manifest;
  });
}

/** Returns the text of a file below deploy/kubernetes. */
export const manifestFile = (path: string): string => readFileSync(join(MANIFESTS, path), "utf8");

/** Returns the paths of all files of a kind below deploy/kubernetes. */
export const manifestPaths = (end: string): readonly string[] =>
  readdirSync(MANIFESTS, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(end));

interface Template {
  readonly spec: Omit<PodSpec, "container"> & { readonly containers: readonly [Service] };
}

interface StatefulSet {
  readonly spec: { readonly template: Template };
}

interface CronJob {
  readonly spec: { readonly jobTemplate: { readonly spec: { readonly template: Template } } };
}

/** Returns what runs in each pod of a StatefulSet. */
export const podSpecOf = (set: Manifest): PodSpec => specIn((set as unknown as StatefulSet).spec.template);

/** Returns what runs in each pod of a CronJob. */
export const jobSpecOf = (job: Manifest): JobSpec =>
  specIn((job as unknown as CronJob).spec.jobTemplate.spec.template);

function specIn({ spec: { containers, ...spec } }: Template): PodSpec {
  return { ...spec, container: containers[0] };
}
