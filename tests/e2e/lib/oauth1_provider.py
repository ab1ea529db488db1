# SPDX-License-Identifier: Apache-2.0
"""A provider of OAuth 1.0 whose checks are python3-oauthlib's. argv[1] is JSON: clients {key: secret},
tokens {token: secret} that are there already, realm, method (of signatures), pages of /api/items, failures. Prints
its port, then a line of JSON for each request and what became of it."""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from oauthlib.oauth1 import AccessTokenEndpoint, AuthorizationEndpoint, RequestTokenEndpoint, RequestValidator, ResourceEndpoint

settings = json.loads(sys.argv[1])
clients, tokens, pending, seen = settings["clients"], dict(settings.get("tokens", {})), {}, set()
failures = settings.get("failures", 0)  # of signed requests, before one is answered


class Validator(RequestValidator):
    enforce_ssl = False
    allowed_signature_methods = (settings["method"],)
    dummy_client = dummy_request_token = dummy_access_token = "dummy"
    timestamp_lifetime = 60
    check_client_key = check_request_token = check_access_token = check_verifier = lambda self, text: bool(text)
    check_nonce = lambda self, nonce: 20 <= len(nonce) <= 64
    get_client_secret = lambda self, key, request: clients.get(key, "none")
    get_request_token_secret = lambda self, key, token, request: pending.get(token, {}).get("secret", "none")
    get_access_token_secret = lambda self, key, token, request: tokens.get(token, "none")
    get_default_realms = get_realms = lambda self, *a: []
    get_redirect_uri = lambda self, token, request: pending[token]["callback"]
    validate_client_key = lambda self, key, request: key in clients
    validate_request_token = verify_request_token = lambda self, *a: a[-2] in pending
    validate_access_token = lambda self, key, token, request: token in tokens
    validate_redirect_uri = lambda self, key, uri, request: uri.startswith("http://127.0.0.1:")
    validate_requested_realms = validate_realms = verify_realms = lambda self, *a, **k: True
    validate_verifier = lambda self, key, token, verifier, request: pending.get(token, {}).get("verifier") == verifier
    invalidate_request_token = lambda self, key, token, request: pending.pop(token)

    def validate_timestamp_and_nonce(self, key, timestamp, nonce, request, request_token=None, access_token=None):
        if nonce in seen:
            return False
        seen.add(nonce)
        return True

    def save_request_token(self, token, request):
        pending[token["oauth_token"]] = {"secret": token["oauth_token_secret"], "callback": request.redirect_uri}

    def save_verifier(self, token, verifier, request):
        pending[token]["verifier"] = verifier["oauth_verifier"]

    def save_access_token(self, token, request):
        tokens[token["oauth_token"]] = token["oauth_token_secret"]


validator = Validator()
request_token, access_token = RequestTokenEndpoint(validator), AccessTokenEndpoint(validator)
authorization, resource = AuthorizationEndpoint(validator), ResourceEndpoint(validator)


class Handler(BaseHTTPRequestHandler):
    log_message = lambda self, *a: None

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        uri, path = f"http://{self.headers['host']}{self.path}", urlsplit(self.path).path
        args = (uri, self.command, body, dict(self.headers))
        if path == "/request_token":
            headers, text, status = request_token.create_request_token_response(*args)
        elif path == "/access_token":
            headers, text, status = access_token.create_access_token_response(*args)
        elif path == "/authorize":  # the person agrees at once
            headers, text, status = authorization.create_authorization_response(*args, credentials={})
        else:
            headers, text, status = self.api(args, path)
        line = {"method": self.command, "path": self.path, "status": status, "body": body,
                "authorization": self.headers.get("authorization", ""), "answer": text}
        print(json.dumps(line), flush=True)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        data = (text or "").encode()
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def api(self, args, path):
        global failures
        ok, _ = resource.validate_protected_resource_request(*args, realms=[])
        realm = settings.get("realm")
        if not ok or (realm and not args[3].get("authorization", "").startswith(f'OAuth realm="{realm}"')):
            return {}, '{"error":"bad signature"}', 403
        if failures > 0:
            failures -= 1
            return {"retry-after": "0"}, "{}", 503
        page = int(dict(parse_qsl(urlsplit(args[0]).query)).get("page", "1"))
        pages = settings.get("pages", [])
        return {"content-type": "application/json"}, json.dumps(pages[page - 1] if page <= len(pages) else []), 200

    do_GET = do_POST = do_PUT = handle_any


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
