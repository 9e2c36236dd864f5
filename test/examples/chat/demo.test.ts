/** Tests that `npm run chat` starts everything that it needs, serves its page, and leaves no process running. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { skipUnlessFull } from "../../support/amount.js";
import { buildRoot } from "../../support/repository.js";
import { FrameLine } from "./scene.js";

test("npm run chat starts three daemons and two servers, serves the page, and stops everything when it ends", {
  skip: skipUnlessFull,
}, async () => {
  // Another process uses the default port.
  const other = createServer().listen(8888, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve).once("error", resolve));

  const child = spawn(process.execPath, [join(buildRoot, "examples/chat/demo.js")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const pages: string[] = [];
  let terminal: string | null = null;

  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const [page] = /http:\S+/.exec(line) ?? [];
      if (page !== undefined) pages.push(page);
      terminal = /terminal\.js -p (\d+)/.exec(line)?.[1] ?? null;
      if (terminal !== null) break;
    }

    assert.equal(pages.length, 2);
    assert.equal(terminal, new URL(pages[0] as string).port, "the printed command connects to a server");
    child.stdout.resume();
    for (const page of pages) {
      const response = await fetch(page);
      assert.match(await response.text(), /<title>Chat<\/title>/);
      assert.match(
        response.headers.get("content-security-policy") ?? "",
        /^default-src 'none'; script-src 'self';/,
      );
      for (const file of ["page.js", "page.css", "timeline.js", "conversation.js", "page-frames.js"])
        assert.equal((await fetch(page + file)).status, 200, file);
      assert.equal((await fetch(`${page}package.json`)).status, 404);
      assert.equal((await fetch(page, { method: "POST" })).status, 405);
    }

    const [first, second] = pages.map((page) => new FrameLine(page.replace("http", "ws"))) as [
      FrameLine,
      FrameLine,
    ];
    using _ = first;
    using __ = second;
    await first.begin("Ann");
    await second.begin("Bob");
    await second.ask({ do: "say", id: "00000000-0000-4000-8000-000000000000", text: "heard at both" });
    await first.until("heard at both");
  } finally {
    other.close();
    child.kill("SIGINT");
    await exited;
  }

  for (const page of pages) await assert.rejects(fetch(page));
});
