"""The mail server of MAIL_SERVER; handing a mail over ends within `SECONDS`."""

import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from pizzeria.rounds import within

SECONDS = 10.0
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


class MailServer:
    """`smtp://`, `smtp+tls://` (STARTTLS, which must work) or `smtps://`."""

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        self._url = urlsplit(url)
        self._seconds = seconds

    def deliver(self, message: EmailMessage) -> None:
        """
        Hand one mail over.

        :raises MailServerAway: if there is no answer, or none that is about this mail
        :raises MailRefused: if the answer is about this mail
        """
        try:
            connection = within(self._seconds, lambda: self._hand_over(message))
        except OSError as error:
            # The type alone: the text may hold what the server said of the password.
            raise MailServerAway(type(error).__name__) from error
        # It has the mail; how it says goodbye changes nothing.
        with suppress(OSError):
            within(_GOODBYE_SECONDS, connection.quit)

    def _hand_over(self, message: EmailMessage) -> smtplib.SMTP:
        connection = self._connect()
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

    def _connect(self) -> smtplib.SMTP:
        # Without a name of its own smtplib asks the DNS for one, however long it takes.
        port = self._url.port or _PORTS[self._url.scheme]
        where = (self._url.hostname or "", port, "localhost")
        if self._url.scheme == "smtps":
            return smtplib.SMTP_SSL(
                *where, timeout=self._seconds, context=ssl.create_default_context()
            )
        return smtplib.SMTP(*where, timeout=self._seconds)


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
