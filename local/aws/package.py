"""Packs the functions and writes a template that names the packages, as `aws cloudformation package`
does: that compresses everything at its best at every call, which takes longer than compiling.

Usage: python local/aws/package.py <endpoint> <bucket> <template> <output> <parameters>

The parameters, in any spelling, are part of each package's name: SAM publishes a version only when
the code's place changes, and a version keeps the environment that it was published with.
"""

import hashlib
import io
import pathlib
import re
import sys
import zipfile

import boto3

CODE_URI = re.compile(r"^(\s*CodeUri:\s*)(\S+?)/?\s*$", re.MULTILINE)


def main() -> None:
    endpoint, bucket, template, output, parameters = sys.argv[1:]
    template, output = pathlib.Path(template), pathlib.Path(output)
    s3 = boto3.client("s3", endpoint_url=endpoint)
    # A rollback still wants the packages of the template before.
    wanted = set(re.findall(rf"s3://{bucket}/(\S+)", output.read_text() if output.exists() else ""))
    present = keys_in(s3, bucket)

    def packed(match: re.Match) -> str:
        program = template.parent / match[2] / "bootstrap"
        key = hashlib.sha256(program.read_bytes() + parameters.encode()).hexdigest() + ".zip"
        if key not in present:
            s3.put_object(Bucket=bucket, Key=key, Body=archive(program))
        wanted.add(key)
        return f"{match[1]}s3://{bucket}/{key}"

    output.write_text(CODE_URI.sub(packed, template.read_text()))
    for key in present - wanted:
        s3.delete_object(Bucket=bucket, Key=key)


def keys_in(s3, bucket: str) -> set[str]:
    """Makes the bucket if there is none."""
    names = [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    if bucket not in names:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def archive(program: pathlib.Path) -> bytes:
    """The same program gives the same bytes: no time, no owner."""
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as pack:
        pack.writestr(entry, program.read_bytes(), compresslevel=1)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
