"""What scripts of checks share: each check is a function, and its result one JSON line."""

import asyncio
import inspect
import json
import sys
import traceback

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def expect_error(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, and the call succeeded")


def run(function):
    try:
        result = function()
        if inspect.iscoroutine(result):
            asyncio.run(result)
        return None
    except Exception:
        return traceback.format_exc(limit=-4)


def run_all():
    """Ends the process: with 1 if a check failed."""
    failures = 0
    for function in CHECKS:
        failure = run(function)
        failures += failure is not None
        print(json.dumps({"check": function.__name__, "failure": failure}), flush=True)
    sys.exit(1 if failures else 0)
