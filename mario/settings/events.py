"""What leaves the shop as CloudEvents."""

from mario.settings.base import env

EVENT_SINK = env.cloud_event_sink
EVENT_SOURCE = env.cloud_event_source
EVENT_TYPE_PREFIX = env.cloud_event_type_prefix
