"""
The mail server of MAIL_SERVER.

A mail is said within `SECONDS`, and its answer awaited for `ANSWER_SECONDS` more. Who
has run out of time says nothing further, so that no mail leaves that is sent again.
"""

import smtplib
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from pizzeria.rounds import within

SECONDS = 10.0
# A server may look a mail through before it answers.
ANSWER_SECONDS = 30.0
_GOODBYE_SECONDS = 1.0
_FINAL = 500
_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


class MailServerAway(Exception):
    """The server takes nothing at the moment; no mail is to blame."""


class MailRefused(Exception):
    """The server does not take this one mail."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answered {status}")
        self.is_final = status >= _FINAL


class AnswerMissing(Exception):
    """The server was given this mail, and did not say whether it has it."""


class MailServer:
    """`smtp://`, `smtp+tls://` (STARTTLS, which must work) or `smtps://`."""

    def __init__(
        self,
        url: str,
        *,
        seconds: float = SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._url = urlsplit(url)
        self._seconds = seconds
        self._answer_seconds = answer_seconds

    def deliver(self, message: EmailMessage) -> None:
        """
        Hand one mail over.

        :raises MailServerAway: if there is no answer, or none that is about this mail
        :raises MailRefused: if the answer is about this mail
        :raises AnswerMissing: if it was said, and no answer came
        """
        attempt = _Attempt(time.monotonic() + self._seconds, self._answer_seconds)
        seconds = self._seconds + self._answer_seconds
        try:
            connection = within(seconds, lambda: self._hand_over(message, attempt))
        except OSError as error:
            if attempt.is_said:
                raise AnswerMissing from error
            # The type alone: the text may hold what the server said of the password.
            raise MailServerAway(type(error).__name__) from error
        # It has the mail; how it says goodbye changes nothing.
        with suppress(OSError):
            within(_GOODBYE_SECONDS, connection.quit)

    def _hand_over(self, message: EmailMessage, attempt: "_Attempt") -> smtplib.SMTP:
        connection = self._connect(attempt)
        try:
            if self._url.scheme == "smtp+tls":
                connection.starttls(context=ssl.create_default_context())
            if self._url.username:
                connection.login(
                    unquote(self._url.username), unquote(self._url.password or "")
                )
            _send(connection, message)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, attempt: "_Attempt") -> smtplib.SMTP:
        # Without a name of its own smtplib asks the DNS for one, however long it takes.
        port = self._url.port or _PORTS[self._url.scheme]
        where = (self._url.hostname or "", port, "localhost")
        if self._url.scheme == "smtps":
            return _BoundedTls(
                *where,
                attempt=attempt,
                timeout=self._seconds,
                context=ssl.create_default_context(),
            )
        return _Bounded(*where, attempt=attempt, timeout=self._seconds)


@dataclass
class _Attempt:
    """What sender and connection, in threads of their own, know of each other."""

    ends_at: float
    answer_seconds: float
    is_said: bool = False


class _Bounded(smtplib.SMTP):
    """Begins nothing once the attempt's time is over."""

    def __init__(self, *where: Any, attempt: _Attempt, **options: Any) -> None:
        self._attempt = attempt
        super().__init__(*where, **options)

    def send(self, s: str | bytes) -> None:  # type: ignore[override]
        if not self._attempt.is_said and time.monotonic() > self._attempt.ends_at:
            raise TimeoutError
        super().send(s)
        # smtplib says commands as text; bytes are the mail, to its last dot.
        if isinstance(s, bytes) and self.sock is not None:
            self._attempt.is_said = True
            self.sock.settimeout(self._attempt.answer_seconds)


class _BoundedTls(_Bounded, smtplib.SMTP_SSL):
    pass


def _send(connection: smtplib.SMTP, message: EmailMessage) -> None:
    try:
        connection.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        status, _ = next(iter(error.recipients.values()))
        raise MailRefused(status) from error
    except smtplib.SMTPDataError as error:
        raise MailRefused(error.smtp_code) from error
    except smtplib.SMTPNotSupportedError as error:
        # An address that this server cannot spell.
        raise MailRefused(_FINAL) from error
