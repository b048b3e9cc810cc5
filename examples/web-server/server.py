"""A guest book: an ordinary web server, which knows nothing of functions. Try it: python3 server.py, then http://127.0.0.1:8000."""

import html
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

ENTRIES = []
LONGEST = 1000
MOST = 100


class GuestBook(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/":
            return self.send_error(404)
        entries = "".join(f"<li>{html.escape(entry)}</li>" for entry in ENTRIES)
        form = '<form method="post"><input name="entry"><button>Sign</button></form>'
        self.answer(f"<!doctype html><title>Guests</title><h1>Guests</h1><ul>{entries}</ul>{form}")

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        fields = parse_qs(self.rfile.read(length).decode())
        entry = fields.get("entry", [""])[0][:LONGEST]
        if not entry:
            return self.send_error(400, "There is no entry")
        ENTRIES.append(entry)
        del ENTRIES[:-MOST]
        self.send_response(303)
        self.send_header("location", "./")
        self.send_header("set-cookie", "signed=yes; Path=/")
        self.send_header("content-length", "0")
        self.end_headers()

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8000"))
    ThreadingHTTPServer(("127.0.0.1", port), GuestBook).serve_forever()
