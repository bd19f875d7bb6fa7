#!/usr/bin/env python3
"""Fail unless the server in this container says that it is alive."""

import sys
import urllib.request

port = sys.argv[1] if len(sys.argv) > 1 else "8080"
try:
    urllib.request.urlopen(f"http://localhost:{port}/health", timeout=4).close()
except OSError as error:
    sys.exit(f"Nothing answers at port {port}: {error}")
