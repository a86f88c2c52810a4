#!/bin/sh
# Run a `recolor` command for MLflow Projects, with the code of this folder. MLflow keeps the
# environment that it has built for as long as the dependencies stay the same, so the copy of the
# code in there may be old, or another clone's. It is only replaced where that is so: two steps that
# run at once must not install at once.
set -e
where='from pathlib import Path; from recolor.platform import cli
print(Path(cli.__file__).resolve().parents[2])'
if [ "$(python -c "$where" 2>/dev/null)" != "$(pwd -P)" ]; then
    python -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
        --no-deps --no-build-isolation --editable .
fi
exec python -m recolor.platform.cli.main "$@"
