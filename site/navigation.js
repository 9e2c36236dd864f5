/** The order of the pages, as in README's "Next steps". Paths are from the root of the repository. */

/** A page of docs/ that is missing here ends the build: see `sidebar`. */
export const groups = [
  { text: "Start", pages: ["README.md", "docs/first-contact.md", "docs/active-active.md"] },
  {
    text: "Production",
    pages: [
      "docs/production.md",
      "install.md",
      "docs/docker.md",
      "docs/operations.md",
      "docs/runbooks.md",
      "docs/scale.md",
      "docs/troubleshooting.md",
      "docs/glossary.md",
      "docs/metrics.md",
      "docs/limits.md",
      "docs/proxy.md",
    ],
  },
  {
    text: "Client",
    pages: [
      "client/README.md",
      "docs/api/client.md",
      "docs/api/browser.md",
      "docs/api/testing.md",
      "docs/client-package.md",
      "docs/recipes.md",
      "docs/from-redis.md",
      "docs/migration.md",
      "docs/moving-from-php-dbsync.md",
      "docs/php.md",
      "docs/python.md",
      "docs/browsers.md",
    ],
  },
  {
    text: "Clients of other databases",
    pages: [
      "docs/redis-clients.md",
      "docs/commands.md",
      "docs/redis-behind.md",
      "docs/sidecar.md",
      "docs/json-documents.md",
      "docs/json-clients.md",
      "docs/mongo.md",
      "docs/mongo-collections.md",
      "docs/sql.md",
    ],
  },
  {
    text: "Guarantees",
    pages: ["docs/consistency.md", "docs/keys.md", "docs/compatibility.md", "SECURITY.md"],
  },
  {
    text: "Reference",
    pages: ["docs/protocol-v2.md", "docs/protocol.md", "CHANGELOG.md", "bench/RESULTS.md"],
  },
  { text: "Code", pages: ["docs/architecture.md", "CONTRIBUTING.md"] },
];

/** Names in the sidebar, where a page's title says too little there. */
const NAMES = new Map([
  ["README.md", "What dbsync is"],
  ["client/README.md", "The library"],
]);

const DECISIONS = "docs/decisions/";

/**
 * The sidebar of the default theme: the groups, then the decisions, folded.
 * @param pages  repository path → page, of `collectPages`
 * @throws Error  if a page of docs/ is in no group, or a group names no page
 */
export function sidebar(pages) {
  const item = (source) => {
    const page = pages.get(source);
    if (page === undefined) throw new Error(`site/navigation.js names ${source}, which is no page`);
    return { text: NAMES.get(source) ?? page.title, link: `/${page.target.replace(/(index)?\.md$/, "")}` };
  };
  const listed = new Set(groups.flatMap((group) => group.pages));
  for (const source of pages.keys()) {
    if (/^docs\/[^/]+\.md$/.test(source) && !listed.has(source))
      throw new Error(`site/navigation.js does not list ${source}: add it to a group`);
  }
  const decisions = [...pages.keys()].filter((source) => source.startsWith(DECISIONS)).sort();
  const contents = `${DECISIONS}README.md`;
  return [
    ...groups.map((group) => ({ text: group.text, items: group.pages.map(item) })),
    {
      text: "Decisions",
      // With a link: a title that only unfolds would be a button that holds a button.
      link: item(contents).link,
      collapsed: true,
      items: decisions.filter((source) => source !== contents).map(item),
    },
  ];
}
