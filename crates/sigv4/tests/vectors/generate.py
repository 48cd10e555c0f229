"""Writes botocore.json: requests signed by botocore, as they go over the wire.

Run with a Python that has botocore: `python generate.py > botocore.json`.
"""

import datetime
import json
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 2, 28, 23, 59, 30, tzinfo=datetime.timezone.utc)
KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token/with+odd=="
JSON = {"Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.DescribeTasks"}

# name, method, path with query, headers, body, service, token?, presigned for (seconds)?, params
CASES = [
    ("json post", "POST", "/", JSON, '{"tasks":["a"]}', "ecs", False, None, None),
    ("json post with session token", "POST", "/", JSON, "{}", "ecs", True, None, None),
    ("json post of unicode", "POST", "/", JSON, '{"name":"größe-日本"}', "ecs", False, None, None),
    ("empty body", "POST", "/", JSON, "", "ecs", False, None, None),
    ("query post", "POST", "/", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
     "Action=GetCallerIdentity&Version=2011-06-15", "sts", False, None, None),
    ("header spaces and tabs", "POST", "/", {"X-Amz-Meta": "  a   b\t c  ", "X-Other": "1"}, "{}", "ecs",
     False, None, None),
    ("announced body hash", "POST", "/", {"X-Amz-Content-SHA256":
     "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}, "{}", "ecs", False, None, None),
    ("date header", "POST", "/", {"Date": "Sat, 28 Feb 2026 23:59:30 GMT"}, "{}", "ecs", False, None, None),
    ("sorted parameters", "GET", "/", {}, "", "ecs", False, None,
     {"b": "2", "a": "1", "a-": "3", "A": "0"}),
    ("parameters with reserved characters", "GET", "/", {}, "", "ecs", False, None,
     {"q": "a b+c*d:e/f=g&h%~-_.", "schlüssel": "größe", "empty": ""}),
    ("raw plus, star and colon", "GET", "/?a=b+c*d:e", {}, "", "ecs", False, None, None),
    ("raw lower-case hex", "GET", "/?a=%2fx%3a&b=%c3%bc", {}, "", "ecs", False, None, None),
    ("raw key without value", "GET", "/?b&a&c=", {}, "", "ecs", False, None, None),
    ("raw repeated key", "GET", "/?a=2&a=1&a=10", {}, "", "ecs", False, None, None),
    ("raw brackets and at", "GET", "/?filter[0]=x@y!&z=$,;", {}, "", "ecs", False, None, None),
    ("path with escapes", "GET", "/tasks/a%20b/%C3%BC", {}, "", "ecs", False, None, None),
    ("path with lower-case escapes", "GET", "/tasks/a%2fb", {}, "", "ecs", False, None, None),
    ("path with reserved characters", "GET", "/a:b/c*d/e+f/g~h/i@j/(k)", {}, "", "ecs", False, None, None),
    ("path with dots and slashes", "GET", "/a/./b/../c//d/", {}, "", "ecs", False, None, None),
    ("path that ends in dots", "GET", "/a/b/..", {}, "", "ecs", False, None, None),
    ("presigned", "GET", "/", {}, "", "sts", False, 60, {"Action": "GetCallerIdentity", "Version": "2011-06-15"}),
    ("presigned with session token", "GET", "/", {}, "", "sts", True, 604800,
     {"Action": "GetCallerIdentity", "Version": "2011-06-15"}),
    ("presigned with odd parameters", "GET", "/x%20y", {"X-Amz-Extra": "e"}, "", "sts", False, 1,
     {"a b": "c+d*:", "B": "ü"}),
]


def wire(case):
    name, method, target, headers, body, service, token, expires, params = case
    credentials = Credentials(KEY, SECRET, TOKEN if token else None)
    request = AWSRequest(method=method, url="http://127.0.0.1:4510" + target, headers=headers,
                         data=body.encode(), params=params or {})
    auth = (botocore.auth.SigV4QueryAuth(credentials, service, "us-east-1", expires=expires) if expires
            else botocore.auth.SigV4Auth(credentials, service, "us-east-1"))
    auth.add_auth(request)
    prepared = request.prepare()
    sent = [["Host", "127.0.0.1:4510"]]
    for key, value in prepared.headers.items():
        sent.append([key, value.decode() if isinstance(value, bytes) else value])
    path, _, query = prepared.url[len("http://127.0.0.1:4510"):].partition("?")
    return {"name": name, "method": method, "path": path, "query": query, "headers": sent, "body": body,
            "service": service, "token": TOKEN if token else None, "presigned": bool(expires)}


with mock.patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)), \
        mock.patch("botocore.auth.formatdate", return_value="Sat, 28 Feb 2026 23:59:30 GMT"):
    cases = [wire(case) for case in CASES]
print(json.dumps({"now_ms": int(NOW.timestamp() * 1000), "secret": SECRET, "cases": cases},
                 indent=1, ensure_ascii=False))
