"""Examines a running API with schemathesis: fills it a little, then runs all checks, in a few processes at once.

Needs FLOTILLA_URL and FLOTILLA_KEY. Prints what was found, and ends with 0 only if nothing was.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
URL = os.environ["FLOTILLA_URL"]
# One per core: schemathesis computes more than it waits.
PROCESSES = 2
# All of it must be over by then, in seconds.
WITHIN = 480
# Requests that all of it takes, or something was not examined: a description that lost its operations breaks no promise.
CASES_MIN = 5000


def ask(method, path, body=None):
    headers = {"authorization": "Bearer " + os.environ["FLOTILLA_KEY"], "content-type": "application/json"}
    request = urllib.request.Request(URL + path, None if body is None else json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def fill():
    """Jobs that wait and jobs that died, so that listings are not empty."""
    ask("POST", "/v1/webhook_endpoints", {"name": "examined"})
    payload = {"url": "http://127.0.0.1:9/refused", "data": {"n": 1}}
    ask("POST", "/v1/jobs/batch", {"jobs": [{"kind": "webhooks.deliver", "payload": payload, "tags": ["a"]}] * 20})
    later = {"kind": "webhooks.deliver", "delay": "30d", "payload": payload}
    ask("POST", "/v1/jobs/batch", {"jobs": [later] * 20})


def operations():
    """Operations by id, dealt out so that each process has about as much to do."""
    paths = ask("GET", "/openapi.json")["paths"]
    ids = sorted(operation["operationId"] for path in paths.values() for operation in path.values() if "operationId" in operation)
    return ids, [ids[first::PROCESSES] for first in range(PROCESSES)]


def start(number, ids):
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", os.path.join(HERE, "schemathesis.toml"), "run"]
    command += [URL + "/openapi.json", "--checks", "all"]
    for operation in ids:
        command += ["--include-operation-id", operation]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "ndjson", "PYTHONPATH": HERE}
    out = open(f"examined-{number}.txt", "w+", encoding="utf-8")
    return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL), out


def main():
    fill()
    ids, shares = operations()
    print("examining", len(ids), "operations")
    running = [start(number, share) for number, share in enumerate(shares)]
    failed, cases = False, 0
    for process, out in running:
        try:
            code = process.wait(WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            code = f"nothing: it had to be stopped after {WITHIN} s"
        out.seek(0)
        said = out.read()
        print(said)
        print("schemathesis ended with", code)
        failed |= code != 0
        cases += sum(int(count) for count in re.findall(r"(\d+) generated", said))
    print(cases, "cases")
    if cases < CASES_MIN:
        print("that is too few: there should be", CASES_MIN)
        failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
