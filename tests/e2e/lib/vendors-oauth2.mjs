// SPDX-License-Identifier: Apache-2.0
// OAuth 2.0 as each vendor's documentation has it (the `source` in its template); flows.mjs drives the rows.
//
// template            where it is not the row's name: the same with other settings
// page, pageParams    where a person is sent, with what beside the standard's parameters
// scope, pkce         how "one,two" is joined (default: a blank); false: no PKCE
// token               url; body: form | json; client: body | basic; params beside the standard's; omits: some of them
// defaultScope        what is asked for where the integration names no scopes
// answer(n), life     what the vendor says the nth time; seconds until its end (none: it has no end)
// refresh             false: there is none; {url} when another; without a life it is forced
// refusal             what a bad code is answered with, and what of it a person is shown
// settings, callback  what a person gives; what the vendor adds to the way back
// before              requests until there is a page: {request, json(page) it carries, answer}
// config, after       settings that come of it; requests between the token and the connection
// base, headers       where a plugin's request goes, with which headers (default: the Bearer token)
import { rfc, secret } from "./flows.mjs";

const at = (n, more) => ({ access_token: `at-s3cret-${n}`, token_type: "bearer", ...more });
/** The refresh token stays as it was given first. */
const once = (n, life, more) => ({ ...at(n, { expires_in: life, ...more }), ...(n === 1 && { refresh_token: "rt-s3cret-1" }) });
const hour = 3600;
const day = 24 * hour;

/** The common shape: a token with an end, and a new refresh token with each. */
const plain = (page, url, base, life, more) => ({ page, token: { url }, base, life, answer: (n) => rfc(n, life, more) });
const basic = (row) => ({ ...row, token: { ...row.token, client: "basic" } });
const json = (row) => ({ ...row, token: { ...row.token, body: "json" } });
/** A token without an end, and nothing to renew it with. */
const endless = (page, url, base, more) => ({ page, token: { url }, base, answer: (n) => at(n, more), refresh: false });

const google = (base) => ({
  page: "https://accounts.google.com/o/oauth2/v2/auth", pageParams: { access_type: "offline", prompt: "consent" },
  token: { url: "https://oauth2.googleapis.com/token" }, answer: (n) => once(n, 3599, { scope: "one two" }), life: 3599, base,
  refusal: { status: 400, json: { error: "invalid_grant", error_description: "Malformed auth code." }, says: /invalid_grant: Malformed auth code|invalid_grant/ },
});
const microsoft = {
  ...plain("https://login.microsoftonline.com/common/oauth2/v2.0/authorize", "https://login.microsoftonline.com/common/oauth2/v2.0/token", "https://graph.microsoft.com", 4500, { ext_expires_in: 4500, scope: "one two" }),
  pageParams: { response_mode: "query" }, defaultScope: "offline_access",
  refusal: { status: 400, json: { error: "invalid_grant", error_description: "AADSTS70000: The provided value for the code parameter is not valid.", error_codes: [70000] }, says: /AADSTS70000/ },
};
const sites = [{ id: "11111111-1111-4111-8111-111111111111", name: "acme", url: "https://acme.atlassian.net", scopes: ["one"], avatarUrl: "x" }, { id: "22222222-2222-4222-8222-222222222222", name: "other" }];
const atlassian = {
  ...plain("https://auth.atlassian.com/authorize", "https://auth.atlassian.com/oauth/token", "https://api.atlassian.com", hour, { scope: "one two" }),
  pageParams: { audience: "api.atlassian.com", prompt: "consent" }, defaultScope: "offline_access",
  after: [{ request: "GET https://api.atlassian.com/oauth/token/accessible-resources", answer: { json: sites } }], config: { cloudId: sites[0].id },
  headers: (token) => ({ accept: "application/json", authorization: `Bearer ${token}` }),
  refusal: { status: 403, json: { error: "invalid_grant", error_description: "Invalid authorization code" }, says: /Invalid authorization code/ },
};
const docusign = (account, base) => ({
  ...basic(plain(`https://${account}/oauth/auth`, `https://${account}/oauth/token`, base, 8 * hour)),
  after: [{ request: `GET https://${account}/oauth/userinfo`, answer: { json: { sub: "u", accounts: [{ account_id: "33333333-3333-4333-8333-333333333333", is_default: false, base_uri: "https://other.docusign.net" }, { account_id: "44444444-4444-4444-8444-444444444444", is_default: true, base_uri: base }] } } }],
  config: { baseUri: base, accountId: "44444444-4444-4444-8444-444444444444" },
});
const quickbooks = (base) => ({
  ...basic(plain("https://appcenter.intuit.com/connect/oauth2", "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer", base, hour, { x_refresh_token_expires_in: 100 * day })),
  defaultScope: "com.intuit.quickbooks.accounting", callback: { realmId: "9130" }, config: { realmId: "9130" }, headers: (token) => ({ accept: "application/json", authorization: `Bearer ${token}` }),
});
const salesforce = (host) => ({
  page: `https://${host}/services/oauth2/authorize`, token: { url: `https://${host}/services/oauth2/token` }, base: "https://acme.my.salesforce.com",
  answer: (n) => at(n, { ...(n === 1 && { refresh_token: "rt-s3cret-1" }), signature: "x", scope: "one two", instance_url: "https://acme.my.salesforce.com", id: `https://${host}/id/00D/005`, issued_at: "1278448832702" }),
  config: { instance_url: "https://acme.my.salesforce.com" }, life: 2 * hour,
  each: [{
    request: "POST https://acme.my.salesforce.com/services/oauth2/introspect", answer: () => ({ json: { active: true, scope: "one two", exp: Math.round(Date.now() / 1000) + 2 * hour, token_type: "access_token" } }),
    form: (n) => ({ token: `at-s3cret-${n}`, token_type_hint: "access_token", client_id: "app-id", client_secret: secret }),
  }],
  refusal: { status: 400, json: { error: "invalid_grant", error_description: "expired authorization code" }, says: /expired authorization code/ },
});
const square = (host, pageParams) => ({
  page: `https://${host}/oauth2/authorize`, pageParams, pkce: false, token: { url: `https://${host}/oauth2/token`, body: "json" }, base: `https://${host}`,
  answer: (n) => at(n, { expires_at: new Date(Date.now() + 30 * day * 1000).toISOString(), merchant_id: "M1", refresh_token: "rt-s3cret-1", short_lived: false }), life: 30 * day, config: { merchant_id: "M1" },
  refusal: { status: 401, json: { message: "Authorization code not found", type: "service.not_authorized" }, says: /Authorization code not found/ },
});
/** Zoho answers 200 to a bad code. */
const zoho = {
  page: "https://accounts.zoho.eu/oauth/v2/auth", scope: "one,two", pageParams: { access_type: "offline", prompt: "consent" }, settings: { extension: "eu" },
  token: { url: "https://accounts.zoho.eu/oauth/v2/token" }, answer: (n) => once(n, hour, { api_domain: "https://www.zohoapis.eu" }), life: hour, config: { api_domain: "https://www.zohoapis.eu" },
  base: "https://www.zohoapis.eu", headers: (token) => ({ authorization: `Zoho-oauthtoken ${token}` }), refusal: { json: { error: "invalid_code" }, says: /invalid_code/ },
};

const rows = {
  airtable: basic(plain("https://airtable.com/oauth2/v1/authorize", "https://airtable.com/oauth2/v1/token", "https://api.airtable.com", hour, { refresh_expires_in: 60 * day, scope: "one two" })),
  asana: { ...plain("https://app.asana.com/-/oauth_authorize", "https://app.asana.com/-/oauth_token", "https://app.asana.com", hour), answer: (n) => once(n, hour, { data: { id: "4673218951", name: "Ada", email: "ada@example.com" } }) },
  attio: endless("https://app.attio.com/authorize", "https://app.attio.com/oauth/token", "https://api.attio.com"),
  bitbucket: basic(plain("https://bitbucket.org/site/oauth2/authorize", "https://bitbucket.org/site/oauth2/access_token", "https://api.bitbucket.org", 2 * hour, { scopes: "account" })),
  box: plain("https://account.box.com/api/oauth2/authorize", "https://api.box.com/oauth2/token", "https://api.box.com", 4169, { restricted_to: [] }),
  calendly: {
    ...basic(plain("https://auth.calendly.com/oauth/authorize", "https://auth.calendly.com/oauth/token", "https://api.calendly.com", 2 * hour, { created_at: 1548689183, owner: "https://api.calendly.com/users/EB", organization: "https://api.calendly.com/organizations/EC" })),
    config: { owner: "https://api.calendly.com/users/EB", organization: "https://api.calendly.com/organizations/EC" },
  },
  clickup: { ...endless("https://app.clickup.com/api", "https://api.clickup.com/api/v2/oauth/token", "https://api.clickup.com"), refusal: { status: 400, json: { err: "Code already used", ECODE: "OAUTH_014" }, says: /Code already used/ } },
  confluence: atlassian,
  digitalocean: plain("https://cloud.digitalocean.com/v1/oauth/authorize", "https://cloud.digitalocean.com/v1/oauth/token", "https://api.digitalocean.com", 30 * day, { info: { name: "Ada", email: "ada@example.com", uuid: "e" } }),
  discord: plain("https://discord.com/oauth2/authorize", "https://discord.com/api/oauth2/token", "https://discord.com/api/v10", 7 * day, { scope: "one two" }),
  docusign: docusign("account.docusign.com", "https://na3.docusign.net"),
  "docusign-sandbox": docusign("account-d.docusign.com", "https://demo.docusign.net"),
  dropbox: { page: "https://www.dropbox.com/oauth2/authorize", pageParams: { token_access_type: "offline" }, pkce: false, token: { url: "https://api.dropboxapi.com/oauth2/token" }, answer: (n) => once(n, 4 * hour, { uid: "12345", account_id: "dbid:AA" }), life: 4 * hour, base: "https://api.dropboxapi.com" },
  eventbrite: endless("https://www.eventbrite.com/oauth/authorize", "https://www.eventbrite.com/oauth/token", "https://www.eventbriteapi.com"),
  figma: { ...basic(plain("https://www.figma.com/oauth", "https://api.figma.com/v1/oauth/token", "https://api.figma.com", 90 * day)), answer: (n) => once(n, 90 * day, { user_id_string: "1" }), refresh: { url: "https://api.figma.com/v1/oauth/refresh" } },
  freshbooks: json(plain("https://auth.freshbooks.com/oauth/authorize", "https://api.freshbooks.com/auth/oauth/token", "https://api.freshbooks.com", 12 * hour, { created_at: 1424471407 })),
  front: { ...basic(plain("https://app.frontapp.com/oauth/authorize", "https://app.frontapp.com/oauth/token", "https://api2.frontapp.com", hour)), answer: (n) => rfc(n, 0, { expires_at: Math.round(Date.now() / 1000) + hour }) },
  "generic-oauth2": {
    ...plain("https://id.example.com/authorize", "https://id.example.com/token", "https://api.example.com/v1", hour),
    integration: { authorizationUrl: "https://id.example.com/authorize", tokenUrl: "https://id.example.com/token", baseUrl: "https://api.example.com/v1" },
  },
  gitlab: plain("https://gitlab.com/oauth/authorize", "https://gitlab.com/oauth/token", "https://gitlab.com", 2 * hour, { created_at: 1607635748 }),
  google: google("https://www.googleapis.com"),
  "google-calendar": google("https://www.googleapis.com"),
  "google-contacts": google("https://people.googleapis.com"),
  "google-docs": google("https://docs.googleapis.com"),
  "google-drive": google("https://www.googleapis.com"),
  "google-mail": google("https://gmail.googleapis.com"),
  "google-sheet": google("https://sheets.googleapis.com"),
  gusto: { ...plain("https://api.gusto.com/oauth/authorize", "https://api.gusto.com/oauth/token", "https://api.gusto.com", 2 * hour), headers: (token) => ({ accept: "application/json", authorization: `Bearer ${token}` }) },
  "gusto-demo": { ...plain("https://api.gusto-demo.com/oauth/authorize", "https://api.gusto-demo.com/oauth/token", "https://api.gusto-demo.com", 2 * hour), headers: (token) => ({ accept: "application/json", authorization: `Bearer ${token}` }) },
  "help-scout": plain("https://secure.helpscout.net/authentication/authorizeClientApplication", "https://api.helpscout.net/v2/oauth2/token", "https://api.helpscout.net", 2 * day),
  heroku: { ...plain("https://id.heroku.com/oauth/authorize", "https://id.heroku.com/oauth/token", "https://api.heroku.com", 28799, { user_id: "u", session_nonce: null }), headers: (token) => ({ accept: "application/vnd.heroku+json; version=3", authorization: `Bearer ${token}` }) },
  hubspot: {
    ...plain("https://app.hubspot.com/oauth/authorize", "https://api.hubapi.com/oauth/v3/token", "https://api.hubapi.com", 1800, { hub_id: 1234, user_id: 5, scopes: ["one", "two"] }),
    after: [{ request: "GET https://api.hubapi.com/account-info/v3/details", answer: { json: { portalId: 1234, accountType: "STANDARD" } } }], config: { portalId: "1234" },
    refusal: { status: 400, json: { status: "BAD_AUTH_CODE", message: "missing or unknown auth code", correlationId: "x" }, says: /BAD_AUTH_CODE/ },
  },
  intercom: { ...endless("https://app.intercom.com/oauth", "https://api.intercom.io/auth/eagle/token", "https://api.intercom.io", { token: "at-s3cret-1" }), headers: (token) => ({ accept: "application/json", authorization: `Bearer ${token}` }) },
  jira: atlassian,
  "klaviyo-oauth": { ...basic(plain("https://www.klaviyo.com/oauth/authorize", "https://a.klaviyo.com/oauth/token", "https://a.klaviyo.com", hour)), headers: (token) => ({ accept: "application/vnd.api+json", authorization: `Bearer ${token}`, revision: "2026-10-15" }) },
  lever: { ...plain("https://auth.lever.co/authorize", "https://auth.lever.co/oauth/token", "https://api.lever.co", hour), pageParams: { audience: "https://api.lever.co/v1/", prompt: "consent" }, defaultScope: "offline_access" },
  linear: { ...plain("https://linear.app/oauth/authorize", "https://api.linear.app/oauth/token", "https://api.linear.app", 86399, { scope: "one two" }), scope: "one,two", pageParams: { prompt: "consent" },
    after: [{ request: "POST https://api.linear.app/graphql", answer: { json: { data: { organization: { id: "o-1" } } } } }], config: { organizationId: "o-1" } },
  linkedin: { ...plain("https://www.linkedin.com/oauth/v2/authorization", "https://www.linkedin.com/oauth/v2/accessToken", "https://api.linkedin.com", 60 * day, { refresh_token_expires_in: 365 * day }), pkce: false },
  mailchimp: {
    ...endless("https://login.mailchimp.com/oauth2/authorize", "https://login.mailchimp.com/oauth2/token", "https://us19.api.mailchimp.com", { expires_in: 0, scope: null }),
    after: [{ request: "GET https://login.mailchimp.com/oauth2/metadata", headers: { authorization: "OAuth at-s3cret-1" }, answer: { json: { dc: "us19", login_url: "https://login.mailchimp.com", api_endpoint: "https://us19.api.mailchimp.com" } } }], config: { dc: "us19" },
  },
  microsoft,
  "microsoft-teams": microsoft,
  miro: { ...plain("https://miro.com/oauth/authorize", "https://api.miro.com/v1/oauth/token", "https://api.miro.com", 3599, { team_id: "30", user_id: "34", scope: "one two" }), config: { team_id: "30", user_id: "34" } },
  monday: endless("https://auth.monday.com/oauth2/authorize", "https://auth.monday.com/oauth2/token", "https://api.monday.com", { scope: "one two" }),
  netlify: endless("https://app.netlify.com/authorize", "https://api.netlify.com/oauth/token", "https://api.netlify.com/api/v1"),
  notion: {
    ...json(basic(plain("https://api.notion.com/v1/oauth/authorize", "https://api.notion.com/v1/oauth/token", "https://api.notion.com", 0, { bot_id: "b", workspace_id: "w", workspace_name: "Acme", workspace_icon: null, owner: { type: "user" }, duplicated_template_id: null, request_id: "r" }))),
    pageParams: { owner: "user" }, pkce: false, config: { bot_id: "b", workspace_id: "w" }, headers: (token) => ({ authorization: `Bearer ${token}`, "notion-version": "2022-06-28" }),
  },
  okta: { ...plain("https://acme.okta.com/oauth2/v1/authorize", "https://acme.okta.com/oauth2/v1/token", "https://acme.okta.com", hour, { id_token: "x", scope: "one two" }), defaultScope: "openid offline_access", settings: { subdomain: "acme" }, headers: (token) => ({ accept: "application/json", authorization: `Bearer ${token}` }) },
  "one-drive": microsoft,
  outlook: microsoft,
  outreach: plain("https://api.outreach.io/oauth/authorize", "https://api.outreach.io/oauth/token", "https://api.outreach.io", 2 * hour, { created_at: 1503301100 }),
  pagerduty: { ...plain("https://identity.pagerduty.com/oauth/authorize", "https://identity.pagerduty.com/oauth/token", "https://api.pagerduty.com", 10 * day, { client_info: "prefix_legacy_app" }), headers: (token) => ({ accept: "application/json", authorization: `Bearer ${token}` }) },
  pipedrive: { ...basic(plain("https://oauth.pipedrive.com/oauth/authorize", "https://oauth.pipedrive.com/oauth/token", "https://acme.pipedrive.com", 3599, { api_domain: "https://acme.pipedrive.com" })), config: { api_domain: "https://acme.pipedrive.com" } },
  quickbooks: quickbooks("https://quickbooks.api.intuit.com"),
  "quickbooks-sandbox": quickbooks("https://sandbox-quickbooks.api.intuit.com"),
  // Reddit answers 200 to a bad code.
  reddit: { ...basic(plain("https://www.reddit.com/api/v1/authorize", "https://www.reddit.com/api/v1/access_token", "https://oauth.reddit.com", day)), pageParams: { duration: "permanent" }, answer: (n) => once(n, day, { scope: "one two" }), refusal: { json: { error: "invalid_grant" }, says: /invalid_grant/ } },
  salesforce: salesforce("login.salesforce.com"),
  "salesforce-sandbox": salesforce("test.salesforce.com"),
  salesloft: plain("https://accounts.salesloft.com/oauth/authorize", "https://accounts.salesloft.com/oauth/token", "https://api.salesloft.com", 2 * hour, { created_at: 1618000000 }),
  servicenow: { ...plain("https://acme.service-now.com/oauth_auth.do", "https://acme.service-now.com/oauth_token.do", "https://acme.service-now.com", 1799, { scope: "useraccount" }), settings: { subdomain: "acme" }, headers: (token) => ({ accept: "application/json", authorization: `Bearer ${token}` }) },
  shopify: {
    ...endless("https://acme.myshopify.com/admin/oauth/authorize", "https://acme.myshopify.com/admin/oauth/access_token", "https://acme.myshopify.com"), scope: "one,two", settings: { subdomain: "acme" },
    answer: (n) => ({ access_token: `at-s3cret-${n}`, scope: "one,two" }), headers: (token) => ({ "x-shopify-access-token": token }),
    refusal: { status: 400, json: { error: "invalid_request", error_description: "The authorization code was not found or was already used" }, says: /was not found or was already used/ },
  },
  // Slack answers 200 to everything; tokens have an end where the app rotates them.
  slack: {
    page: "https://slack.com/oauth/v2/authorize", scope: "one,two", pkce: false, token: { url: "https://slack.com/api/oauth.v2.access" }, base: "https://slack.com/api",
    answer: (n) => ({ ok: true, ...rfc(n, 12 * hour), scope: "one,two", bot_user_id: "U1", app_id: "A1", team: { id: "T1", name: "Acme" }, authed_user: { id: "U2" } }), life: 12 * hour,
    config: { "team.id": "T1", "team.name": "Acme", bot_user_id: "U1", app_id: "A1" }, refusal: { json: { ok: false, error: "invalid_code" }, says: /invalid_code/ },
  },
  smartsheet: plain("https://app.smartsheet.com/b/authorize", "https://api.smartsheet.com/2.0/token", "https://api.smartsheet.com/2.0", 604799),
  spotify: { ...basic(plain("https://accounts.spotify.com/authorize", "https://accounts.spotify.com/api/token", "https://api.spotify.com", hour)), answer: (n) => once(n, hour, { scope: "one two" }) },
  square: square("connect.squareup.com", { session: "false" }),
  "square-sandbox": square("connect.squareupsandbox.com"),
  strava: { ...plain("https://www.strava.com/oauth/authorize", "https://www.strava.com/oauth/token", "https://www.strava.com/api/v3", 6 * hour), scope: "one,two", pageParams: { approval_prompt: "auto" }, answer: (n) => rfc(n, 6 * hour, { expires_at: Math.round(Date.now() / 1000) + 6 * hour, athlete: { id: 1 } }) },
  // An answer of Stripe does not say that its token lives for an hour. The secret key is the user of Basic, alone, and
  // the body has the code and nothing else.
  "stripe-app": {
    page: "https://marketplace.stripe.com/oauth/v2/authorize", pkce: false, token: { url: "https://api.stripe.com/v1/oauth/token", client: "secret-as-user", omits: ["redirect_uri"] }, base: "https://api.stripe.com",
    answer: (n) => rfc(n, 0, { scope: "stripe_apps", livemode: true, stripe_user_id: "acct_1", stripe_publishable_key: "pk_live" }), life: hour, config: { stripe_user_id: "acct_1" },
    refusal: { status: 400, json: { error: "invalid_grant", error_description: "Authorization code does not exist: ac_1" }, says: /Authorization code does not exist/ },
  },
  surveymonkey: endless("https://api.surveymonkey.com/oauth/authorize", "https://api.surveymonkey.com/oauth/token", "https://api.surveymonkey.com", { expires_in: null, access_url: "https://api.surveymonkey.com" }),
  todoist: { ...endless("https://todoist.com/oauth/authorize", "https://todoist.com/oauth/access_token", "https://api.todoist.com"), scope: "one,two" },
  twitch: {
    ...plain("https://id.twitch.tv/oauth2/authorize", "https://id.twitch.tv/oauth2/token", "https://api.twitch.tv", 14124, { scope: ["one", "two"] }), headers: (token) => ({ authorization: `Bearer ${token}`, "client-id": "app-id" }),
    refusal: { status: 400, json: { status: 400, message: "Invalid authorization code" }, says: /Invalid authorization code/ },
  },
  typeform: { ...plain("https://api.typeform.com/oauth/authorize", "https://api.typeform.com/oauth/token", "https://api.typeform.com", 7 * day, { scope: "one two" }), defaultScope: "offline" },
  webflow: endless("https://webflow.com/oauth/authorize", "https://api.webflow.com/oauth/access_token", "https://api.webflow.com", { scope: "one two" }),
  wrike: { ...plain("https://login.wrike.com/oauth2/authorize/v4", "https://login.wrike.com/oauth2/token", "https://app-us2.wrike.com/api/v4", hour, { host: "app-us2.wrike.com" }), scope: "one,two", config: { host: "app-us2.wrike.com" } },
  xero: {
    ...basic(plain("https://login.xero.com/identity/connect/authorize", "https://identity.xero.com/connect/token", "https://api.xero.com", 1800, { scope: "one two", id_token: "x" })), defaultScope: "offline_access",
    after: [{ request: "GET https://api.xero.com/connections", answer: { json: [{ id: "c", tenantId: "55555555-5555-4555-8555-555555555555", tenantType: "ORGANISATION", tenantName: "Acme" }] } }], config: { tenant_id: "55555555-5555-4555-8555-555555555555" },
    headers: (token) => ({ accept: "application/json", authorization: `Bearer ${token}`, "xero-tenant-id": "55555555-5555-4555-8555-555555555555" }),
  },
  youtube: google("https://youtube.googleapis.com"),
  zendesk: { ...json(plain("https://acme.zendesk.com/oauth/authorizations/new", "https://acme.zendesk.com/oauth/tokens", "https://acme.zendesk.com", 2 * day, { scope: "one two" })), settings: { subdomain: "acme" } },
  zoho,
  "zoho-crm": zoho,
  zoom: basic(plain("https://zoom.us/oauth/authorize", "https://zoom.us/oauth/token", "https://api.zoom.us/v2", 3599, { scope: "one two" })),
};

// ---- the same with other settings ----

const own = "https://gitlab.example.com";
const tenant = "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0";
Object.assign(rows, {
  "gitlab-own": { template: "gitlab", ...plain(`${own}/oauth/authorize`, `${own}/oauth/token`, own, 2 * hour), integration: { baseUrl: own } },
  "microsoft-tenant": { ...microsoft, template: "microsoft", page: `${tenant}/authorize`, token: { url: `${tenant}/token` }, settings: { tenant: "contoso.onmicrosoft.com" } },
  // An app without a bot: only the user has a token, and without rotation it has no end.
  "slack-user": {
    ...rows.slack, template: "slack", life: 0, refresh: false, config: { "team.id": "T1", "team.name": "Acme", app_id: "A1" },
    answer: (n) => ({ ok: true, app_id: "A1", authed_user: { id: "U2", scope: "one", access_token: `at-s3cret-${n}`, token_type: "user" }, team: { id: "T1", name: "Acme" }, enterprise: null }),
  },
  "zoho-com": {
    ...zoho, template: "zoho", page: "https://accounts.zoho.com/oauth/v2/auth", token: { url: "https://accounts.zoho.com/oauth/v2/token" }, settings: {}, base: "https://www.zohoapis.com",
    answer: (n) => once(n, hour, { api_domain: "https://www.zohoapis.com" }), config: { extension: "com", api_domain: "https://www.zohoapis.com" },
  },
});

// ---- MCP servers: a client registers itself, and is a public one ----

const registration = (url) => ({
  request: `POST ${url}`, answer: { status: 201, json: { client_id: "registered-1", token_endpoint_auth_method: "none" } },
  json: ({ redirect_uri }) => ({ client_name: "nangod", redirect_uris: [redirect_uri], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none" }),
});
const mcp = (origin, base, more) => ({
  mode: "MCP_OAUTH2", credentials: { scopes: "one,two" }, app: { client_id: "registered-1" }, before: [registration(`${origin}/register`)],
  ...plain(`${origin}/authorize`, `${origin}/token`, base, hour), token: { url: `${origin}/token`, client: "public" }, ...more,
});
const resource = "https://mcp.example.com/mcp";
const known = { issuer: "https://id.example.com", authorization_endpoint: "https://id.example.com/authorize", token_endpoint: "https://id.example.com/token", registration_endpoint: "https://id.example.com/register" };

Object.assign(rows, {
  "linear-mcp": mcp("https://mcp.linear.app", "https://mcp.linear.app"),
  "notion-mcp": mcp("https://mcp.notion.com", "https://mcp.notion.com"),
  // RFC 9728 names the authorization server, RFC 8414 its endpoints, RFC 8707 the resource.
  "mcp-generic": mcp("https://id.example.com", resource, {
    mode: "MCP_OAUTH2_GENERIC", settings: { mcp_server_url: resource }, pageParams: { resource }, token: { url: "https://id.example.com/token", client: "public", params: { resource } }, refresh: { params: { resource } },
    before: [
      { request: "GET https://mcp.example.com/.well-known/oauth-protected-resource/mcp", answer: { json: { resource, authorization_servers: ["https://id.example.com"] } } },
      { request: "GET https://id.example.com/.well-known/oauth-authorization-server", answer: { json: { ...known, code_challenge_methods_supported: ["S256"] } } },
      registration("https://id.example.com/register"),
    ],
    config: { mcp_oauth: { resource, ...known, takes_client_document: false } },
  }),
});

export const oauth2 = Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, { mode: "OAUTH2", ...row }]));
