#!/usr/bin/env python3
"""Fail unless the shop in this container says that it is alive."""

import sys
import urllib.request

try:
    urllib.request.urlopen("http://localhost:8080/health", timeout=4).close()
except OSError as error:
    sys.exit(f"The shop does not answer: {error}")
