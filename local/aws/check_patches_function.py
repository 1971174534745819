"""The trial function of check_patches.py: logs its event and does what its path says."""

import http.client
import json
import os
import time


def answer(event: dict) -> dict:
    kind = event.get("rawPath", "").rpartition("/")[2]
    if kind != "x":
        print(json.dumps(event), flush=True)
    if kind == "fail":
        raise RuntimeError("asked to fail")
    if kind == "slow":
        time.sleep(0.5)
    if kind == "aws":
        call_aws(**json.loads(event["body"]))
    body = json.dumps({**event, "environment": os.getpid()})
    return {"statusCode": 429 if kind == "429" else 200, "body": body}


def call_aws(service: str, operation: str, arguments: dict) -> None:
    import boto3

    getattr(boto3.client(service, endpoint_url=os.environ["ENDPOINT"]), operation)(**arguments)


def serve() -> None:
    runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        runtime.request("GET", "/2018-06-01/runtime/invocation/next")
        invocation = runtime.getresponse()
        body = invocation.read()
        if invocation.status != 200:
            return
        try:
            kind, result = "response", answer(json.loads(body))
        except Exception as error:
            kind, result = "error", {"errorMessage": str(error), "errorType": type(error).__name__}
        request_id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
        runtime.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/{kind}", json.dumps(result))
        runtime.getresponse().read()


serve()
