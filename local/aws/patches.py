"""What MiniStack 1.5.33 does otherwise than AWS and this project needs, mended at run time.

One function per gap. `check_patches.py` has a check for each, which also tells when MiniStack
itself no longer needs it.
"""

import contextlib
import contextvars
import email.utils
import functools
import json
import logging
import os
import queue
import threading
import time
import uuid

import rotation
from ministack import app
from ministack.core import iam_actions, lambda_runtime
from ministack.services import apigateway, dynamodb, lambda_svc, secretsmanager, ses_v2
from ministack.services.cloudformation import provisioners

CLIENT_ADDRESS = "x-holdfast-client-address"
PAYLOAD_MAX = 10 * 1024 * 1024
SAVE_EVERY_S = 3
STARTS_AT_ONCE = 4 * (os.cpu_count() or 1)
TURN_MAX_S = 15
JSON = {"Content-Type": "application/json"}
RESOURCES = provisioners._RESOURCE_HANDLERS


def apply(without: frozenset[str]) -> None:
    """Applies every patch but those named; the checks leave one out at a time."""
    for patch in PATCHES:
        if patch.__name__ not in without:
            patch()


def http_api_routes_from_body() -> None:
    """The OpenAPI `Body` that SAM writes for an HTTP API is ignored, so every call is a 404."""
    api = RESOURCES["AWS::ApiGatewayV2::Api"]
    create, update = api["create"], api["update"]

    def create_with_routes(logical_id, properties, stack):
        created = create(logical_id, properties, stack)
        import_routes(created[0], properties.get("Body") or {})
        return created

    def update_with_routes(physical_id, old, new, stack, logical_id=None):
        updated = update(physical_id, old, new, stack, logical_id=logical_id)
        import_routes(updated[0], new.get("Body") or {})
        return updated

    api["create"], api["update"] = create_with_routes, update_with_routes


def import_routes(api_id: str, body: dict) -> None:
    integrations, routes = {}, {}
    operations = ((path, *entry) for path, methods in body.get("paths", {}).items() for entry in methods.items())
    for path, method, operation in operations:
        integration = operation.get("x-amazon-apigateway-integration")
        if not integration:
            continue
        key, method = uuid.uuid4().hex[:8], "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
        integrations[key] = {
            "integrationId": key,
            **provisioners._apigw_v2_integration_props({
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": integration["uri"],
                "PayloadFormatVersion": integration.get("payloadFormatVersion", "2.0"),
            }),
        }
        route_key = "$default" if path in ("$default", "/$default") else f"{method} {path}"
        route = {"RouteKey": route_key, "Target": f"integrations/{key}"}
        routes[key] = {"routeId": key, **provisioners._apigw_v2_route_props(route)}
    apigateway._integrations[api_id], apigateway._routes[api_id] = integrations, routes


def http_api_options_are_routed() -> None:
    """OPTIONS is refused with 403 where the API has no CORS settings; AWS gives it to the route."""
    handle = apigateway._handle_execute_in_scope

    async def handle_in_scope(api_id, stage, path, method, headers, body, query, account, region, raw_query=None):
        api = apigateway._apis.get(api_id) or {}
        route = apigateway._match_route(api_id, method, path) if method == "OPTIONS" else None
        if route is None or api.get("corsConfiguration"):
            return await handle(api_id, stage, path, method, headers, body, query, account, region, raw_query)
        key = route["routeKey"]
        template = key.partition(" ")[2]
        return await apigateway._invoke_lambda_proxy(
            apigateway._integrations[api_id][route["target"].removeprefix("integrations/")],
            api_id, stage, path, method, {name.lower(): value for name, value in headers.items()}, body, query, key,
            (apigateway._extract_path_params(template, path) if template else None) or None,
            owner_account_id=account, owner_region=region, raw_query_string=raw_query,
        )

    apigateway._handle_execute_in_scope = handle_in_scope


def http_api_event_is_complete() -> None:
    """Events lack cookies and x-forwarded-*, and sourceIp is always 127.0.0.1: the front tells it in a header."""
    execute = lambda_svc._execute_function_with_config_scope

    def execute_complete(function, event):
        if isinstance(event, dict) and event.get("version") == "2.0" and "requestContext" in event:
            complete_event(event)
        return execute(function, event)

    lambda_svc._execute_function_with_config_scope = execute_complete


def complete_event(event: dict) -> None:
    headers, http = event["headers"], event["requestContext"]["http"]
    http["sourceIp"] = headers.pop(CLIENT_ADDRESS, http["sourceIp"])
    forwarded = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{forwarded}, {http['sourceIp']}" if forwarded else http["sourceIp"]
    headers.setdefault("x-forwarded-proto", "https")
    headers.setdefault("x-forwarded-port", "443")
    if cookie := headers.pop("cookie", None):
        event["cookies"] = [part.strip() for part in cookie.split(";")]


def http_api_bodies_are_kept() -> None:
    """A text body that is not UTF-8 is decoded with replacement characters; it must arrive byte for byte."""
    utf8: contextvars.ContextVar[bool] = contextvars.ContextVar("utf8", default=True)
    invoke, is_text = apigateway._invoke_lambda_proxy, apigateway._v2_request_body_is_text

    @functools.wraps(invoke)
    async def invoke_proxy(integration, api_id, stage, path, method, headers, body, *rest, **named):
        utf8.set(is_utf8(body or b""))
        return await invoke(integration, api_id, stage, path, method, headers, body, *rest, **named)

    apigateway._invoke_lambda_proxy = invoke_proxy
    apigateway._v2_request_body_is_text = lambda content_type: utf8.get() and is_text(content_type)


def is_utf8(body: bytes) -> bool:
    with contextlib.suppress(UnicodeDecodeError):
        body.decode("utf-8")
        return True
    return False


def http_api_errors_are_the_gateways() -> None:
    """A failed function answers 502 with its error in it, a throttled one 429, and no body is too large."""
    invoke, shape = apigateway._invoke_lambda_proxy, lambda_svc.lambda_execute_result_to_api_proxy_response

    @functools.wraps(invoke)
    async def invoke_proxy(integration, api_id, stage, path, method, headers, body, *rest, **named):
        if len(body or b"") > PAYLOAD_MAX:
            return 413, dict(JSON), b'{"message":"Request Entity Too Large"}'
        return await invoke(integration, api_id, stage, path, method, headers, body, *rest, **named)

    def shape_answer(result):
        if result.get("throttle"):
            return gateway_error(503, "Service Unavailable"), None
        if result.get("error"):
            return gateway_error(500, "Internal Server Error"), None
        return shape(result)

    apigateway._invoke_lambda_proxy = invoke_proxy
    lambda_svc.lambda_execute_result_to_api_proxy_response = shape_answer


def gateway_error(status: int, message: str) -> dict:
    return {"statusCode": status, "headers": dict(JSON), "body": json.dumps({"message": message})}


def invocations_do_not_wait() -> None:
    """Each call waits 50 ms for log lines that do not come, and 40 ms for an acknowledgement that Nagle delays."""
    worker = lambda_runtime.ProvidedWorker
    build = worker._build_handler_class

    def build_handler(self, generation, pending):
        handler = build(self, generation, pending)
        handler.disable_nagle_algorithm = True
        handler.wbufsize = 1 << 16
        return handler

    # A function writes its line before it answers, so it is here or about to be.
    def drain(self, first_line_wait=0.005, **_):
        with contextlib.suppress(queue.Empty):
            first = self._stderr_queue.get(timeout=first_line_wait)
            return "\n".join(filter(None, (first, self._drain_stderr())))
        return ""

    worker._build_handler_class, worker._drain_stderr_bounded = build_handler, drain


def cold_starts_take_turns() -> None:
    """A burst starts an environment per request at once, on the few cores of this machine; on AWS each has its own."""
    acquire, release = lambda_svc.acquire_worker, lambda_svc.release_worker
    turn, starting, here = threading.Condition(), 0, threading.local()

    def acquire_in_turn(name, config, code, qualifier="$LATEST", max_concurrency=None):
        nonlocal starting
        key = lambda_runtime._worker_key(name, config, qualifier)

        # Whoever waits for its turn takes an environment that becomes free meanwhile.
        def may_go() -> bool:
            environments = tuple(lambda_runtime._workers.get(key, ()))
            return starting < STARTS_AT_ONCE or any(not worker.in_use for worker in environments)

        with turn:
            turn.wait_for(may_go, timeout=TURN_MAX_S)
            worker, reason = acquire(name, config, code, qualifier=qualifier, max_concurrency=max_concurrency)
            here.starts = reason == "spawn"
            starting += here.starts
        return worker, reason

    # An environment is cold until its first request is answered.
    def release_turn(worker):
        nonlocal starting
        release(worker)
        with turn:
            starting -= getattr(here, "starts", False)
            here.starts = False
            turn.notify_all()

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_in_turn, release_turn


def reserved_concurrency_holds() -> None:
    """ReservedConcurrentExecutions of a template is dropped, and a published version never had it."""
    function, lookup = RESOURCES["AWS::Lambda::Function"], lambda_svc._reserved_concurrency
    create, update = function["create"], function["update"]

    def reserve(name, properties):
        wanted = properties.get("ReservedConcurrentExecutions")
        lambda_svc._functions[name]["concurrency"] = None if wanted is None else int(wanted)

    def create_reserved(logical_id, properties, stack):
        created = create(logical_id, properties, stack)
        reserve(created[0], properties)
        return created

    def update_reserved(physical_id, old, new, stack, logical_id=None):
        updated = update(physical_id, old, new, stack, logical_id=logical_id)
        reserve(updated[0], new)
        return updated

    function["create"], function["update"] = create_reserved, update_reserved
    lambda_svc._reserved_concurrency = lambda version, config: lookup(
        lambda_svc._functions.get(config.get("FunctionName", "")) or version, config
    )


def queue_concurrency_is_a_number() -> None:
    """MaximumConcurrency from a parameter stays a string, at which the poller of the queue fails."""
    mapping = RESOURCES["AWS::Lambda::EventSourceMapping"]
    create, update = mapping["create"], mapping["update"]

    def with_number(properties):
        scaling = properties.get("ScalingConfig") or {}
        numbers = {name: int(value) for name, value in scaling.items()}
        return {**properties, "ScalingConfig": numbers} if numbers else properties

    mapping["create"] = lambda logical_id, properties, stack: create(logical_id, with_number(properties), stack)
    mapping["update"] = lambda physical_id, old, new, *rest, **named: update(
        physical_id, with_number(old), with_number(new), *rest, **named
    )


def batches_need_no_action_of_their_own() -> None:
    """SendMessageBatch and its kin are judged as actions that IAM does not have; AWS asks for sqs:SendMessage."""
    extract = iam_actions.extract_iam_action

    def extract_action(service, *rest, **named):
        action = extract(service, *rest, **named)
        return action.removesuffix("Batch") if service == "sqs" and action else action

    iam_actions.extract_iam_action = extract_action


def mail_is_judged_by_its_sender() -> None:
    """SES SendEmail is judged on every resource; AWS asks for the right to the identity it sends from."""
    resource = iam_actions._ses_v2_resource_arn

    def resource_arn(method, path, body, region, account_id):
        if not path.endswith("/outbound-emails"):
            return resource(method, path, body, region, account_id)
        address = email.utils.parseaddr(json.loads(body or b"{}").get("FromEmailAddress") or "")[1]
        identity = address if address in ses_v2._identities else address.rpartition("@")[2]
        return f"arn:aws:ses:{region}:{account_id}:identity/{identity}"

    iam_actions._ses_v2_resource_arn = resource_arn


def generated_secrets_obey() -> None:
    """Of GenerateSecretString only the length and ExcludeCharacters count; AWS makes it as GetRandomPassword does."""
    declared = provisioners._sm_secret_string

    def secret_string(properties):
        wanted = properties.get("GenerateSecretString")
        if not wanted or properties.get("SecretString"):
            return declared(properties)
        password = json.loads(secretsmanager._get_random_password(wanted)[2])["RandomPassword"]
        if "SecretStringTemplate" not in wanted:
            return password
        return json.dumps({**json.loads(wanted["SecretStringTemplate"]), wanted["GenerateStringKey"]: password})

    provisioners._sm_secret_string = secret_string


def tables_expire_items() -> None:
    """TimeToLiveSpecification of a template is dropped, so no cart or session ever goes away."""
    table = RESOURCES["AWS::DynamoDB::Table"]
    create = table["create"]

    def create_with_expiry(logical_id, properties, stack):
        created = create(logical_id, properties, stack)
        if expiry := properties.get("TimeToLiveSpecification"):
            enabled = str(expiry["Enabled"]).lower() == "true"
            wanted = {"AttributeName": expiry["AttributeName"], "Enabled": enabled}
            dynamodb._update_ttl({"TableName": created[0], "TimeToLiveSpecification": wanted})
        return created

    table["create"] = create_with_expiry


def state_survives_a_kill() -> None:
    """State is saved on a clean stop only: after a kill the stack is forgotten, and its buckets are in the way."""
    load, save, saving = app._load_persisted_state, app.save_all, threading.Lock()

    def save_alone(services):
        with saving:
            save(services)

    def save_often():
        took_s = 0.0
        while True:
            # At most a twentieth of the time, whatever there is to save; lines and metrics can be lost.
            time.sleep(max(SAVE_EVERY_S, 20 * took_s))
            started = time.monotonic()
            services = app._build_persistence_save_dict()
            app.save_all({name: services[name] for name in services.keys() - {"cloudwatch", "cloudwatch_logs"}})
            took_s = time.monotonic() - started

    def load_then_save_often():
        load()
        threading.Thread(target=save_often, daemon=True).start()

    app.save_all, app._load_persisted_state = save_alone, load_then_save_often
    logging.getLogger("persistence").setLevel(logging.WARNING)


PATCHES = (
    http_api_routes_from_body,
    http_api_options_are_routed,
    http_api_event_is_complete,
    http_api_bodies_are_kept,
    http_api_errors_are_the_gateways,
    invocations_do_not_wait,
    cold_starts_take_turns,
    reserved_concurrency_holds,
    queue_concurrency_is_a_number,
    batches_need_no_action_of_their_own,
    mail_is_judged_by_its_sender,
    generated_secrets_obey,
    tables_expire_items,
    state_survives_a_kill,
    *rotation.PATCHES,
)
