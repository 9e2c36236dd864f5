/** From an option's text to its value; what is wrong is told as commander wants to be told. */
import { InvalidArgumentError } from "commander";

const MAX_PORT = 65535;
const CLUSTER_NAME_CHARS = 128;

export function parseBind(text: string): string {
  const address = text.replace(/^\[(.*)\]$/, "$1");
  if (!/^[A-Za-z0-9._:%-]+$/.test(address)) {
    throw new InvalidArgumentError("Expected an address such as 127.0.0.1 or ::1, or a host name.");
  }
  return address;
}

export function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > MAX_PORT) {
    throw new InvalidArgumentError(`Expected a number from 0 to ${MAX_PORT}.`);
  }
  return Number(text);
}

export function parsePath(text: string): string {
  if (text === "") throw new InvalidArgumentError("Expected a path.");
  return text;
}

/** Of an option that may be given several times. */
export function addPath(path: string, before: readonly string[]): string[] {
  return [...before, parsePath(path)];
}

export function parseClusterName(text: string): string {
  if (text === "" || text.length > CLUSTER_NAME_CHARS) {
    throw new InvalidArgumentError(`Expected a name of 1 to ${CLUSTER_NAME_CHARS} characters.`);
  }
  return text;
}

/** Any parser that throws a sentence. */
export function explained<Value>(parse: () => Value): Value {
  try {
    return parse();
  } catch (problem) {
    throw new InvalidArgumentError(problem instanceof Error ? problem.message : String(problem));
  }
}
