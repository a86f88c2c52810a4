#!/bin/sh
# Run a `recolor` command for MLflow Projects, with the code of this folder. MLflow keeps the
# environment that it has built for as long as the dependencies are the same, so whatever copy of
# the code is in there may be old, or another clone's.
set -e
python -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
    --no-deps --no-build-isolation --editable .
exec recolor "$@"
