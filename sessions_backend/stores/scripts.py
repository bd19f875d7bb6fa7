"""
What Redis runs in one step. Each script touches one key; none reads JSON.

Lua's cjson turns [] into {} and loses big integers, so a script compares digests and
moves bytes, and Python does the rest.
"""

import hashlib


class Script:
    def __init__(self, source: str) -> None:
        self.source = source.encode()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest().encode()


# ARGV: SHA-1 of what was loaded, the new bytes, seconds to live.
# Returns 1 done, 0 gone, or the bytes that another writer has stored.
REPLACE = Script("""
local present = redis.call('GET', KEYS[1])
if not present then return 0 end
if redis.sha1hex(present) ~= ARGV[1] then return present end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
""")
