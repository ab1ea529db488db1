// SPDX-License-Identifier: Apache-2.0
// A real MCP server, by the official SDK from npm: its authorization server and, behind its check of
// tokens, a tool. Codes and refresh tokens serve once, and tokens only for the resource they were asked for.
import { randomUUID } from "node:crypto";
import { InvalidGrantError, InvalidTargetError, InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { getOAuthProtectedResourceMetadataUrl, mcpAuthRouter } from "@modelcontextprotocol/sdk/server/auth/router.js";
import { createMcpExpressApp } from "@modelcontextprotocol/sdk/server/express.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

/** Who may sign in: everybody, at once. */
class Accounts {
  constructor(resource) {
    this.resource = resource;
    this.clients = new Map();
    this.codes = new Map();
    this.refreshes = new Map();
    this.tokens = new Map();
    this.grants = [];
    this.clientsStore = {
      getClient: (id) => this.clients.get(id),
      registerClient: (client) => (this.clients.set(client.client_id, client), client),
    };
  }

  check(resource) {
    if (this.resource && resource?.href !== this.resource) throw new InvalidTargetError(`no tokens for ${resource}`);
  }

  async authorize(client, { state, codeChallenge, redirectUri, scopes, resource }, res) {
    this.check(resource);
    const code = randomUUID();
    this.codes.set(code, { client: client.client_id, codeChallenge, redirectUri, scopes, resource });
    res.redirect(`${redirectUri}?${new URLSearchParams({ code, state })}`);
  }

  async challengeForAuthorizationCode(client, code) {
    if (this.codes.get(code)?.client !== client.client_id) throw new InvalidGrantError("no such code");
    return this.codes.get(code).codeChallenge;
  }

  give(grant, { client, scopes, resource }) {
    const tokens = { access_token: `mcp-s3cret-${randomUUID()}`, refresh_token: `mcp-s3cret-${randomUUID()}` };
    this.grants.push(grant);
    this.refreshes.set(tokens.refresh_token, { client, scopes, resource });
    this.tokens.set(tokens.access_token, { token: tokens.access_token, clientId: client, scopes, resource, expiresAt: Math.round(Date.now() / 1000) + 3600 });
    return { ...tokens, token_type: "bearer", expires_in: 3600, scope: scopes.join(" ") };
  }

  async exchangeAuthorizationCode(client, code, verifier, redirectUri, resource) {
    const held = this.codes.get(code);
    this.codes.delete(code);
    if (held?.redirectUri !== redirectUri) throw new InvalidGrantError("another redirect_uri");
    this.check(resource);
    return this.give("authorization_code", held);
  }

  async exchangeRefreshToken(client, refreshToken, scopes, resource) {
    const held = this.refreshes.get(refreshToken);
    this.refreshes.delete(refreshToken);
    if (held?.client !== client.client_id) throw new InvalidGrantError("no such refresh token");
    this.check(resource);
    return this.give("refresh_token", held);
  }

  async verifyAccessToken(token) {
    if (!this.tokens.has(token)) throw new InvalidTokenError("no such token");
    return this.tokens.get(token);
  }
}

async function answer(req, res) {
  const server = new McpServer({ name: "fake", version: "1.0.0" });
  server.registerTool("whoami", { description: "Whose token this is" }, ({ authInfo }) => ({ content: [], structuredContent: { id: authInfo.clientId, title: authInfo.scopes.join(" ") } }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  res.on("close", () => server.close());
  await server.connect(transport);
  await transport.handleRequest(req, res, req.body);
}

/** {listener, accounts}: the server at https://host/mcp; strict: tokens need the resource (RFC 8707). */
export function mcpServer(host, { strict }) {
  const resource = `https://${host}/mcp`;
  const accounts = new Accounts(strict && resource);
  const app = createMcpExpressApp({ host: "0.0.0.0", allowedHosts: [host] });
  const unlimited = { rateLimit: false };
  app.use(mcpAuthRouter({
    provider: accounts, issuerUrl: new URL(`https://${host}`), resourceServerUrl: new URL(resource),
    authorizationOptions: unlimited, tokenOptions: unlimited, clientRegistrationOptions: unlimited,
  }));
  const bearer = requireBearerAuth({ verifier: accounts, resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(new URL(resource)), ...(strict && { expectedResource: resource }) });
  app.post("/mcp", bearer, answer);
  return { listener: app, accounts };
}
