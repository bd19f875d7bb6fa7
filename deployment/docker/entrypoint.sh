#!/bin/sh
# `serve` prepares the database and starts the shop, `live` its streams; anything else
# is a management command: docker compose run --rm mario-pizzeria-app sessions list
set -eu

key_file=var/secret_key
if [ -z "${SECRET_KEY:-}" ]; then
    if [ ! -s "$key_file" ]; then
        (umask 077 && python -c 'import secrets; print(secrets.token_urlsafe(50))' >"$key_file.new")
        mv "$key_file.new" "$key_file"
    fi
    SECRET_KEY=$(cat "$key_file")
    export SECRET_KEY
fi

if [ "${1:-serve}" = live ]; then
    exec python -m mario.live --host 0.0.0.0 --port 8083
fi
if [ "${1:-serve}" != serve ]; then
    exec python manage.py "$@"
fi

python manage.py migrate --no-input
python manage.py seed_menu
# One process per container: sessions that fall back to memory stay whole, and more
# containers are how it grows. /dev/shm: heartbeats must not wait for a disk.
exec gunicorn --bind 0.0.0.0:8080 --workers 1 --worker-tmp-dir /dev/shm --no-control-socket
