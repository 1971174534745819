"""Tells of each patch whether it works, and whether MiniStack still needs it.

Every check runs twice: with all patches, where it must succeed, and with only its own left out,
where it must fail. Run it when the version of MiniStack in requirements.txt changes.

Usage: python local/aws/check_patches.py [patch …]
"""

import base64
import concurrent.futures
import contextlib
import http.client
import io
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

import boto3
import emulator
import patches

PORT = 27990
ENDPOINT = f"http://127.0.0.1:{PORT}"
TRIAL = pathlib.Path(__file__).with_name("check_patches.yaml")
FUNCTION = pathlib.Path(__file__).with_name("check_patches_function.py")


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        _, _, state, without = sys.argv
        emulator.serve(str(PORT), pathlib.Path(state), without=frozenset(filter(None, [without])))
        return
    wanted = sys.argv[1:] or [name.removeprefix("check_") for name in globals() if name.startswith("check_")]
    with trial() as patched:
        broken = [name for name in wanted if not holds(name, patched)]
    needless = [name for name in wanted if name not in broken and holds_without(name)]
    for name in wanted:
        verdict = "does not work" if name in broken else "no longer needed" if name in needless else "ok"
        print(f"{name}: {verdict}")
    sys.exit(bool(broken or needless))


def holds_without(name: str) -> bool:
    with trial(name) as unpatched:
        return holds(name, unpatched)


def holds(name: str, stack: "Trial") -> bool:
    try:
        return bool(globals()[f"check_{name}"](stack))
    except Exception as error:
        print(f"  {name}: {type(error).__name__}: {error}", file=sys.stderr)
        return False


@contextlib.contextmanager
def trial(without: str = ""):
    """A fresh emulator with the stack of check_patches.yaml in it."""
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, __file__, "serve", state, without]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, **quiet)
        try:
            eventually(lambda: urllib.request.urlopen(f"{ENDPOINT}/_ministack/health").status == 200)
            yield Trial(pathlib.Path(state))
        finally:
            process.terminate()
            process.wait()


class Trial:
    """The trial stack and the ways to talk to it."""

    def __init__(self, state: pathlib.Path) -> None:
        self.state = state
        s3 = client("s3")
        s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_object(Bucket="code", Key="trial.zip", Body=package())
        outputs = deploy("trial", TRIAL.read_text())
        self.api, self.queue = outputs["Api"], outputs["Queue"]
        self.secret, self.table = outputs["Secret"], outputs["Table"]

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str):
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Host": f"{self.api}.execute-api.localhost:{PORT}", **named})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def aws(self, service: str, operation: str, **arguments):
        """Calls AWS with the rights of the trial function."""
        request = json.dumps({"service": service, "operation": operation, "arguments": arguments}).encode()
        return self.call("POST", "/trial/aws", request, content_type="application/json")[0] == 200

    def lines(self) -> list[str]:
        logs = client("logs")
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/trial")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]


def client(service: str):
    access = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-central-1"}
    return boto3.client(service, endpoint_url=ENDPOINT, **access)


def deploy(name: str, template: str) -> dict[str, str]:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    outputs = cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def package() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        zipped.writestr(bootstrap, f"#!{sys.executable}\n{FUNCTION.read_text()}")
    return archive.getvalue()


def eventually(condition, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            if condition():
                return True
        time.sleep(0.05)
    return False


def check_http_api_routes_from_body(stack: Trial) -> bool:
    return stack.call("GET", "/trial/x")[1].get("routeKey") == "ANY /trial/{proxy+}"


def check_http_api_options_are_routed(stack: Trial) -> bool:
    status, event = stack.call("OPTIONS", "/trial/x")
    return status == 200 and event["requestContext"]["http"]["method"] == "OPTIONS"


def check_http_api_event_is_complete(stack: Trial) -> bool:
    address = {"x_holdfast_client_address": "203.0.113.9"}
    _, event = stack.call("GET", "/trial/x", cookie="a=1; b=2", x_forwarded_for="198.51.100.1", **address)
    headers = event["headers"]
    return (
        event["cookies"] == ["a=1", "b=2"]
        and event["requestContext"]["http"]["sourceIp"] == "203.0.113.9"
        and headers["x-forwarded-for"] == "198.51.100.1, 203.0.113.9"
        and not {"cookie", "x-holdfast-client-address"} & headers.keys()
    )


def check_http_api_bodies_are_kept(stack: Trial) -> bool:
    _, event = stack.call("POST", "/trial/x", b'{"a":"\xff"}', content_type="application/json")
    _, text = stack.call("POST", "/trial/x", '{"a":"é"}'.encode(), content_type="application/json")
    return event["isBase64Encoded"] and base64.b64decode(event["body"]) == b'{"a":"\xff"}' and text["body"] == '{"a":"é"}'


def check_http_api_errors_are_the_gateways(stack: Trial) -> bool:
    own, failed = stack.call("GET", "/trial/429"), stack.call("GET", "/trial/fail")
    large, _ = stack.call("POST", "/trial/x", bytes(10 * 1024 * 1024 + 1))
    return own[0] == 429 and failed == (500, {"message": "Internal Server Error"}) and large == 413


def check_invocations_do_not_wait(stack: Trial) -> bool:
    def timed() -> float:
        start = time.monotonic()
        stack.call("GET", "/trial/x")
        return time.monotonic() - start

    return statistics.median(timed() for _ in range(21)) < 0.04


def check_cold_starts_take_turns(stack: Trial) -> bool:
    lambda_ = client("lambda")
    event, count = json.dumps({"rawPath": "/slow"}), patches.STARTS_AT_ONCE + 4

    def environment(_) -> str:
        answer = lambda_.invoke(FunctionName="crowd", Payload=event)["Payload"].read()
        return json.loads(json.loads(answer)["body"])["environment"]

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        # Whoever had to wait gets an environment that became free, or one of its own.
        return len(set(pool.map(environment, range(count)))) < count


def check_reserved_concurrency_holds(stack: Trial) -> bool:
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: stack.call("GET", "/trial/slow")[0], range(3)))
    return sorted(answers) == [200, 200, 503]


def check_queue_concurrency_is_a_number(stack: Trial) -> bool:
    client("sqs").send_message(QueueUrl=stack.queue, MessageBody="the queue is read")
    return eventually(lambda: any("the queue is read" in line for line in stack.lines()))


def check_batches_need_no_action_of_their_own(stack: Trial) -> bool:
    entries = [{"Id": "1", "MessageBody": "x"}]
    return stack.aws("sqs", "send_message_batch", QueueUrl=stack.queue, Entries=entries)


def check_mail_is_judged_by_its_sender(stack: Trial) -> bool:
    client("sesv2").create_email_identity(EmailIdentity="trial.test")
    content = {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}}
    mail = {"Destination": {"ToAddresses": ["a@example.org"]}, "Content": content}
    return stack.aws("sesv2", "send_email", FromEmailAddress="Trial <a@trial.test>", **mail) and not stack.aws(
        "sesv2", "send_email", FromEmailAddress="a@other.test", **mail
    )


def check_generated_secrets_obey(stack: Trial) -> bool:
    value = json.loads(client("secretsmanager").get_secret_value(SecretId=stack.secret)["SecretString"])
    return value["username"] == "trial" and value["password"].isalnum() and len(value["password"]) == 40


def check_tables_expire_items(stack: Trial) -> bool:
    expiry = client("dynamodb").describe_time_to_live(TableName=stack.table)["TimeToLiveDescription"]
    return expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def check_state_survives_a_kill(stack: Trial) -> bool:
    saved = stack.state / "services" / "secretsmanager.json"
    return eventually(lambda: saved.exists() and stack.secret in saved.read_text())


def check_rotation_calls_the_function(stack: Trial) -> bool:
    lambda_arn = client("lambda").get_function(FunctionName="trial")["Configuration"]["FunctionArn"]
    schedule = {"SecretId": stack.secret, "RotationLambdaARN": lambda_arn, "RotationRules": {"AutomaticallyAfterDays": "30"}}
    resource = {"Type": "AWS::SecretsManager::RotationSchedule", "Properties": schedule}
    deploy("rotation", json.dumps({"Resources": {"Rotation": resource}}))
    secrets = client("secretsmanager")
    if secrets.describe_secret(SecretId=stack.secret)["RotationRules"] != {"AutomaticallyAfterDays": 30}:
        return False
    steps = ("createSecret", "setSecret", "testSecret", "finishSecret")

    def asked(version: str) -> list[str]:
        lines = [line for line in stack.lines() if version in line]
        return [step for line in lines for step in steps if f'"Step": "{step}"' in line]

    version = secrets.rotate_secret(SecretId=stack.secret)["VersionId"]
    if not eventually(lambda: asked(version) == list(steps)):
        return False
    # The trial function has done none of it, so the next rotation takes up this one.
    try:
        secrets.rotate_secret(SecretId=stack.secret)
    except secrets.exceptions.InvalidRequestException:
        return eventually(lambda: asked(version) == [*steps, *steps])
    return False


def check_current_version_is_not_pending(stack: Trial) -> bool:
    secrets = client("secretsmanager")
    present = secrets.get_secret_value(SecretId=stack.secret)["VersionId"]
    added = secrets.put_secret_value(SecretId=stack.secret, SecretString="x", VersionStages=["AWSPENDING"])["VersionId"]
    move = {"MoveToVersionId": added, "RemoveFromVersionId": present}
    secrets.update_secret_version_stage(SecretId=stack.secret, VersionStage="AWSCURRENT", **move)
    stages = secrets.describe_secret(SecretId=stack.secret)["VersionIdsToStages"]
    return stages == {added: ["AWSCURRENT"], present: ["AWSPREVIOUS"]}


def check_version_without_a_value_is_absent(stack: Trial) -> bool:
    secrets = client("secretsmanager")
    secrets.create_secret(Name="empty")
    secrets.put_secret_value(SecretId="empty", VersionStages=["AWSPENDING"])
    try:
        secrets.get_secret_value(SecretId="empty", VersionStage="AWSPENDING")
    except secrets.exceptions.ResourceNotFoundException:
        return True
    return False


if __name__ == "__main__":
    main()
