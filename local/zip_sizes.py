"""Prints how large programs are, plain and as the zip of a function, deflated at its best.

Usage: python local/zip_sizes.py <program>...
"""

import io
import json
import pathlib
import sys
import zipfile


def main() -> None:
    print(json.dumps([sizes(pathlib.Path(path).read_bytes()) for path in sys.argv[1:]]))


def sizes(program: bytes) -> dict[str, int]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as pack:
        pack.writestr("bootstrap", program)
    return {"program_bytes": len(program), "zip_bytes": buffer.tell()}


if __name__ == "__main__":
    main()
