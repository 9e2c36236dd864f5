/** Where a server is, as options and configuration files say it. */
import { readServerUrl } from "../../client/cli/shared/server-url.js";
import type { UpstreamPlace } from "./place.js";

/** @param text  `[sql://]host[:port]`, `sqls://host[:port]#sha256:…` @throws InvalidArgumentError */
export function readPlace(text: string, port: number): UpstreamPlace {
  const url = text.includes("://") ? text : `sql://${text}`;
  const { host, port: its, tls } = readServerUrl(url, { scheme: "sql", port });
  return { host, port: its, tls, text: text.replace(/^sql:\/\//, "") };
}
