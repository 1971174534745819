"""How Secrets Manager rotates: what MiniStack does otherwise than AWS, as patches.py says."""

import contextvars
import functools
import threading
import time
import uuid

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import lambda_svc, secretsmanager
from ministack.services.cloudformation import provisioners

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
running: set[str] = set()
asked_again: set[str] = set()


def rotation_calls_the_function() -> None:
    """RotationSchedule is an unknown type, and RotateSecret copies the old value instead of calling its function."""

    def schedule(logical_id, properties, stack):
        _, secret = secretsmanager._resolve(properties["SecretId"])
        set_rotation(secret, properties)
        return secret["ARN"], {"Id": secret["ARN"]}

    rotate_without_function = secretsmanager._rotate_secret

    def rotate(request):
        _, secret = secretsmanager._resolve(request.get("SecretId"))
        if not secret or not (request.get("RotationLambdaARN") or secret.get("RotationLambdaARN")):
            return rotate_without_function(request)
        set_rotation(secret, request)
        if request.get("RotateImmediately") is False:
            return json_response({"ARN": secret["ARN"], "Name": secret["Name"]})
        left, _ = secretsmanager._find_stage_version(secret, PENDING)
        if left and left != secretsmanager._find_stage_version(secret, CURRENT)[0]:
            start(secret, left)
            message = "A previous rotation isn't complete. That rotation will be reattempted."
            return error_response_json("InvalidRequestException", message, 400)
        token = request.get("ClientRequestToken") or str(uuid.uuid4())
        secretsmanager._remove_stage_everywhere(secret, PENDING)
        # AWS marks the version before the first step; a rotation function checks for it.
        version = {"SecretString": None, "SecretBinary": None, "CreatedDate": int(time.time()), "Stages": [PENDING]}
        secret["Versions"].setdefault(token, version)
        start(secret, token)
        return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token})

    provisioners._RESOURCE_HANDLERS.setdefault(
        "AWS::SecretsManager::RotationSchedule", {"create": schedule, "delete": lambda physical_id, properties: None}
    )
    secretsmanager._rotate_secret = rotate


def set_rotation(secret: dict, wanted: dict) -> None:
    secret["RotationEnabled"] = True
    if function := wanted.get("RotationLambdaARN"):
        secret["RotationLambdaARN"] = function
    if rules := wanted.get("RotationRules"):
        # From a parameter of a template it comes as text, which no SDK takes back.
        days = {name: int(value) for name, value in rules.items() if name == "AutomaticallyAfterDays"}
        secret["RotationRules"] = {**rules, **days}


def start(secret: dict, token: str) -> None:
    """Begins with the first step. While this secret's steps are being done, only once they have failed."""
    if secret["ARN"] in running:
        asked_again.add(secret["ARN"])
        return
    running.add(secret["ARN"])
    run = functools.partial(contextvars.copy_context().run, attempt, secret, token)
    threading.Thread(target=run, daemon=True).start()


def attempt(secret: dict, token: str) -> None:
    arn = secret["ARN"]
    try:
        while not do_steps(secret, token) and arn in asked_again:
            asked_again.discard(arn)
    finally:
        running.discard(arn)
        asked_again.discard(arn)


def do_steps(secret: dict, token: str) -> bool:
    scope = {"account_id": get_account_id(), "region": get_region()}
    function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(secret["RotationLambdaARN"], **scope)
    record = lambda_svc._execution_record_for_config(function, config)
    for step in STEPS:
        event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token}
        if lambda_svc._execute_function_with_config_scope(record, event).get("error"):
            return False
    secret["LastRotatedDate"] = int(time.time())
    return True


def current_version_is_not_pending() -> None:
    """A version that becomes current stays pending as well, and versions without a stage pile up."""
    update = secretsmanager._update_secret_version_stage

    def update_stage(request):
        answer = update(request)
        _, secret = secretsmanager._resolve(request.get("SecretId"))
        if answer[0] == 200 and request.get("VersionStage") == CURRENT:
            secretsmanager._remove_stage(secret, request.get("MoveToVersionId"), PENDING)
            for version in [name for name, kept in secret["Versions"].items() if not kept["Stages"]]:
                del secret["Versions"][version]
        return answer

    secretsmanager._update_secret_version_stage = update_stage


def version_without_a_value_is_absent() -> None:
    """GetSecretValue answers an empty version with success; AWS finds none."""
    get = secretsmanager._get_secret_value

    def get_value(request):
        answer = get(request)
        if answer[0] == 200 and not any(name in answer[2] for name in (b'"SecretString"', b'"SecretBinary"')):
            message = "Secrets Manager can't find the specified secret value."
            return error_response_json("ResourceNotFoundException", message, 400)
        return answer

    secretsmanager._get_secret_value = get_value


PATCHES = (rotation_calls_the_function, current_version_is_not_pending, version_without_a_value_is_absent)
