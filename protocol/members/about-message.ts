import type { ClientTotals } from "../figures/figure.js";
import type { MemberProblem } from "../figures/timeline-figures.js";
import type { RespReader } from "../resp/resp-reader.js";
import { readFlag, readNumber, readShort } from "./member-elements.js";
import { PORT_MAX } from "./service-address.js";

/**
 * The message in which a member describes itself, except for its timeline. The contents are unverified claims, limited
 * in length, and printable ASCII.
 * Source: docs/member-protocol.md.
 */
export interface MemberAbout extends ClientTotals {
  /** The program's version. */
  readonly software: string;
  /** The dashboard's port (--admin), and whether it listens on loopback; 0: there is none. */
  readonly pagePort: number;
  readonly isPageLocal: boolean;
  /** The bytes of the data folder's file system; size 0: there is no folder, or the size is unknown. */
  readonly diskFree: number;
  readonly diskSize: number;
  /** The problems that the member reports about itself. */
  readonly problems: readonly MemberProblem[];
}

export interface AboutMessage extends MemberAbout {
  readonly kind: "about";
}

const SOFTWARE_CHARS_MAX = 32;
const PROBLEMS_MAX = 8;
/** The maximum for the complete line, so a long sentence is cut. */
const PROBLEM_CHARS_MAX = 600;
const PROBLEMS_CHARS_MAX = PROBLEMS_MAX * (PROBLEM_CHARS_MAX + 1);

/** A line of a problem: its code, its member and its sentence. */
const PROBLEM = /^(\S+) (\S*) (.*)$/;
/** Matches everything except printable ASCII. */
const OTHER = /[^\x20-\x7e]/g;

/** Returns the elements after the message's name. */
export function aboutElements(about: MemberAbout): string[] {
  const { software, pagePort, isPageLocal, diskFree, diskSize, problems } = about;
  const { clientAnswers, clientRefusals, clientConnections } = about;
  const lines = problems.slice(0, PROBLEMS_MAX).map(problemLine);
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

/** Returns the line of a problem, in which only the sentence contains spaces. */
function problemLine({ code, member, text }: MemberProblem): string {
  return shown(`${code} ${member.replace(/\s/g, "?")} ${text}`, PROBLEM_CHARS_MAX);
}

/** Reads the elements after the name. @throws MalformedFrame */
export function readAbout(reader: RespReader): MemberAbout {
  const software = shown(readShort(reader, SOFTWARE_CHARS_MAX), SOFTWARE_CHARS_MAX);
  const pagePort = readNumber(reader);
  if (pagePort > PORT_MAX) throw reader.malformed("expected a port");
  const isPageLocal = readFlag(reader);
  const diskFree = readNumber(reader);
  const diskSize = readNumber(reader);
  const totals = {
    clientAnswers: readNumber(reader),
    clientRefusals: readNumber(reader),
    clientConnections: readNumber(reader),
  };

  const text = readShort(reader, PROBLEMS_CHARS_MAX);
  const lines = text === "" ? [] : text.split("\n", PROBLEMS_MAX);
  const problems = lines.map((line) => {
    const [, code, member, sentence] = PROBLEM.exec(shown(line, PROBLEM_CHARS_MAX)) ?? [];
    if (code === undefined || member === undefined || sentence === undefined)
      throw reader.malformed("expected a problem");
    return { code, member, text: sentence };
  });
  return { software, pagePort, isPageLocal, diskFree, diskSize, ...totals, problems };
}

const shown = (text: string, max: number): string => text.slice(0, max).replace(OTHER, "?");
