"""What runs in a container of the emulator's tests: a small HTTP server whose environment says how it fails."""

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STARTED = time.monotonic()
HEALTHY_AFTER = float(os.environ.get("HEALTHY_AFTER", 0))
UNHEALTHY_AFTER = float(os.environ.get("UNHEALTHY_AFTER", "inf"))
DIE_AFTER = os.environ.get("DIE_AFTER")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        age = time.monotonic() - STARTED
        if self.path == "/slow":
            time.sleep(2)
        is_ill = self.path == "/healthz" and not HEALTHY_AFTER <= age < UNHEALTHY_AFTER
        answer = json.dumps({"version": os.environ["VERSION"]}).encode()
        self.send_response(500 if is_ill else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


def main() -> None:
    server = ThreadingHTTPServer((os.environ["ADDRESS"], 8080), Handler)
    server.daemon_threads = False
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    if DIE_AFTER:
        threading.Timer(float(DIE_AFTER), os._exit, [1]).start()
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
