"""The streams under /live/."""

from mario.settings.base import env

# Without Redis pages look by themselves, every few seconds.
LIVE_REDIS_URL: str = env.redis_url if env.redis_enabled else ""
# `mario_session:*` does not match it.
LIVE_STREAM_KEY = f"live:{env.redis_key_prefix}"
LIVE_URL = env.live_url or ""
LIVE_ORIGINS = [env.app_url, *env.live_origins]
LIVE_MAX_STREAMS = 2000
# How long somebody whose permission was taken away goes on being told at most; the end
# of a session closes its streams at once.
LIVE_RECHECK_SECONDS = 60
LIVE_HEARTBEAT_SECONDS = 15
