// SPDX-License-Identifier: Apache-2.0
// Keys and passwords, as each vendor's documentation has it; flows-form.mjs drives the rows.
//
// template            where it is not the row's name: the same with other settings
// given, settings     what a person types in; refused: what the vendor answers to a wrong one
// hidden              fields that the form fills with their defaults
// tries               requests with which credentials are tried, until one is answered with 2xx
// base, headers       where a plugin's request goes, with which headers
import { basic as encoded } from "./auth.mjs";

const KEY = "k-s3cret+/=";
/** A key in headers; `endpoints` are tried with the same. */
const key = (base, headers, endpoints = [], more = {}) => {
  const { given = { apiKey: KEY }, ...rest } = more;
  return { mode: "API_KEY", base, given, headers: () => headers, tries: endpoints.map((path) => ({ request: `GET ${base}${path}`, headers })), ...rest };
};
const bearer = (value = KEY) => ({ authorization: `Bearer ${value}` });

export const keys = {
  anthropic: key("https://api.anthropic.com", { "x-api-key": KEY, "anthropic-version": "2023-06-01" }, ["/v1/models"], { refused: { status: 401, json: { type: "error", error: { type: "authentication_error", message: "invalid x-api-key" } } } }),
  "brevo-api-key": key("https://api.brevo.com", { accept: "application/json", "api-key": KEY }, ["/v3/account"], { refused: { status: 401, json: { message: "Key not found", code: "unauthorized" } } }),
  cloudflare: key("https://api.cloudflare.com/client/v4", bearer(), ["/user/tokens/verify"], { refused: { status: 401, json: { success: false, errors: [{ code: 1000, message: "Invalid API Token" }] } } }),
  datadog: key("https://api.us5.datadoghq.com", { "dd-api-key": KEY, "dd-application-key": "app-s3cret" }, ["/api/v1/validate"], { given: { apiKey: KEY, applicationKey: "app-s3cret" }, settings: { site: "us5.datadoghq.com" }, refused: { status: 403, json: { errors: ["Forbidden"] } } }),
  "generic-api-key": key("https://api.example.com/v1", { "x-api-key": KEY }, [], { settings: { baseUrl: "https://api.example.com/v1" } }),
  github: key("https://api.github.com", { ...bearer(), accept: "application/vnd.github+json", "x-github-api-version": "2022-11-28" }, ["/user"], { refused: { status: 401, json: { message: "Bad credentials" } } }),
  klaviyo: key("https://a.klaviyo.com", { authorization: `Klaviyo-API-Key ${KEY}`, accept: "application/vnd.api+json", revision: "2026-10-15" }, ["/api/accounts"]),
  openai: key("https://api.openai.com", bearer(), ["/v1/models"], { refused: { status: 401, json: { error: { message: "Incorrect API key provided", type: "invalid_request_error", code: "invalid_api_key" } } } }),
  posthog: key("https://eu.posthog.com", bearer(), ["/api/users/@me/", "/api/projects/"], { settings: { hostname: "eu.posthog.com" } }),
  postmark: key("https://api.postmarkapp.com", { accept: "application/json", "x-postmark-server-token": "11111111-2222-4333-8444-555555555555" }, ["/server"], { given: { apiKey: "11111111-2222-4333-8444-555555555555" }, refused: { status: 401, json: { ErrorCode: 10, Message: "Bad or missing API token" } } }),
  "private-api-bearer": key("https://api.example.com/v1", bearer(), [], { settings: { baseUrl: "https://api.example.com/v1" } }),
  resend: key("https://api.resend.com", bearer("re_s3cret"), ["/domains"], { given: { apiKey: "re_s3cret" }, refused: { status: 400, json: { statusCode: 400, message: "API key is invalid", name: "validation_error" } } }),
  segment: key("https://eu1.api.segmentapis.com", bearer(), ["/"], { settings: { hostname: "eu1.api.segmentapis.com" } }),
  sendgrid: key("https://api.sendgrid.com", bearer(), ["/v3/scopes"], { refused: { status: 401, json: { errors: [{ field: null, message: "authorization required" }] } } }),
  "stripe-api-key": key("https://api.stripe.com", bearer("rk_live_s3cret"), ["/v1/balance", "/v1/customers?limit=1", "/v1/charges?limit=1"], { given: { apiKey: "rk_live_s3cret" } }),
  vercel: key("https://api.vercel.com", bearer(), ["/v2/user"], { refused: { status: 403, json: { error: { code: "forbidden", message: "Not authorized", invalidToken: true } } } }),
  workable: key("https://acme.workable.com", bearer(), ["/spi/v3/jobs?limit=1", "/spi/v3/candidates?limit=1"], { settings: { subdomain: "acme" } }),
};

// With the defaults of settings that nobody gave.
const usual = (template, base, headers, endpoints, config) => key(base, headers, endpoints, { template, config });
Object.assign(keys, {
  "datadog-usual": usual("datadog", "https://api.datadoghq.com", { "dd-api-key": KEY }, ["/api/v1/validate"], { site: "datadoghq.com" }),
  "github-enterprise": { ...key("https://github.example.com/api/v3", { ...bearer(), accept: "application/vnd.github+json", "x-github-api-version": "2022-11-28" }, ["/user"], { settings: { baseUrl: "https://github.example.com/api/v3" } }), template: "github" },
  "posthog-usual": usual("posthog", "https://us.posthog.com", bearer(), ["/api/users/@me/", "/api/projects/"], { hostname: "us.posthog.com" }),
  "segment-usual": usual("segment", "https://api.segmentapis.com", bearer(), ["/"], { hostname: "api.segmentapis.com" }),
});

const USER = "user-s3cret";
const PASSWORD = "p: s3cret/é";
/** A user and a password as Basic (RFC 7617); hidden: what the field that nobody sees is filled with. */
const basic = (base, { username, password }, endpoints = [], { hidden, headers: also, method = "GET", ...more } = {}) => {
  const headers = { authorization: encoded(username ?? hidden.username, password ?? hidden.password), ...also };
  const given = { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
  return { mode: "BASIC", base, given, hidden, headers: () => headers, tries: endpoints.map((path) => ({ request: `${method} ${base}${path}`, headers })), ...more };
};
const both = { username: "user-1", password: PASSWORD };
const user = { username: USER };
const noPassword = { hidden: { password: "" } };
const json = { accept: "application/json" };

export const passwords = {
  "aircall-basic": basic("https://api.aircall.io", both, ["/v1/ping"]),
  ashby: basic("https://api.ashbyhq.com", user, ["/apiKey.info"], { ...noPassword, headers: json, method: "POST" }),
  "bamboohr-basic": basic("https://api.bamboohr.com/api/gateway.php/acme", user, ["/v1/meta/fields"], { hidden: { password: "x" }, headers: json, settings: { subdomain: "acme" } }),
  chargebee: basic("https://acme-test.chargebee.com/api/v2", user, ["/customers?limit=1", "/subscriptions?limit=1"], { ...noPassword, settings: { site: "acme-test" } }),
  freshdesk: basic("https://acme.freshdesk.com", user, ["/api/v2/agents/me"], { hidden: { password: "X" }, settings: { subdomain: "acme" }, refused: { status: 401, json: { code: "invalid_credentials", message: "You have to be logged in to perform this action." } } }),
  "generic-basic": basic("https://api.example.com/v1", both, [], { settings: { baseUrl: "https://api.example.com/v1" } }),
  gong: basic("https://us-11.api.gong.io", both, ["/v2/workspaces", "/v2/users"], { settings: { apiBaseUrl: "https://us-11.api.gong.io" } }),
  "greenhouse-basic": basic("https://harvest.greenhouse.io", user, ["/v1/users?per_page=1", "/v1/jobs?per_page=1", "/v1/candidates?per_page=1"], noPassword),
  "jira-basic": basic("https://acme.atlassian.net", { username: "ada@example.com", password: PASSWORD }, ["/rest/api/3/myself"], { headers: json, settings: { subdomain: "acme" } }),
  "lever-basic": basic("https://api.lever.co", user, ["/v1/users?limit=1", "/v1/postings?limit=1", "/v1/opportunities?limit=1"], noPassword),
  mailgun: basic("https://api.eu.mailgun.net", { password: PASSWORD }, ["/v4/domains"], { hidden: { username: "api" }, settings: { hostname: "api.eu.mailgun.net" } }),
  recurly: basic("https://v3.eu.recurly.com", user, ["/sites"], { ...noPassword, headers: { accept: "application/vnd.recurly.v2021-02-25" }, settings: { hostname: "v3.eu.recurly.com" } }),
  twilio: basic("https://api.twilio.com", { username: `AC${"0".repeat(32)}`, password: PASSWORD }, ["/2010-04-01/Accounts.json?PageSize=1"], { refused: { status: 401, json: { code: 20003, message: "Authenticate", status: 401 } } }),
  woocommerce: basic("https://shop.example.com", { username: "ck_1", password: "cs_s3cret" }, ["/wp-json/wc/v3/orders?per_page=1", "/wp-json/wc/v3/products?per_page=1"], { settings: { baseUrl: "https://shop.example.com" }, refused: { status: 401, json: { code: "woocommerce_rest_cannot_view", data: { status: 401 } } } }),
  wordpress: basic("https://blog.example.com", { username: "ada", password: "abcd s3cret 1234" }, ["/wp-json/wp/v2/users/me"], { settings: { baseUrl: "https://blog.example.com" } }),
};
Object.assign(passwords, {
  "gong-usual": basic("https://api.gong.io", both, ["/v2/workspaces", "/v2/users"], { template: "gong" }),
  "mailgun-usual": basic("https://api.mailgun.net", { password: PASSWORD }, ["/v4/domains"], { template: "mailgun", hidden: { username: "api" }, config: { hostname: "api.mailgun.net" } }),
  "recurly-usual": basic("https://v3.recurly.com", user, ["/sites"], { ...noPassword, template: "recurly", headers: { accept: "application/vnd.recurly.v2021-02-25" }, config: { hostname: "v3.recurly.com" } }),
});

export const open = { unauthenticated: { mode: "NONE", base: "https://api.example.com", given: {}, settings: { baseUrl: "https://api.example.com" }, headers: () => ({}) } };
