"""Runs the local AWS: MiniStack with this project's patches.

Not named ministack.py, which would hide the package of that name. `AUTH=true` makes the roles of
template.yaml count, `open` lets every key in; BIND_HOST matters because MiniStack binds every
interface by itself.

Usage: python local/aws/emulator.py <port> <state directory> [region [open]]
"""

import os
import pathlib
import shutil
import sys


def main() -> None:
    port, state, *rest = sys.argv[1:]
    region = rest[0] if rest else "eu-central-1"
    access = rest[1] if len(rest) > 1 else "by role"
    serve(port, pathlib.Path(state).resolve(), region, auth=access != "open")


def serve(
    port: str,
    state: pathlib.Path,
    region: str = "eu-central-1",
    without: frozenset[str] = frozenset(),
    auth: bool = True,
) -> None:
    """Serves until it is told to stop; `without` names patches to leave out."""
    clean_environment(port, state, region, auth)
    forget_orphans(state)
    # Imported only now: MiniStack reads its environment when it is imported.
    import patches
    from ministack import app

    patches.apply(without)
    sys.argv[1:] = []
    app.main()


def clean_environment(port: str, state: pathlib.Path, region: str, auth: bool) -> None:
    """Functions inherit this environment, and on AWS nothing of a developer's shell reaches them."""
    temporary = state / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "LOG_LEVEL") if name in os.environ}
    os.environ.clear()
    os.environ.update(
        kept,
        HOME=str(state),
        TMPDIR=str(temporary),
        LANG="C.UTF-8",
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=port,
        MINISTACK_REGION=region,
        AUTH=str(auth).lower(),
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        # Carts, sessions and pictures outlive a restart, as the database does.
        PERSIST_STATE="1",
        STATE_DIR=str(state / "services"),
        S3_PERSIST="1",
        S3_DATA_DIR=str(state / "s3"),
    )


def forget_orphans(state: pathlib.Path) -> None:
    """Objects are written at once, what owns them every few seconds: without owners they only block a new stack."""
    if not (state / "services" / "cloudformation.json").exists():
        shutil.rmtree(state / "s3", ignore_errors=True)


if __name__ == "__main__":
    main()
