"""The API from Python, with nothing but the standard library.

Needs a server that knows `example.greet` (`greeter-up`, see docs/tutorial.md), FLOTILLA_URL and FLOTILLA_KEY.
"""

import json
import os
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ["FLOTILLA_URL"]
KEY = os.environ["FLOTILLA_KEY"]


class Refused(Exception):
    """The server said no (RFC 9457); `code` never changes, the sentences may."""

    def __init__(self, status, problem):
        super().__init__(f"{problem['code']}: {problem['detail']} (request {problem['request_id']})")
        self.status, self.code, self.problem = status, problem["code"], problem


def call(method, path, body=None, idempotency_key=None, tries=5):
    """One call, with its answer as (status, headers, JSON)."""
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    if idempotency_key:
        headers["idempotency-key"] = idempotency_key
    data = None if body is None else json.dumps(body).encode()
    repeatable = method in ("GET", "PUT", "DELETE") or idempotency_key is not None
    for left in reversed(range(tries)):
        request = urllib.request.Request(URL + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return answer.status, answer.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as refused:
            problem = json.loads(refused.read())
            wait = refused.headers.get("retry-after")
            if wait is None or not repeatable or left == 0:
                raise Refused(refused.code, problem) from None
            time.sleep(float(wait))
        except urllib.error.URLError:
            # Whether it took effect is not known: with the same key it is safe to ask again.
            if not repeatable or left == 0:
                raise
            time.sleep(1)


def submit(kind, payload, **more):
    """Submits a job once, however often it has to be asked; returns the job."""
    job = {"kind": kind, "payload": payload, **more}
    _, _, job = call("POST", "/v1/jobs", job, idempotency_key=str(uuid.uuid4()))
    return job


def wait(job_id, seconds=60):
    """The result of a job; raises `Refused` with `job_dead`, `job_cancelled` or `job_expired` if it has none."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status, headers, result = call("GET", f"/v1/jobs/{job_id}/result")
        if status == 200:
            return result
        time.sleep(min(float(headers.get("retry-after", 1)), 1))
    raise TimeoutError(f"job {job_id} has not ended within {seconds} s")


def events(job_id, last_id=None):
    """What happens to a job, as it happens: (event, data). Ends with the job; goes on where it was when the line breaks."""
    for _ in range(10):
        headers = {"authorization": f"Bearer {KEY}"}
        if last_id:
            headers["last-event-id"] = last_id
        request = urllib.request.Request(f"{URL}/v1/jobs/{job_id}/events", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as lines:
                event = {}
                for line in lines:
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    if name:
                        event[name] = value
                    elif event:
                        last_id = event.get("id", last_id)
                        data = json.loads(event["data"]) if "data" in event else {}
                        if "event" in event:
                            yield event["event"], data
                        if event.get("event") == "state" and data.get("finished_at"):
                            return
                        event = {}
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(1)


def batch(jobs):
    """Submits up to 10 000 jobs, all or none; returns their ids in order."""
    _, _, answer = call("POST", "/v1/jobs/batch", {"jobs": jobs}, idempotency_key=str(uuid.uuid4()))
    return [job["id"] for job in answer["jobs"]]


def main():
    job = submit("example.greet", {"name": "Ada"}, tags=["first"])
    print("submitted", job["id"], job["state"])
    print("result", wait(job["id"]))

    job = submit("example.greet", {"name": "Grace"}, delay="1s")
    for event, data in events(job["id"]):
        print(event, data["state"] if event == "state" else data.get("message", data))

    ids = batch([{"kind": "example.greet", "payload": {"name": name}} for name in ("Barbara", "Edith", "Radia")])
    greetings = [wait(job_id) for job_id in ids]
    print(len(greetings), "of", len(ids), "greeted:", ", ".join(greetings))

    try:
        submit("example.greet", {"name": 1})
    except Refused as refused:
        print("refused with", refused.status, refused.code, refused.problem["errors"])


if __name__ == "__main__":
    main()
