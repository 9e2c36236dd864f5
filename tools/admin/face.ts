/** The tool that --admin serves: health, metrics and the dashboard. */
import type { Face } from "../../daemon/program/face.js";

const HTTP = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) \S+ HTTP\/\d/;

export const admin: Face = {
  speaks: {
    ports: { http: "HTTP (--admin)" },
    protocols: [
      {
        protocol: "http",
        begins: (head) => HTTP.test(head),
        served:
          "a browser or another HTTP client; --admin serves the dashboard, and --ws serves web pages that send commands",
        answer: httpAnswer,
      },
    ],
  },
  async openFigureServer({ settings, log }, figures) {
    const { admin: listenAddress, adminHosts: hosts } = settings;
    if (listenAddress === null) return null;
    const { makeAdmin } = await import("./admin.js");
    return { name: "admin", server: makeAdmin(listenAddress, hosts, figures, log) };
  },
};

/** Returns the response to an HTTP request on a port that does not serve HTTP. The connection then closes. */
function httpAnswer(text: string): string {
  const body = `${text}\n`;
  return (
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" +
    `Connection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}
