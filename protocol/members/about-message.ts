/**
 * The message in which a member describes itself, except for its timeline. The contents are unverified claims, limited
 * in length, and printable ASCII.
 * Source: docs/protocol-v2.md "Members".
 */
import type { ClientTotals } from "../figures/client-totals.js";
import type { RespReader } from "../resp/resp-reader.js";
import { readFlag, readNumber, readShort } from "./member-elements.js";

export interface MemberAbout extends ClientTotals {
  /** The program's version. */
  readonly software: string;
  /** The dashboard's port (--admin), and whether it listens on loopback; 0: there is none. */
  readonly pagePort: number;
  readonly isPageLocal: boolean;
  /** The bytes of the data folder's file system; size 0: there is no folder, or the size is unknown. */
  readonly diskFree: number;
  readonly diskSize: number;
  /** The problems that the member reports about itself, one sentence each. */
  readonly problems: readonly string[];
}

export interface AboutMessage extends MemberAbout {
  readonly kind: "about";
}

const SOFTWARE_CHARS_MAX = 32;
const PROBLEMS_MAX = 8;
const PROBLEM_CHARS_MAX = 300;
const PROBLEMS_CHARS_MAX = PROBLEMS_MAX * (PROBLEM_CHARS_MAX + 1);
const PORT_MAX = 65_535;
/** Matches everything except printable ASCII. */
const OTHER = /[^\x20-\x7e]/g;

/** Returns the elements after the message's name. */
export function aboutElements(about: MemberAbout): string[] {
  const { software, pagePort, isPageLocal, diskFree, diskSize, problems } = about;
  const { clientAnswers, clientRefusals, clientConnections } = about;
  const lines = problems.slice(0, PROBLEMS_MAX).map((line) => shown(line, PROBLEM_CHARS_MAX));
  const local = isPageLocal ? "1" : "0";
  return [
    shown(software, SOFTWARE_CHARS_MAX),
    String(pagePort),
    local,
    String(diskFree),
    String(diskSize),
    ...[clientAnswers, clientRefusals, clientConnections].map(String),
    lines.join("\n"),
  ];
}

/** Reads the elements after the name. @throws MalformedFrame */
export function readAbout(reader: RespReader): AboutMessage {
  const software = shown(readShort(reader, SOFTWARE_CHARS_MAX), SOFTWARE_CHARS_MAX);
  const pagePort = readNumber(reader);
  if (pagePort > PORT_MAX) throw reader.malformed("expected a port");
  const isPageLocal = readFlag(reader);
  const [diskFree, diskSize] = [readNumber(reader), readNumber(reader)];
  const totals = {
    clientAnswers: readNumber(reader),
    clientRefusals: readNumber(reader),
    clientConnections: readNumber(reader),
  };
  const text = readShort(reader, PROBLEMS_CHARS_MAX);
  const lines = text === "" ? [] : text.split("\n", PROBLEMS_MAX);
  const problems = lines.map((line) => shown(line, PROBLEM_CHARS_MAX));
  return { kind: "about", software, pagePort, isPageLocal, diskFree, diskSize, ...totals, problems };
}

const shown = (text: string, max: number): string => text.slice(0, max).replace(OTHER, "?");
