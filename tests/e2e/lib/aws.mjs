// SPDX-License-Identifier: Apache-2.0
// STS and a service of AWS on loopback: npm's aws4 signs what came once more, and must come to the same.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import aws4 from "aws4";

const header = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=[0-9a-f]{64}$/;
const xml = (kind, inner) => `<${kind} xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${inner}</${kind}>`;

/** Whether a request is signed with keys ({accessKeyId, secretAccessKey, sessionToken}) for a place, now. */
function isSigned(req, body, keys, { service, region }) {
  const [, id, signedRegion, signedService, names] = header.exec(req.headers.authorization ?? "") ?? [];
  const stamp = req.headers["x-amz-date"] ?? "";
  const sent = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (id !== keys?.accessKeyId || signedRegion !== region || signedService !== service || !(Math.abs(Date.now() - sent) < 60_000)) return false;
  if (req.headers["x-amz-security-token"] !== keys.sessionToken) return false;
  if (req.headers["x-amz-content-sha256"] !== createHash("sha256").update(body).digest("hex")) return false;
  const headers = Object.fromEntries(names.split(";").map((name) => [name, req.headers[name]]));
  return aws4.sign({ service, region, method: req.method, path: req.url, headers, hostname: req.headers.host }, keys).headers.Authorization === req.headers.authorization;
}

/** {url, requests, roles}: roles assumed, newest last. isXml: how STS answers; failures: of calls, before one is answered. */
export async function awsProvider(t, { keys, service, region, externalId, isXml = false, failures = 0, pages = [] }) {
  const requests = [];
  const roles = [];
  const assume = (req, body) => {
    const form = Object.fromEntries(new URLSearchParams(body));
    const refused = (why) => ({ status: 403, form, text: xml("ErrorResponse", `<Error><Code>${why}</Code></Error>`) });
    if (!isSigned(req, body, keys, { service: "sts", region })) return refused("SignatureDoesNotMatch");
    if (form.ExternalId !== externalId) return refused("AccessDenied");
    const n = roles.length + 1;
    const role = { accessKeyId: `ASIA${n}`, secretAccessKey: `role/secret+${n}`, sessionToken: `session/token+${n}==` };
    const end = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
    roles.push(role);
    if (!isXml) return { form, json: { AssumeRoleResponse: { AssumeRoleResult: { Credentials: { AccessKeyId: role.accessKeyId, SecretAccessKey: role.secretAccessKey, SessionToken: role.sessionToken, Expiration: end.getTime() / 1000 } } } } };
    const inner = `<AccessKeyId>${role.accessKeyId}</AccessKeyId>\n<SecretAccessKey>${role.secretAccessKey}</SecretAccessKey><SessionToken>${role.sessionToken}</SessionToken><Expiration>${end.toISOString()}</Expiration>`;
    return { form, text: xml("AssumeRoleResponse", `<AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser><Credentials>${inner}</Credentials></AssumeRoleResult>`) };
  };
  const call = (req, body) => {
    if (!isSigned(req, body, roles.at(-1), { service, region })) return { status: 403, json: {} };
    if (failures-- > 0) return { status: 503, headers: { "retry-after": "1", "x-amz-security-token": "echo" }, json: {} };
    return { json: pages[Number(new URL(req.url, "http://x").searchParams.get("page")) - 1] ?? [] };
  };
  const server = createServer((req, res) => {
    let body = "";
    req.on("data", (data) => (body += data));
    req.on("end", () => {
      const { status = 200, headers, json, text, form } = req.url.startsWith("/sts") ? assume(req, body) : call(req, body);
      requests.push({ path: req.url, status, form, stamp: req.headers["x-amz-date"], authorization: req.headers.authorization });
      res.writeHead(status, { "content-type": text ? "text/xml" : "application/json", ...headers });
      res.end(text ?? JSON.stringify(json));
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests, roles, of: (path) => requests.filter((r) => r.path.startsWith(path)) };
}
