"""A webhook receiver that prints what it gets and takes everything. Port 9000, or the one that is given."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        print(self.headers["webhook-id"], body.decode(), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


address = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000").split(":")
HTTPServer((address[0], int(address[1])), Receiver).serve_forever()
