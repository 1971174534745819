"""Packages the functions that cargo lambda built, and deploys template.yaml: to AWS or to the local stack.

In the place of `aws cloudformation package`, which compresses every binary on every run (20 s for
debug builds) and takes a new time stamp for new code. Here a function's key is made of its binary
and of all parameters: the same two mean no upload and no new version, another parameter means a
new version, which SAM alone would not publish.

Usage: python local/aws/deploy.py <stack> <bucket for code> [Parameter=value …]
Credentials, region and AWS_ENDPOINT_URL come from the environment. Prints one JSON object:
{"changed": whether the stack did, "outputs": {name: value}}.
"""

import hashlib
import io
import json
import os
import pathlib
import re
import sys
import time
import zipfile

import boto3
from botocore.exceptions import ClientError

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCAL = "AWS_ENDPOINT_URL" in os.environ
POLL_S = 0.1 if LOCAL else 3
S3, CLOUDFORMATION = boto3.client("s3"), boto3.client("cloudformation")
NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")


def main() -> None:
    stack, bucket, *settings = sys.argv[1:]
    ensure_bucket(bucket)
    template = upload_functions(bucket, (ROOT / "template.yaml").read_text(), "\n".join(sorted(settings)))
    parameters = [dict(zip(("ParameterKey", "ParameterValue"), setting.split("=", 1))) for setting in settings]
    changed = apply_changes(stack, upload_template(bucket, template), parameters)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in describe(stack)["Outputs"]}
    print(json.dumps({"changed": changed, "outputs": outputs}))


def ensure_bucket(bucket: str) -> None:
    try:
        S3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        S3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": S3.meta.region_name})


def upload_functions(bucket: str, template: str, settings: str) -> str:
    """Returns the template with every CodeUri pointing to what was uploaded."""

    def uploaded(code_uri: re.Match) -> str:
        binary = (ROOT / code_uri["folder"] / "bootstrap").read_bytes()
        digest = hashlib.sha256(binary + settings.encode()).hexdigest()[:32]
        key = f"code/{code_uri['function']}/{digest}.zip"
        put_unless_there(bucket, key, lambda: zipped(binary))
        return f"CodeUri: s3://{bucket}/{key}"

    return re.sub(r"CodeUri: (?P<folder>target/lambda/(?P<function>[a-z-]+))/", uploaded, template)


def upload_template(bucket: str, template: str) -> str:
    # In the bucket, because a template given inline has to stay under 51,200 bytes.
    key = f"templates/{hashlib.sha256(template.encode()).hexdigest()[:32]}.yaml"
    put_unless_there(bucket, key, template.encode)
    return f"{S3.meta.endpoint_url}/{bucket}/{key}"


def put_unless_there(bucket: str, key: str, content) -> None:
    try:
        S3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        print(f"uploading {key}", file=sys.stderr)
        S3.put_object(Bucket=bucket, Key=key, Body=content())


def zipped(binary: bytes) -> bytes:
    archive = io.BytesIO()
    bootstrap = zipfile.ZipInfo("bootstrap")
    bootstrap.external_attr = 0o755 << 16
    with zipfile.ZipFile(archive, "w") as target:
        # The emulator keeps every version in memory: worth a little compressing, not much.
        target.writestr(bootstrap, binary, zipfile.ZIP_DEFLATED, 1 if LOCAL else 9)
    return archive.getvalue()


def apply_changes(stack: str, template_url: str, parameters: list[dict]) -> bool:
    discard_failed_creation(stack)
    change = CLOUDFORMATION.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{time.time_ns()}",
        ChangeSetType="UPDATE" if describe(stack) else "CREATE",
        TemplateURL=template_url,
        Parameters=parameters,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )["Id"]
    described = settled(lambda: CLOUDFORMATION.describe_change_set(ChangeSetName=change), "Status")
    if described["Status"] == "FAILED":
        CLOUDFORMATION.delete_change_set(ChangeSetName=change)
        reason = described.get("StatusReason", "")
        if any(phrase in reason for phrase in NOTHING_TO_DO):
            return False
        sys.exit(f"the change set failed: {reason}")
    started = time.time()
    CLOUDFORMATION.execute_change_set(ChangeSetName=change)
    status = settled(lambda: describe(stack), "StackStatus")["StackStatus"]
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        sys.exit(f"{stack} is {status}:\n" + "\n".join(failures(stack, started)))
    return True


def discard_failed_creation(stack: str) -> None:
    """A stack whose first creation failed can only be deleted."""
    if describe(stack).get("StackStatus") not in ("ROLLBACK_COMPLETE", "CREATE_FAILED", "REVIEW_IN_PROGRESS"):
        return
    CLOUDFORMATION.delete_stack(StackName=stack)
    while describe(stack):
        time.sleep(POLL_S)


def describe(stack: str) -> dict:
    try:
        return CLOUDFORMATION.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return {}
        raise


def settled(describe_it, field: str) -> dict:
    # UPDATE_COMPLETE_CLEANUP_IN_PROGRESS only removes what is no longer used; it is waited for too.
    while True:
        described = describe_it()
        if not described[field].endswith(("_IN_PROGRESS", "_PENDING")):
            return described
        time.sleep(POLL_S)


def failures(stack: str, since: float) -> list[str]:
    events = CLOUDFORMATION.describe_stack_events(StackName=stack)["StackEvents"]
    return [
        f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED") and event["Timestamp"].timestamp() >= since - 1
    ]


if __name__ == "__main__":
    try:
        main()
    except ClientError as error:
        sys.exit(str(error))
