#!/usr/bin/env python3
"""Asks the tasks of the quotes service for quotes, without pause, and counts what fails.

It knows the tasks as a load balancer would: from DescribeTasks, every 0.3 seconds, those that are running and healthy.
It begins when the first task is healthy. At the end it prints one line of JSON:

    {"succeeded": 512, "failed": 0, "errors": [], "revisions": {"1": 300, "2": 212}}

Run it with boto3 and the variables of client.env.
"""

import argparse
import collections
import http.client
import itertools
import json
import threading
import time

import boto3

DISCOVERY_SECONDS = 0.3
REQUEST_SECONDS = 0.02
TIMEOUT_SECONDS = 5


def healthy_ports(ecs, cluster, service):
    """The published ports of the service's healthy tasks."""
    arns = ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]
    if not arns:
        return []
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    return [
        binding["hostPort"]
        for task in tasks
        if task["lastStatus"] == "RUNNING"
        and task["desiredStatus"] == "RUNNING"
        and task.get("healthStatus") == "HEALTHY"
        for container in task["containers"]
        for binding in container.get("networkBindings", [])
    ]


def quote(port):
    """One quote; raises when there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/quote/SNOW")
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
        return json.loads(answer.read())
    finally:
        connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cluster", default="default")
    parser.add_argument("--service", default="quotes")
    parser.add_argument("--seconds", type=float, default=60, help="how long at most")
    parser.add_argument(
        "--until-revision", type=int, help="end 3 seconds after only this revision has answered"
    )
    options = parser.parse_args()

    ecs = boto3.client("ecs")
    end = time.monotonic() + options.seconds
    known = {"ports": []}
    while not known["ports"] and time.monotonic() < end:
        known["ports"] = healthy_ports(ecs, options.cluster, options.service)
        time.sleep(DISCOVERY_SECONDS)
    over = threading.Event()

    def discover():
        while not over.wait(DISCOVERY_SECONDS):
            known["ports"] = healthy_ports(ecs, options.cluster, options.service) or known["ports"]

    threading.Thread(target=discover, daemon=True).start()
    revisions = collections.Counter()
    errors = []
    since = None
    for turn in itertools.count():
        now = time.monotonic()
        if now > end or (since is not None and now - since > 3):
            break
        try:
            if not known["ports"]:
                raise OSError("no healthy task is known")
            port = known["ports"][turn % len(known["ports"])]
            revision = quote(port)["revision"]
            revisions[revision] += 1
            if revision != options.until_revision:
                since = None
            elif since is None:
                since = now
        except (OSError, http.client.HTTPException) as error:
            errors.append(f"{type(error).__name__}: {error}")
        time.sleep(REQUEST_SECONDS)
    over.set()
    report = {
        "succeeded": sum(revisions.values()),
        "failed": len(errors),
        "errors": errors[:5],
        "revisions": dict(revisions),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
