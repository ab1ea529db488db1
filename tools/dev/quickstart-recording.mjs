// SPDX-License-Identifier: Apache-2.0
// Writes plugins/github/tests/quickstart.json: a made-up repository with 120 issues on two pages,
// for trying the github plugin without GitHub. Deterministic: the same file every time.
//     node tools/dev/quickstart-recording.mjs > plugins/github/tests/quickstart.json
const REPO = "acme/rocket";
const people = ["ada", "grace", "edsger", "barbara", "ken", "margaret"].map((login, i) => ({
  login,
  id: 7001 + i,
}));
const labels = [
  { id: 501, name: "bug", color: "d73a4a", description: "Something is not working" },
  { id: 502, name: "enhancement", color: "a2eeef", description: "New feature or request" },
  { id: 503, name: "documentation", color: "0075ca", description: null },
];
const parts = ["Guidance", "Telemetry", "Fuel pump", "Launch pad", "Parachute", "Countdown"];
const troubles = [
  "drifts after ten minutes",
  "reports metres as feet",
  "does not start in the cold",
  "logs the same line twice",
  "needs a dry-run mode",
  "lacks a manual page",
];

const time = (minutes) =>
  new Date(Date.UTC(2026, 0, 5, 8, 0, 0) + minutes * 60_000).toISOString().replace(".000Z", "Z");

function issue(n) {
  const isClosed = n % 3 === 0;
  const author = people[n % people.length];
  const created = time(n * 90);
  const updated = time(n * 90 + 45 + (isClosed ? 20 : 0));
  const api = `https://api.github.com/repos/${REPO}`;
  const path = n === 77 ? "pull" : "issues";
  return {
    id: 880000 + n,
    node_id: `I_rocket${n}`,
    number: n,
    title: `${parts[n % parts.length]} ${troubles[(n * 5) % troubles.length]}`,
    html_url: `https://github.com/${REPO}/${path}/${n}`,
    repository_url: api,
    user: author,
    labels: n % 4 === 0 ? [] : [labels[n % labels.length]],
    state: isClosed ? "closed" : "open",
    state_reason: isClosed ? "completed" : null,
    locked: false,
    assignee: n % 5 === 0 ? people[(n + 1) % people.length] : null,
    assignees: n % 5 === 0 ? [people[(n + 1) % people.length]] : [],
    milestone: n % 10 === 0 ? { id: 31, number: 1, title: "First flight" } : null,
    comments: n % 7,
    created_at: created,
    updated_at: updated,
    closed_at: isClosed ? updated : null,
    closed_by: isClosed ? people[0] : null,
    body: n % 6 === 0 ? null : `Seen on test stand ${1 + (n % 4)}.`,
    ...(path === "pull" ? { pull_request: { url: `${api}/pulls/${n}` } } : {}),
  };
}

const all = Array.from({ length: 121 }, (_, i) => issue(i + 1));
all.sort((a, b) => (a.updated_at < b.updated_at ? -1 : 1));
const params = { state: "all", sort: "updated", direction: "asc", per_page: "100" };
const next = `https://api.github.com/repos/${REPO}/issues?` + new URLSearchParams({ ...params, page: 2 });
const recording = {
  api: {
    get: {
      "/user/repos": {
        request: { params: { page: "1", per_page: "100" } },
        status: 200,
        response: [{ id: 9001, name: "rocket", full_name: REPO, private: false, has_issues: true }],
      },
      [`/repos/${REPO}/issues`]: [
        { request: { params }, status: 200, headers: { link: `<${next}>; rel="next"` }, response: all.slice(0, 100) },
        { request: { params: { ...params, page: "2" } }, status: 200, response: all.slice(100) },
        // Every later run asks for what changed since the first: nothing did.
        { request: { params: { ...params, since: "*" } }, status: 200, response: [] },
      ],
    },
  },
};
const lines = JSON.stringify(recording).replaceAll('{"id":88', '\n{"id":88');
process.stdout.write(lines + "\n");
