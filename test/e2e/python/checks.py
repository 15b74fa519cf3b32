"""Shared by the check scripts. Each check is a function; its result is one JSON line on standard output."""

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
    raise AssertionError(f"expected {kind.__name__}, but the call succeeded")


def run(function):
    try:
        result = function()
        if inspect.iscoroutine(result):
            asyncio.run(result)
        return None
    except Exception:
        return traceback.format_exc(limit=-4)


def run_all():
    """Runs all checks and exits: with 1 if a check failed, else with 0."""
    failures = 0
    for function in CHECKS:
        failure = run(function)
        failures += failure is not None
        print(json.dumps({"check": function.__name__, "failure": failure}), flush=True)
    sys.exit(1 if failures else 0)
