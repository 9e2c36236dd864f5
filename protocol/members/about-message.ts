/**
 * What a member reports of itself besides its timeline. It is the member's claim: bounded, printable ASCII, and shown as such.
 * Source: docs/protocol-v2.md "Members".
 */
import type { RespReader } from "../resp/resp-reader.js";
import { readFlag, readNumber, readShort } from "./member-elements.js";

export interface MemberAbout {
  /** The version of its program. */
  readonly software: string;
  /** The port of its dashboard (--admin), and whether only its own machine reaches it; 0: it has none. */
  readonly pagePort: number;
  readonly isPageLocal: boolean;
  /** Bytes of the file system of its data folder; size 0: it has none, or they are not known. */
  readonly diskFree: number;
  readonly diskSize: number;
  /** What it finds wrong with itself, a sentence each. */
  readonly problems: readonly string[];
}

export interface AboutMessage extends MemberAbout {
  readonly kind: "about";
}

/** The word of a hello by which a member says that it takes them. */
export const KNOWS_ABOUT = "about";

const SOFTWARE_CHARS_MAX = 32;
const PROBLEMS_MAX = 8;
const PROBLEM_CHARS_MAX = 300;
const PROBLEMS_CHARS_MAX = PROBLEMS_MAX * (PROBLEM_CHARS_MAX + 1);
const PORT_MAX = 65_535;
/** What is no printable ASCII. */
const OTHER = /[^\x20-\x7e]/g;

/** Returns the elements that follow the name. */
export function aboutElements(about: MemberAbout): string[] {
  const { software, pagePort, isPageLocal, diskFree, diskSize, problems } = about;
  const lines = problems.slice(0, PROBLEMS_MAX).map((line) => shown(line, PROBLEM_CHARS_MAX));
  const local = isPageLocal ? "1" : "0";
  return [
    shown(software, SOFTWARE_CHARS_MAX),
    String(pagePort),
    local,
    String(diskFree),
    String(diskSize),
    lines.join("\n"),
  ];
}

/** Behind the name. @throws MalformedFrame */
export function readAbout(reader: RespReader): AboutMessage {
  const software = shown(readShort(reader, SOFTWARE_CHARS_MAX), SOFTWARE_CHARS_MAX);
  const pagePort = readNumber(reader);
  if (pagePort > PORT_MAX) throw reader.malformed("expected a port");
  const isPageLocal = readFlag(reader);
  const [diskFree, diskSize] = [readNumber(reader), readNumber(reader)];
  const text = readShort(reader, PROBLEMS_CHARS_MAX);
  const lines = text === "" ? [] : text.split("\n", PROBLEMS_MAX);
  const problems = lines.map((line) => shown(line, PROBLEM_CHARS_MAX));
  return { kind: "about", software, pagePort, isPageLocal, diskFree, diskSize, problems };
}

const shown = (text: string, max: number): string => text.slice(0, max).replace(OTHER, "?");
