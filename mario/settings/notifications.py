"""How people hear of their orders when they do not look, and reach the restaurant."""

from mario.settings.base import env

SHOP_PHONE = env.shop_phone
# Off without a server; see `manage.py send_mails`.
MAIL_SERVER = env.mail_server
MAIL_FROM = env.mail_from
# What links in mails begin with.
SHOP_URL = env.app_url
