"""Answers one JSON request a line on standard input with one JSON answer a line on standard output, through boto3.

Started by client.rs, which documents the requests.
"""

import datetime
import json
import os
import sys
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


def client(service):
    if service not in CLIENTS:
        CLIENTS[service] = boto3.client(service, config=CONFIG)
    return CLIENTS[service]


def without_metadata(output):
    output.pop("ResponseMetadata", None)
    return output


def call(request):
    operation = getattr(client(request["service"]), request["operation"])
    return without_metadata(operation(**request["input"]))


def paginate(request):
    paginator = client(request["service"]).get_paginator(request["operation"])
    pages = paginator.paginate(
        **request["input"], PaginationConfig={"PageSize": request["page_size"]}
    )
    return without_metadata(pages.build_full_result())


def wait(request):
    waiter = client(request["service"]).get_waiter(request["waiter"])
    waiter.wait(**request["input"], WaiterConfig={"Delay": 1, "MaxAttempts": 90})
    return {}


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


KINDS = {"call": call, "paginate": paginate, "wait": wait, "raw": raw}


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
    raise TypeError(f"cannot say {type(value)} in JSON")


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line)), default=plain), flush=True)
