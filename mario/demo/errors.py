class DemoFailed(Exception):
    """The demo cannot start or go on; the message is for the person who ran it."""


class StopRequested(Exception):
    """Somebody pressed Ctrl-C or sent a signal to end the demo."""
