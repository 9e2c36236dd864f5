/** Joins what a page needs of the client into one module, which it loads as it is: `browser/dbsync.js` of the build. */
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { buildRoot } from "./repository.js";

export const browserModule = join(buildRoot, "browser", "dbsync.js");

const own = join(buildRoot, "client", "browser");

export async function makeBrowserModule(): Promise<void> {
  await build({
    entryPoints: [join(own, "entry.js")],
    outfile: browserModule,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    // What a browser has not: Buffer, of which a stand-in has what is needed.
    inject: [join(own, "byte-buffer.js")],
    plugins: [standIns],
    logLevel: "warning",
  });
}

/** What stands for files whose texts a page can do without, for those who watch a process, and for those who have no key. */
const STAND_INS: readonly (readonly [files: RegExp, standIn: string])[] = [
  [/\/(sentences|described-outcomes|allowed|may-wait|told-command)\.js$/, "no-sentences.js"],
  [/\/calls\/channels\.js$/, "no-channels.js"],
  [/\/signing-terms\.js$/, "no-keyless.js"],
];

const standIns: Plugin = {
  name: "stand-ins",
  setup(bundler) {
    for (const [filter, standIn] of STAND_INS)
      bundler.onResolve({ filter }, () => ({ path: join(own, standIn) }));
  },
};
