"""Prints, as JSON, the files that boto3 needs: [[where it is, where it goes], ...], and how it is started.

Run by the virtual environment's python; see boto3_image.rs.
"""

import json
import os
import sys
import sysconfig

# What a client of the tests loads, with all shared libraries behind it.
import _hashlib  # noqa: F401
import bz2  # noqa: F401
import ctypes  # noqa: F401
import http.server  # noqa: F401
import lzma  # noqa: F401
import ssl  # noqa: F401
import zlib  # noqa: F401

import boto3

SITE = "/opt/site-packages"
SERVICES = ["ecs", "iam", "logs", "sts"]
PACKAGES = ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"]
# Of the standard library nobody here needs.
WITHOUT = {"__pycache__", "test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "site-packages"}

files = {}


def add(source, target):
    files[target] = os.path.realpath(source)


def tree(source, target):
    for directory, names, leaves in os.walk(source):
        names[:] = [name for name in names if name not in WITHOUT and not name.startswith("config-")]
        below = os.path.relpath(directory, source)
        for leaf in leaves:
            path = os.path.join(directory, leaf)
            if os.path.isfile(path) and not leaf.endswith((".pyc", ".a")):
                add(path, os.path.normpath(os.path.join(target, below, leaf)))


interpreter = os.path.realpath(sys.executable)
add(interpreter, interpreter)
for name in ("stdlib", "platstdlib"):
    tree(sysconfig.get_path(name, vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix}),
         sysconfig.get_path(name, vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix}))
with open("/proc/self/maps") as maps:
    for line in maps:
        path = line.rstrip("\n").partition("/")
        path = path[1] + path[2]
        if ".so" in os.path.basename(path) and os.path.isfile(path):
            add(path, path)
            # By the name that others ask for it.
            for alias in os.listdir(os.path.dirname(path)):
                other = os.path.join(os.path.dirname(path), alias)
                if ".so" in alias and os.path.islink(other) and os.path.realpath(other) == path:
                    add(other, other)
for loader in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"):
    if os.path.exists(loader):
        add(loader, loader)

packages = os.path.dirname(os.path.dirname(boto3.__file__))
for name in PACKAGES:
    source = os.path.join(packages, name)
    if os.path.isfile(source):
        add(source, f"{SITE}/{name}")
        continue
    data = os.path.join(source, "data") if name == "botocore" else None
    tree(source, f"{SITE}/{name}")
    if data:
        kept = tuple(f"{SITE}/botocore/data/{service}/" for service in SERVICES)
        for target in [path for path in files if path.startswith(f"{SITE}/botocore/data/")]:
            if "/" in target.removeprefix(f"{SITE}/botocore/data/") and not target.startswith(kept):
                del files[target]

print(json.dumps({
    "python": interpreter,
    "environment": [f"PYTHONPATH={SITE}", f"PYTHONHOME={sys.base_prefix}", "PYTHONUNBUFFERED=1"],
    "files": sorted([source, target] for target, source in files.items()),
}))
