"""Prints the mails in a Maildir as one JSON array, in the order in which they came.

Usage: python local/mail/read.py <maildir>
"""

import email.policy
import json
import pathlib
import sys


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    files = [path for name in ("new", "cur") for path in folder.glob(f"{name}/*")]
    files.sort(key=lambda path: path.stat().st_mtime)
    json.dump([describe(path) for path in files], sys.stdout)


def describe(path: pathlib.Path) -> dict:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return {
        "id": path.name,
        "sent_at": path.stat().st_mtime,
        "headers": [[name, str(value)] for name, value in message.items()],
        "text": content(text),
        "html": content(html),
    }


def content(part) -> str:
    """A mail may name a character set that does not exist."""
    if part is None:
        return ""
    try:
        return part.get_content()
    except (LookupError, UnicodeError):
        return part.get_payload(decode=True).decode("utf-8", errors="replace")


if __name__ == "__main__":
    main()
