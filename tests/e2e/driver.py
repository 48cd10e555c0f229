"""Answers one JSON request a line on standard input with one JSON answer a line on standard output, through boto3.

Started by client.rs, which documents the requests.
"""

import base64
import datetime
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.request

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions

CONFIG = botocore.config.Config(
    # A test wants to see the first answer.
    retries={"total_max_attempts": 1},
    connect_timeout=10,
    read_timeout=60,
)
CLIENTS = {}


def client(request):
    """The client of the request's service, with the credentials that it names, if it does."""
    service, credentials = request["service"], request.get("as", {})
    key = (service, *sorted(credentials.items()))
    if key not in CLIENTS:
        CLIENTS[key] = boto3.client(service, config=CONFIG, **credentials)
    return CLIENTS[key]


def without_metadata(output):
    output.pop("ResponseMetadata", None)
    return output


def call(request):
    operation = getattr(client(request), request["operation"])
    return without_metadata(operation(**request["input"]))


def paginate(request):
    paginator = client(request).get_paginator(request["operation"])
    pages = paginator.paginate(
        **request["input"], PaginationConfig={"PageSize": request["page_size"]}
    )
    return without_metadata(pages.build_full_result())


def wait(request):
    waiter = client(request).get_waiter(request["waiter"])
    waiter.wait(**request["input"], WaiterConfig={"Delay": 1, "MaxAttempts": 90})
    return {}


def one_time_password(request):
    """The code that a device with this seed shows, some steps of 30 s from now (RFC 6238)."""
    step = int(time.time()) // 30 + request.get("steps", 0)
    digest = hmac.new(base64.b32decode(request["seed"]), step.to_bytes(8, "big"), "sha1").digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def raw(request):
    headers = {"Content-Type": "application/x-amz-json-1.1", **request.get("headers", {})}
    if "target" in request:
        headers["X-Amz-Target"] = request["target"]
    body = request.get("body", "{}").encode()
    signed = botocore.awsrequest.AWSRequest(
        method="POST", url=os.environ["AWS_ENDPOINT_URL"] + "/", data=body, headers=headers
    )
    if not request.get("unsigned"):
        credentials = botocore.credentials.Credentials(
            request.get("access_key_id", os.environ["AWS_ACCESS_KEY_ID"]),
            request.get("secret", os.environ["AWS_SECRET_ACCESS_KEY"]),
        )
        offset = datetime.timedelta(seconds=request.get("clock_offset_s", 0))
        now = datetime.datetime.now(datetime.timezone.utc) + offset
        botocore.auth.get_current_datetime = lambda *_args, **_kwargs: now
        region = request.get("region", os.environ["AWS_REGION"])
        botocore.auth.SigV4Auth(credentials, request["service"], region).add_auth(signed)
    sent = urllib.request.Request(
        signed.url,
        data=request.get("tampered_body", request.get("body", "{}")).encode(),
        headers=dict(signed.headers),
        method="POST",
    )
    try:
        with urllib.request.urlopen(sent, timeout=60) as answer:
            return {"status": answer.status, "body": answer.read().decode()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read().decode()}


KINDS = {
    "call": call,
    "one_time_password": one_time_password,
    "paginate": paginate,
    "wait": wait,
    "raw": raw,
}


def answer(request):
    try:
        return {"ok": KINDS[request["kind"]](request)}
    except botocore.exceptions.ClientError as error:
        return {
            "error": {
                "code": error.response["Error"].get("Code", ""),
                "message": error.response["Error"].get("Message", ""),
                "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
            }
        }
    except Exception as error:  # the test decides what it means
        return {"error": {"code": type(error).__name__, "message": str(error), "status": 0}}


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError(f"cannot say {type(value)} in JSON")


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line)), default=plain), flush=True)
