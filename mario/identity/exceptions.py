"""
What can go wrong with a login.

    IdentityError
    +- InvalidToken          a token not to be believed; 401, or 400 at a callback
    |  +- OutOfTime          expired, or from the future; of a new one: a clock is wrong
    |  +- BoundToken         one that proves nothing without its key (DPoP)
    |  +- LoginEnded         Keycloak has ended its login since
    |  +- SessionOfAnother   its login's session here is of another person
    |  +- UnknownKey         it may be good, and its key too new to be known yet
    +- LoginRefused          the person may not come in; the reason is for people
    |  +- GrantRefused       the code or the refresh token is worth nothing any more
    +- ProviderUnavailable   Keycloak did not answer as it should in time; 503
       +- WrongProvider      what answers there calls itself another issuer
"""


class IdentityError(Exception):
    pass


class InvalidToken(IdentityError):
    """Says why for the log; the caller is told no more than `invalid_token`."""


class OutOfTime(InvalidToken):
    pass


class BoundToken(InvalidToken):
    pass


class LoginEnded(InvalidToken):
    pass


class SessionOfAnother(InvalidToken):
    pass


class UnknownKey(InvalidToken):
    pass


class LoginRefused(IdentityError):
    pass


class GrantRefused(LoginRefused):
    pass


class ProviderUnavailable(IdentityError):
    pass


class WrongProvider(ProviderUnavailable):
    pass
